// Refusals: a reason of the error table, the party that signed bytes blame, and words for people.

export type Party = "verifier" | "prover";

export const REASONS = [
  "MALFORMED", "TOO_LARGE", "NOT_CANONICAL", "UNKNOWN_FIELD", "BAD_SIGNATURE", "BAD_KEY",
  "UNKNOWN_PARTY", "KEY_NOT_CERTIFIED", "CHANNEL_MISMATCH", "OUT_OF_ORDER", "WRONG_SESSION",
  "WRONG_SEQUENCE", "WRONG_PREVIOUS", "EQUIVOCATION", "HEAD_MISMATCH", "UNSUPPORTED_VERSION",
  "UNSUPPORTED", "SESSION_LIMIT", "ABORTED", "TIMEOUT", "UNDELIVERED", "BAD_PROMPT", "CLAIM_VOID", "CLAIM_EARLY", "BAD_PROOF",
  "BAD_OPENING", "STREAM_MISMATCH", "BLOB_MISMATCH", "OVER_CAP", "BAD_SEAL", "BAD_TERMS",
  "WRONG_TERMS", "BAD_ATTEMPT", "BAD_COIN", "BAD_COUNT", "WRONG_INDEX", "WRONG_UNITS",
  "OVER_BUDGET", "STOP_TOO_EARLY", "STOP_TOO_LATE", "BAD_BINDING", "BAD_CUSTODY", "WRONG_VERDICT",
  "WRONG_RESULT_BITS", "DECLINED", "BAD_STATEMENT", "BAD_REGISTRATION", "BAD_MODEL_CLAIM",
  "BAD_RUNTIME", "BAD_RECEIPT", "BAD_EVIDENCE", "BAD_CHECKPOINT", "BAD_COSIGNATURE",
  "BUDGET_EXHAUSTED", "QUOTA_EXHAUSTED", "CONFIG", "CORRUPT", "MISSING_EXTRA", "ENGINE",
  "BOX_TIME", "BOX_OUTPUT", "BOX_FAILED", "PICKLED", "UNREACHABLE", "CLOCK", "INTERNAL",
] as const;

export type Reason = (typeof REASONS)[number];

export function isReason(text: string): text is Reason {
  return (REASONS as readonly string[]).includes(text);
}

export class Refusal extends Error {
  override readonly name = "Refusal";

  constructor(
    readonly reason: Reason,
    readonly detail: string,
    readonly blamed: Party | null = null,
  ) {
    super(`${reason}: ${detail}`);
  }

  /** The same refusal, blaming another party or nobody. */
  blaming(party: Party | null): Refusal {
    return new Refusal(this.reason, this.detail, party);
  }
}

export function refuse(reason: Reason, detail: string): never {
  throw new Refusal(reason, detail);
}

export function demand(condition: boolean, reason: Reason, detail: string): asserts condition {
  if (!condition) throw new Refusal(reason, detail);
}
