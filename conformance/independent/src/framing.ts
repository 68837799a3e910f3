// Framed hashing: every digest and MAC of the protocol goes through here, under a registered label.
import { createHash, createHmac } from "node:crypto";
import { type Bytes, concat, u64, utf8 } from "./bytes.js";
import { demand } from "./errors.js";

export const LABELS = [
  "content", "item", "seed-left", "seed-right", "field-seed", "output", "result-bit", "blob",
  "stream", "root-key", "session", "exercise", "coin", "seed", "ticket", "sampling", "local",
  "model-manifest", "model-chunk", "model-salt", "model-claim", "model-series", "record", "binder",
  "binder-gpu", "transcript", "seal", "binding", "runtime", "witness", "compute",
  "evidence-policy", "evidence-simulated",
] as const;

export type Label = (typeof LABELS)[number];

const ENCODED = new Map<string, Bytes>(LABELS.map((name) => [name, utf8(`parley/v1/${name}`)]));

export function frame(label: Label, ...parts: readonly Bytes[]): Bytes {
  const name = ENCODED.get(label);
  if (name === undefined) throw new RangeError("a label outside the registry");
  const pieces: Bytes[] = [u64(name.length), name];
  for (const part of parts) pieces.push(u64(part.length), part);
  return concat(...pieces);
}

export function sha256(...parts: readonly Bytes[]): Bytes {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return new Uint8Array(hash.digest());
}

export function digest(label: Label, ...parts: readonly Bytes[]): Bytes {
  return sha256(frame(label, ...parts));
}

export function mac(key: Bytes, label: Label, ...parts: readonly Bytes[]): Bytes {
  demand(key.length === 32, "MALFORMED", "a key of another length than 32 bytes");
  return new Uint8Array(createHmac("sha256", key).update(frame(label, ...parts)).digest());
}
