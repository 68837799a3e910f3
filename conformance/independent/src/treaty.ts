// Parts of the terms that not every exercise has: chambers, earlier exercises, the audit of a receipt.
import { type Bytes, hex } from "./bytes.js";
import { type Claim, ratio } from "./claims.js";
import { demand } from "./errors.js";
import type { Json, JsonObject } from "./json.js";
import { Fields, type Ratio } from "./schema.js";

const f = new Fields("BAD_TERMS");
export const NOTICE = "Every further chamber raises integrity and is one more place from which weights and tests could leak.";

export interface Operator { readonly key: Bytes; readonly runBy: "neutral" | "prover" | "verifier"; readonly json: JsonObject }

export interface SealedTerms {
  readonly bits: number;
  readonly handOver: boolean;
  readonly program: boolean;
  readonly quorum: number;
  readonly releaseSeconds: number;
  readonly roundTo: number;
  readonly runs: number;
}

export interface BindingTerms {
  readonly kind: "none" | "chamber";
  readonly operators: readonly Operator[];
  readonly runtime: Bytes | null;
  /** In mode `sealed` and in no other. */
  readonly sealed: SealedTerms | null;
}

export interface Prior { readonly exercise: string; readonly alphaCompliant: Ratio; readonly alphaViolation: Ratio }

export interface Audited {
  readonly exercise: Bytes;
  readonly resultRoot: Bytes;
  readonly counts: readonly number[];
  readonly tolerance: Ratio;
  readonly json: JsonObject;
}

function readSealed(value: Json | undefined): SealedTerms {
  const s = f.object(value, ["bits", "hand_over", "notice", "program", "quorum", "release_seconds", "round_to", "runs"]);
  const quorum = f.integer(s["quorum"], 1, 4);
  demand(s["notice"] === (quorum === 1 ? "" : NOTICE), "BAD_TERMS", "another notice than the quorum asks for");
  const releaseSeconds = f.integer(s["release_seconds"], 0, 2 ** 24);
  demand(releaseSeconds !== 1, "BAD_TERMS", "a release after one second");
  return {
    bits: f.integer(s["bits"], 1, 2 ** 20), handOver: f.boolean(s["hand_over"]), program: f.boolean(s["program"]), quorum, releaseSeconds,
    roundTo: f.integer(s["round_to"], 1, 2 ** 42), runs: f.integer(s["runs"], 1, 2 ** 32),
  };
}

export function readBinding(value: Json | undefined, mode: string): BindingTerms {
  const b = f.object(value, ["kind", "operators"], ["runtime", "sealed"]);
  const kind = f.oneOf(b["kind"], ["none", "chamber"]);
  const operators = f.list(b["operators"], 0, 16).map((operator) => {
    const o = f.object(operator, ["key", "run_by", "reads"]);
    f.ascending(f.list(o["reads"], 0, 2).map((what) => f.oneOf(what, ["tests", "weights"])));
    return { key: f.digest(o["key"]), runBy: f.oneOf(o["run_by"], ["neutral", "prover", "verifier"]), json: o };
  });
  demand(new Set(operators.map((o) => hex(o.key))).size === operators.length, "BAD_TERMS", "an operator that stands twice");
  const runtime = b["runtime"] === undefined ? null : f.digest(b["runtime"]);
  const chamber = kind === "chamber";
  demand((operators.length > 0) === chamber && (runtime !== null) === chamber, "BAD_TERMS", "a binding that contradicts itself");
  demand((b["sealed"] !== undefined) === (mode === "sealed"), "BAD_TERMS", "terms of sealed mode where they do not belong, or none where they do");
  const sealed = b["sealed"] === undefined ? null : readSealed(b["sealed"]);
  demand(sealed === null || (chamber && operators.length >= sealed.quorum), "BAD_TERMS", "fewer operators than the quorum");
  return { kind, operators, runtime, sealed };
}

export function readPrior(value: Json): Prior[] {
  const prior = f.list(value, 1, 64).map((entry) => {
    const e = f.object(entry, ["exercise", "alpha_compliant", "alpha_violation"]);
    return { exercise: hex(f.digest(e["exercise"])), alphaCompliant: ratio(e["alpha_compliant"]), alphaViolation: ratio(e["alpha_violation"]) };
  });
  demand(new Set(prior.map((e) => e.exercise)).size === prior.length, "BAD_TERMS", "an earlier exercise that stands twice");
  return prior;
}

export function readAudited(value: Json, claims: readonly Claim[], mode: string): Audited {
  const a = f.object(value, ["receipt", "exercise", "result_root", "counts", "tolerance"]);
  f.digest(a["receipt"]);
  const counts = f.list(a["counts"], 1, 64).map((count) => f.integer(count, 1, Number.MAX_SAFE_INTEGER));
  const tolerance = ratio(a["tolerance"]);
  demand(tolerance.p < tolerance.q, "BAD_TERMS", "a tolerance of everything");
  const metric = claims.filter((c) => c.type === "metric").length;
  demand(mode === "open" && claims.every((c) => c.type !== "graded") && counts.length === metric, "BAD_TERMS", "an audit of another form");
  return { exercise: f.digest(a["exercise"]), resultRoot: f.digest(a["result_root"]), counts, tolerance, json: a };
}
