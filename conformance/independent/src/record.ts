// Record files: reading front to back under a running digest, and writing.
import { type Bytes, concat, equal, fromUtf8, readU64, u64, utf8 } from "./bytes.js";
import { blobDigest } from "./commitments.js";
import type { Envelope } from "./envelope.js";
import { demand, refuse } from "./errors.js";
import { digest, sha256 } from "./framing.js";
import type { Blob } from "./session.js";

const FIRST_LINE = utf8("PARLEY RECORD 1\n");
const MIB = 1048576;

export type Entry =
  | { readonly kind: "envelope" | "evidence"; readonly envelope: Envelope }
  | { readonly kind: "blob"; readonly blob: Blob }
  | { readonly kind: "side"; readonly sealed: Bytes }
  | { readonly kind: "attempt" };

const LIMITS: Readonly<Record<number, number>> = {
  1: MIB + 4096, 2: 2 ** 30 + 32, 3: 40, 4: MIB, 5: MIB + 4096, 6: 0, 7: 8,
};

function readParts(body: Bytes): Bytes[] {
  const out: Bytes[] = [];
  for (let at = 0; at < body.length;) {
    demand(at + 8 <= body.length, "MALFORMED", "a broken entry");
    const length = readU64(body, at);
    demand(length <= BigInt(body.length - at - 8), "MALFORMED", "a broken entry");
    out.push(body.subarray(at + 8, at + 8 + Number(length)));
    at += 8 + Number(length);
  }
  return out;
}

export function decodeEnvelope(body: Bytes): Envelope {
  const [type, payload, ...rest] = readParts(body);
  demand(type !== undefined && payload !== undefined && rest.length % 2 === 0, "MALFORMED", "a broken envelope");
  const payloadType = fromUtf8(type) ?? refuse("MALFORMED", "a broken payload type");
  const signatures = [];
  for (let i = 0; i < rest.length; i += 2) signatures.push({ key: rest[i] as Bytes, value: rest[i + 1] as Bytes });
  return { payloadType, payload, signatures };
}

export function encodeEnvelope(envelope: Envelope): Bytes {
  const pieces = [utf8(envelope.payloadType), envelope.payload, ...envelope.signatures.flatMap((s) => [s.key, s.value])];
  return concat(...pieces.flatMap((p) => [u64(p.length), p]));
}

function decode(kind: number, body: Bytes): Entry {
  switch (kind) {
    case 1: return { kind: "envelope", envelope: decodeEnvelope(body) };
    case 5: return { kind: "evidence", envelope: decodeEnvelope(body) };
    case 2: return { kind: "blob", blob: { bytes: body, digest: blobDigest(body), size: BigInt(body.length) } };
    case 3:
      demand(body.length === 40, "MALFORMED", "a broken withheld blob");
      return { kind: "blob", blob: { bytes: null, digest: body.subarray(0, 32), size: readU64(body, 32) } };
    case 4: return { kind: "side", sealed: body };
    case 6: return { kind: "attempt" };
    default: return refuse("MALFORMED", "an unknown entry");
  }
}

/** Reads a whole record; anything that is not one, unbroken to its end, is MALFORMED. */
export function readRecord(file: Bytes): Entry[] {
  demand(equal(file.subarray(0, FIRST_LINE.length), FIRST_LINE), "MALFORMED", "another first line");
  const entries: Entry[] = [];
  let running = digest("record");
  let at = FIRST_LINE.length;
  for (;;) {
    const where = `entry ${entries.length} at byte ${at}`;
    demand(at + 9 <= file.length, "MALFORMED", `no end entry: ${where}`);
    const kind = file[at] as number;
    const length = readU64(file, at + 1);
    const limit = LIMITS[kind];
    demand(limit !== undefined && length <= BigInt(limit), "MALFORMED", `an unknown entry or one above its limit: ${where}`);
    const end = at + 9 + Number(length);
    demand(end + 32 <= file.length, "MALFORMED", `cut off: ${where}`);
    running = sha256(running, file.subarray(at, end));
    demand(equal(running, file.subarray(end, end + 32)), "MALFORMED", `a running digest that does not hold: ${where}`);
    const body = file.subarray(at + 9, end);
    at = end + 32;
    if (kind === 7) {
      demand(body.length === 8 && readU64(body, 0) === BigInt(entries.length), "MALFORMED", "a wrong count of entries");
      demand(at === file.length, "MALFORMED", "bytes after the end");
      return entries;
    }
    entries.push(decode(kind, body));
  }
}
