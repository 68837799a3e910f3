// The journal: one append-only file of checked transactions; what is in it is on the disk before it is sent.
import { closeSync, existsSync, fdatasyncSync, fstatSync, ftruncateSync, openSync, readFileSync, writeSync } from "node:fs";
import { type Bytes, concat, equal, readU64, u64, utf8 } from "../bytes.js";
import type { Envelope } from "../envelope.js";
import { sha256 } from "../framing.js";
import { decodeEnvelope, encodeEnvelope } from "../record.js";

const FIRST_LINE = utf8("PARLEY-TS JOURNAL 1\n");

export interface StoredTurn { readonly envelope: Envelope; readonly blobs: readonly Bytes[] }

export type Transaction =
  | { readonly kind: "turns"; readonly session: string; readonly turns: readonly StoredTurn[]; readonly coin: CoinPair | null }
  | { readonly kind: "fault"; readonly session: string; readonly turns: readonly StoredTurn[]; readonly coin: null }
  | { readonly kind: "side"; readonly session: string; readonly sealed: Bytes };

export interface CoinPair { readonly coin: Bytes; readonly key: Bytes }

function join(parts: readonly Bytes[]): Bytes {
  return concat(...parts.flatMap((p) => [u64(p.length), p]));
}

function split(bytes: Bytes): Bytes[] {
  const out: Bytes[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = Number(readU64(bytes, at));
    out.push(bytes.subarray(at + 8, at + 8 + length));
    at += 8 + length;
  }
  return out;
}

function encodeTurn(turn: StoredTurn): Bytes {
  return join([encodeEnvelope(turn.envelope), ...turn.blobs]);
}

function decodeTurn(bytes: Bytes): StoredTurn {
  const [envelope, ...blobs] = split(bytes);
  if (envelope === undefined) throw new Error("CORRUPT: a turn without an envelope");
  return { envelope: decodeEnvelope(envelope), blobs };
}

function encode(t: Transaction): Bytes {
  const name = [utf8(t.kind), utf8(t.session)];
  if (t.kind === "side") return join([...name, t.sealed]);
  const coin = t.coin === null ? new Uint8Array(0) : concat(t.coin.coin, t.coin.key);
  return join([...name, coin, ...t.turns.map(encodeTurn)]);
}

function decode(bytes: Bytes): Transaction {
  const [kind, session, third, ...rest] = split(bytes);
  if (kind === undefined || session === undefined || third === undefined) throw new Error("CORRUPT: a broken transaction");
  const name = Buffer.from(session).toString();
  switch (Buffer.from(kind).toString()) {
    case "side": return { kind: "side", session: name, sealed: third };
    case "fault": return { kind: "fault", session: name, turns: rest.map(decodeTurn), coin: null };
    case "turns": {
      const coin = third.length === 64 ? { coin: third.subarray(0, 32), key: third.subarray(32) } : null;
      return { kind: "turns", session: name, turns: rest.map(decodeTurn), coin };
    }
    default: throw new Error("CORRUPT: an unknown transaction");
  }
}

export class Journal {
  private readonly fd: number;

  private constructor(path: string, end: number) {
    this.fd = openSync(path, end === 0 ? "w" : "r+", 0o600);
    if (end === 0) this.write(FIRST_LINE, 0);
    else if (fstatSync(this.fd).size > end) ftruncateSync(this.fd, end);
    this.end = end === 0 ? FIRST_LINE.length : end;
  }

  private end: number;

  /** Opens the journal; a transaction that a crash cut off is dropped, as if it had never been. */
  static open(path: string): { journal: Journal; transactions: Transaction[] } {
    if (!existsSync(path)) return { journal: new Journal(path, 0), transactions: [] };
    const file = new Uint8Array(readFileSync(path));
    if (file.length < FIRST_LINE.length) return { journal: new Journal(path, 0), transactions: [] };
    if (!equal(file.subarray(0, FIRST_LINE.length), FIRST_LINE)) throw new Error("CORRUPT: no journal");
    const transactions: Transaction[] = [];
    let at = FIRST_LINE.length;
    while (at + 40 <= file.length) {
      const length = readU64(file, at);
      if (length > BigInt(file.length - at - 40)) break;
      const body = file.subarray(at + 40, at + 40 + Number(length));
      if (!equal(sha256(body), file.subarray(at + 8, at + 40))) break;
      transactions.push(decode(body));
      at += 40 + Number(length);
    }
    return { journal: new Journal(path, at), transactions };
  }

  append(transaction: Transaction): void {
    const body = encode(transaction);
    this.end = this.write(concat(u64(body.length), sha256(body), body), this.end);
  }

  close(): void {
    closeSync(this.fd);
  }

  private write(bytes: Bytes, at: number): number {
    for (let done = 0; done < bytes.length;) done += writeSync(this.fd, bytes, done, bytes.length - done, at + done);
    fdatasyncSync(this.fd);
    return at + bytes.length;
  }
}
