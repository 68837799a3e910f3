// What every section's check gives back: the content a turn announces, its checks, and its effect.
import { type Bytes, equal } from "./bytes.js";
import { demand, type Party, type Reason } from "./errors.js";
import type { Blob, Session } from "./session.js";

export interface Turn {
  /** Sizes of the blobs, key included. */
  readonly sizes: readonly bigint[];
  readonly stream: Bytes | null;
  /** Checks on content; a refusal here blames the sender. */
  content(blobs: readonly Blob[]): void;
  /** The effect; must not refuse. */
  apply(blobs: readonly Blob[]): void;
}

export interface Options {
  /** The last attempt at an exercise with this id, where one is known. */
  earlier(exercise: Bytes): Session | null;
  /** The modes that are taken. */
  readonly modes: readonly string[];
  /** Whether a root fingerprint is pinned for the role. */
  pinned(role: Party, fingerprint: Bytes): boolean;
  /** The certificates of the transport, where there is one. */
  readonly tls: { readonly verifier: Bytes; readonly prover: Bytes } | null;
}

export function silent(apply: () => void): Turn {
  return { sizes: [], stream: null, content: () => undefined, apply };
}

export function sized(bytes: Bytes, reason: Reason = "MALFORMED"): Bytes {
  demand(bytes.length === 32, reason, "a digest of another size");
  return bytes;
}

export function counted(n: number, least: number, most: number): void {
  demand(n >= least && n <= most, "TOO_LARGE", "a count out of bounds");
}

export function same(a: Bytes, b: Bytes, reason: Reason, detail: string): void {
  demand(equal(a, b), reason, detail);
}

/** Key and content of a blob; null where it is withheld. */
export function parts(blob: Blob | undefined): { key: Bytes; content: Bytes } | null {
  if (blob === undefined || blob.bytes === null) return null;
  return { key: blob.bytes.subarray(0, 32), content: blob.bytes.subarray(32) };
}
