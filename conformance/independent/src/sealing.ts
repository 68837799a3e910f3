// Sealed content: header and chunks under a data key, and the data key wrapped to a chamber.
import { type Bytes, concat, EMPTY, equal, u64, utf8 } from "./bytes.js";
import { demand } from "./errors.js";
import { frame, mac } from "./framing.js";
import { gcmOpen, gcmSeal, hpkeOpen, TAG } from "./hpke.js";

const CHUNK = 2 ** 20;
const LARGEST = 2 ** 44;
/** Bytes of an encapsulated key and of a data key that is sealed under it. */
export const WRAPPED = 80;
const ROLES = { prover: 1, verifier: 2, results: 3 } as const;

/** What a session says of one party's content. */
export interface Sealing {
  readonly role: keyof typeof ROLES;
  readonly session: Bytes;
  readonly commitment: Bytes;
  readonly size: number;
}

export function chunkCount(size: number): number {
  return Math.max(1, Math.ceil(size / CHUNK));
}

export function header(s: Sealing): Bytes {
  return concat(utf8("parley-seal/1\n"), Uint8Array.of(ROLES[s.role]), s.session, s.commitment, u64(s.size));
}

export function wrapInfo(s: Sealing, keys: Bytes, terms: Bytes): Bytes {
  return frame("seal", utf8(s.role), s.session, s.commitment, keys, terms, u64(CHUNK), u64(chunkCount(s.size)));
}

function nonce(index: number, last: boolean): Bytes {
  return concat(new Uint8Array(3), u64(index), Uint8Array.of(last ? 1 : 0));
}

/** The data key that was released under this info to this chamber. */
export function unwrap(secret: Bytes, wrapped: Bytes, info: Bytes): Bytes {
  demand(wrapped.length === WRAPPED, "BAD_SEAL", "a wrapped key of another length");
  const key = hpkeOpen(secret, wrapped.subarray(0, 32), wrapped.subarray(32), info);
  demand(key !== null, "BAD_SEAL", "a wrapped key that does not open for this run");
  return key;
}

/** Opens sealed content whole; nothing of it is used where any chunk does not hold. */
export function openContent(s: Sealing, dataKey: Bytes, sealed: Bytes): Bytes {
  const head = header(s);
  demand(s.size <= LARGEST && equal(sealed.subarray(0, head.length), head), "BAD_SEAL", "another header than the session gives");
  const key = mac(dataKey, "seal", head);
  const count = chunkCount(s.size);
  const plain: Bytes[] = [];
  let at = head.length;
  for (let i = 0; i < count; i++) {
    const length = Math.min(CHUNK, s.size - i * CHUNK) + TAG;
    demand(at + length <= sealed.length, "BAD_SEAL", "content that is cut off");
    const chunk = gcmOpen(key, nonce(i, i === count - 1), sealed.subarray(at, at + length), head);
    demand(chunk !== null, "BAD_SEAL", "a chunk that does not hold");
    plain.push(chunk);
    at += length;
  }
  demand(at === sealed.length, "BAD_SEAL", "bytes after the last chunk");
  return concat(...plain);
}

export function sealContent(s: Sealing, dataKey: Bytes, plain: Bytes): Bytes {
  const head = header(s);
  const key = mac(dataKey, "seal", head);
  const count = chunkCount(plain.length);
  const chunks = Array.from({ length: count }, (_, i) =>
    gcmSeal(key, nonce(i, i === count - 1), plain.length === 0 ? EMPTY : plain.subarray(i * CHUNK, (i + 1) * CHUNK), head));
  return concat(head, ...chunks);
}
