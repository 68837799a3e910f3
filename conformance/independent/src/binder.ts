// The binder: what hardware evidence has to sign, so that it speaks of one session and one key.
import { createHash } from "node:crypto";
import { type Bytes, concat, EMPTY, u64 } from "./bytes.js";
import { digest, frame } from "./framing.js";
import { known, type Session } from "./session.js";

export interface BinderParts {
  readonly transcript: Bytes;
  readonly proverNonce: Bytes;
  readonly verifierNonce: Bytes;
  /** Empty for evidence in Accept. */
  readonly hpke: Bytes;
  readonly answering: Bytes;
}

export interface Binder { readonly gpu32: Bytes; readonly bind64: Bytes }

function hash(algorithm: "sha384" | "sha512", bytes: Bytes): Bytes {
  return new Uint8Array(createHash(algorithm).update(bytes).digest());
}

export function bind(p: BinderParts, gpuReports: readonly Bytes[]): Binder {
  const reports = hash("sha384", concat(u64(gpuReports.length), ...gpuReports.flatMap((r) => [u64(r.length), r])));
  return {
    gpu32: digest("binder-gpu", p.transcript, p.proverNonce, p.verifierNonce, p.answering),
    bind64: hash("sha512", frame("binder", p.transcript, p.proverNonce, p.verifierNonce, p.hpke, p.answering, reports)),
  };
}

/** The parts that a session gives, from its first three messages on. */
export function partsOf(s: Session, answering: Bytes, hpke: Bytes = EMPTY): BinderParts {
  const heads = s.slots.slice(0, 3).map((slot) => slot.head);
  return {
    transcript: digest("transcript", ...heads), proverNonce: known(s.prover).nonce, verifierNonce: known(s.verifier).nonce, hpke, answering,
  };
}
