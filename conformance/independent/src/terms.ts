// Terms: the treaty of one exercise, read from the statement that the verifier's session key signed.
import { type Bytes, equal, hex } from "./bytes.js";
import { demand, refuse } from "./errors.js";
import { digest } from "./framing.js";
import { type Grader, readGrader } from "./graderdoc.js";
import { isObject, type Json, type JsonObject } from "./json.js";
import type { Ranges } from "./population.js";
import { MAX_CONTENT } from "./registration.js";
import { Fields, parseRatio, type Ratio } from "./schema.js";
import { hasSubject, predicateType, type Statement } from "./statement.js";

export const ASSURANCES = ["declared", "re-executed", "neutral-operator", "attested", "proven"] as const;
export type Assurance = (typeof ASSURANCES)[number];
const EVENTS = ["pass", "fail", "refuse", "invalid"] as const;
export type Event = (typeof EVENTS)[number];

interface Common { readonly id: string; readonly minAssurance: Assurance }

export interface MetricClaim extends Common {
  readonly type: "metric";
  readonly stratum: string;
  readonly grader: Grader;
  readonly events: Events;
  readonly direction: "at-least" | "at-most";
  readonly threshold: Ratio;
  readonly alphaCompliant: Ratio;
  readonly alphaViolation: Ratio;
}

/** A list, or in a set of pairs a list for one or both members. */
export type Events = readonly Event[] | ReadonlyMap<string, readonly Event[]>;

export interface GradedClaim extends Common {
  readonly type: "graded";
  readonly stratum: string;
  readonly grader: Grader;
  readonly top: number;
  readonly direction: "at-least" | "at-most";
  readonly threshold: Ratio;
  readonly alphaCompliant: Ratio;
  readonly alphaViolation: Ratio;
}

export type MeasuredClaim = MetricClaim | GradedClaim;

export interface IdentityClaim extends Common { readonly type: "identity" }
export interface ComputeClaim extends Common { readonly type: "compute" }
export type Claim = MeasuredClaim | IdentityClaim | ComputeClaim;

export interface Operator { readonly key: Bytes; readonly runBy: "neutral" | "prover" | "verifier"; readonly json: JsonObject }
export interface Budget { readonly stratum: string; readonly units: number }

export interface Terms {
  readonly digest: Bytes;
  readonly exercise: Bytes;
  readonly title: string;
  readonly mode: string;
  readonly prover: Bytes;
  readonly verifier: Bytes;
  readonly set: { readonly statement: Bytes; readonly root: Bytes; readonly size: number; readonly excluded: Ranges };
  readonly modelClaim: Bytes;
  readonly claims: readonly Claim[];
  readonly samples: number;
  readonly batch: number;
  readonly budgets: readonly Budget[];
  readonly caps: { readonly prompt: number; readonly reference: number; readonly output: number; readonly turn: number };
  readonly deadlines: { readonly answer: number; readonly turn: number };
  readonly witnesses: { readonly keys: readonly Bytes[]; readonly threshold: number; readonly unreachable: string };
  readonly binding: { readonly kind: "none" | "chamber"; readonly operators: readonly Operator[]; readonly runtime: Bytes | null };
  readonly qualifiers: readonly Bytes[];
  readonly policy: boolean;
  readonly inventory: boolean;
  readonly notConcluded: readonly string[];
}

const f = new Fields("BAD_TERMS");

export function measuredClaims(terms: Pick<Terms, "claims">): MeasuredClaim[] {
  return terms.claims.filter((c) => c.type === "metric" || c.type === "graded");
}

export function isList(events: Events): events is readonly Event[] {
  return Array.isArray(events);
}

function ratio(value: Json | undefined): Ratio {
  return parseRatio(value) ?? refuse("BAD_TERMS", "no ratio");
}

function alpha(value: Json | undefined): Ratio {
  const r = ratio(value);
  demand(r.p > 0n && 2n * r.p <= r.q, "BAD_TERMS", "a risk out of bounds");
  return r;
}

function readAnyEvents(value: Json | undefined): Events {
  if (!isObject(value)) return readEvents(value);
  const names = Object.keys(value);
  demand(names.length >= 1 && names.length <= 2, "BAD_TERMS", "events of no member");
  return new Map(names.sort().map((name) => [f.text(name, 1, 64), readEvents(value[name])] as const));
}

function readEvents(value: Json | undefined): Event[] {
  const events = f.list(value, 1, 3).map((event) => f.oneOf(event, EVENTS));
  for (let i = 1; i < events.length; i++) {
    demand(EVENTS.indexOf(events[i - 1] as Event) < EVENTS.indexOf(events[i] as Event), "BAD_TERMS", "events out of order");
  }
  return events;
}

function readClaim(value: Json): Claim {
  const common = ["type", "id", "min_assurance"];
  const type = f.oneOf((value as JsonObject | null)?.["type"], ["metric", "graded", "identity", "compute"]);
  const base = (c: JsonObject): Common => ({ id: f.text(c["id"], 1, 64), minAssurance: f.oneOf(c["min_assurance"], ASSURANCES) });
  if (type === "identity") return { type, ...base(f.object(value, common)) };
  if (type === "compute") {
    const c = f.object(value, [...common, "kind", "flop", "devices", "run"]);
    f.oneOf(c["kind"], ["at-most", "at-least", "exclusive", "devices"]);
    const flop = f.text(c["flop"], 1, 39);
    demand(/^(0|[1-9][0-9]*)$/.test(flop) && BigInt(flop) < 1n << 128n, "BAD_TERMS", "no number of operations");
    f.list(c["devices"], 0, 4096).forEach((d) => f.text(d, 1, 4096));
    if (c["run"] !== "") f.digest(c["run"]);
    return { type, ...base(c) };
  }
  const c = f.object(value, [
    ...common, "stratum", "grader", "direction", "threshold", "alpha_compliant", "alpha_violation",
    ...(type === "metric" ? ["events"] : []),
  ]);
  const threshold = ratio(c["threshold"]);
  demand(threshold.p <= threshold.q, "BAD_TERMS", "a threshold above 1");
  const grader = readGrader(c["grader"], "BAD_TERMS");
  const rest = {
    ...base(c), stratum: f.text(c["stratum"], 0, 64), grader, threshold,
    direction: f.oneOf(c["direction"], ["at-least", "at-most"]),
    alphaCompliant: alpha(c["alpha_compliant"]), alphaViolation: alpha(c["alpha_violation"]),
  };
  if (type === "metric") return { type, ...rest, events: readAnyEvents(c["events"]) };
  demand(grader.rule.kind === "checklist", "BAD_TERMS", "a grader that gives no points");
  return { type, ...rest, top: grader.rule.points };
}

function readExcluded(value: Json | undefined, size: number): Ranges {
  let end = 0;
  return f.list(value, 0, 4096).map((run) => {
    const [start, count] = f.list(run, 2, 2);
    const from = f.integer(start, end, size - 1);
    const n = f.integer(count, 1, size - from);
    end = from + n;
    return [BigInt(from), BigInt(end)] as const;
  });
}

function sortedTexts(value: Json | undefined, least: number, most: number, allowed: readonly string[] | null): string[] {
  const texts = f.list(value, least, most).map((t) => (allowed === null ? f.text(t, 1, 4096) : f.oneOf(t, allowed)));
  for (let i = 1; i < texts.length; i++) demand((texts[i - 1] as string) < (texts[i] as string), "BAD_TERMS", "a list out of order");
  return texts;
}

function readBinding(value: Json | undefined): Terms["binding"] {
  const b = f.object(value, ["kind", "operators"], ["runtime"]);
  const kind = f.oneOf(b["kind"], ["none", "chamber"]);
  const operators = f.list(b["operators"], 0, 16).map((operator) => {
    const o = f.object(operator, ["key", "run_by", "reads"]);
    sortedTexts(o["reads"], 0, 2, ["tests", "weights"]);
    return { key: f.digest(o["key"]), runBy: f.oneOf(o["run_by"], ["neutral", "prover", "verifier"]), json: o };
  });
  demand(new Set(operators.map((o) => hex(o.key))).size === operators.length, "BAD_TERMS", "an operator that stands twice");
  const runtime = b["runtime"] === undefined ? null : f.digest(b["runtime"]);
  const chamber = kind === "chamber";
  demand((operators.length > 0) === chamber && (runtime !== null) === chamber, "BAD_TERMS", "a binding that contradicts itself");
  return { kind, operators, runtime };
}

function readWitnesses(value: Json | undefined): Terms["witnesses"] {
  const w = f.object(value, ["keys", "threshold", "unreachable"]);
  const keys = f.list(w["keys"], 0, 16).map((k) => f.digest(k));
  demand(new Set(keys.map(hex)).size === keys.length, "BAD_TERMS", "a witness that stands twice");
  return {
    keys, threshold: f.integer(w["threshold"], Math.min(1, keys.length), keys.length), unreachable: f.oneOf(w["unreachable"], ["pause", "unwitnessed"]),
  };
}

function checkClaims(claims: readonly Claim[], budgets: readonly Budget[]): void {
  demand(new Set(claims.map((c) => c.id)).size === claims.length, "BAD_TERMS", "a claim that stands twice");
  const metric = measuredClaims({ claims });
  const eventsOf = (c: MeasuredClaim): string =>
    (c.type === "graded" ? "graded" : isList(c.events) ? c.events.join() : JSON.stringify([...c.events]));
  demand(metric.length > 0, "BAD_TERMS", "no metric claim");
  const named = new Set(metric.map((c) => c.stratum));
  const budgeted = new Set(budgets.map((b) => b.stratum));
  demand(budgeted.size === budgets.length && named.size === budgeted.size && [...named].every((s) => budgeted.has(s)),
    "BAD_TERMS", "budgets for other strata than the claims'");
  demand(!named.has("") || named.size === 1, "BAD_TERMS", "the whole set beside strata");
  for (const a of metric) {
    for (const b of metric) {
      const same = a.stratum === b.stratum && equal(a.grader.digest, b.grader.digest) && eventsOf(a) === eventsOf(b);
      const above = a.threshold.p * b.threshold.q > b.threshold.p * a.threshold.q;
      demand(!(same && a.direction === "at-least" && b.direction === "at-most" && above), "BAD_TERMS", "claims that exclude each other");
    }
  }
}

function readCaps(value: Json | undefined): Terms["caps"] {
  const c = f.object(value, ["prompt_bytes", "reference_bytes", "output_bytes", "turn_bytes"]);
  const read = (name: string): number => f.integer(c[name], 1, MAX_CONTENT - 32);
  const caps = { prompt: read("prompt_bytes"), reference: read("reference_bytes"), output: read("output_bytes"), turn: read("turn_bytes") };
  demand(Math.max(caps.prompt, caps.reference, caps.output) + 32 <= caps.turn, "BAD_TERMS", "a cap above that of a turn");
  return caps;
}

function readPlan(value: Json | undefined): Pick<Terms, "samples" | "batch" | "budgets"> {
  const plan = f.object(value, ["samples", "batch", "budgets"]);
  const budgets = f.list(plan["budgets"], 1, 64).map((budget) => {
    const b = f.object(budget, ["stratum", "units"]);
    return { stratum: f.text(b["stratum"], 0, 64), units: f.integer(b["units"], 1, 2 ** 42) };
  });
  return { samples: f.integer(plan["samples"], 1, 1024), batch: f.integer(plan["batch"], 1, 1024), budgets };
}

export function readTerms(statement: Statement): Terms {
  demand(statement.type === predicateType("terms"), "BAD_TERMS", "no terms");
  const p = f.object(statement.predicate, [
    "nonce", "title", "mode", "parties", "test_set", "model_claim", "system", "claims", "plan", "caps", "deadlines",
    "witnesses", "consequences", "binding", "qualifiers", "evidence_policy", "inventory", "scope",
  ]);
  f.digest(p["nonce"]);
  const parties = f.object(p["parties"], ["prover", "verifier"]);
  const [prover, verifier] = [f.digest(parties["prover"]), f.digest(parties["verifier"])];
  demand(!equal(prover, verifier), "BAD_TERMS", "one party on both sides");
  const set = f.object(p["test_set"], ["statement", "root", "size", "excluded"]);
  const size = f.integer(set["size"], 1, 2 ** 32);
  const root = f.digest(set["root"]);
  demand(hasSubject(statement, "test-set", root), "BAD_TERMS", "another subject");
  const system = f.object(p["system"], ["scaffold", "runtime", "decoding"]);
  for (const name of ["scaffold", "runtime", "decoding"]) f.text(system[name], 1, 2000);
  const claims = f.list(p["claims"], 1, 64).map(readClaim);
  const plan = readPlan(p["plan"]);
  checkClaims(claims, plan.budgets);
  const deadlines = f.object(p["deadlines"], ["answer_seconds", "turn_seconds"]);
  const consequences = f.object(p["consequences"], ["prover_default", "verifier_default"]);
  f.text(consequences["prover_default"], 1, 4096);
  f.text(consequences["verifier_default"], 1, 4096);
  const qualifiers = f.list(p["qualifiers"], 0, 16).map((q) => f.digest(q));
  if (p["evidence_policy"] !== null) demand(typeof p["evidence_policy"] === "object", "BAD_TERMS", "no policy");
  if (p["inventory"] !== null) {
    const inventory = f.object(p["inventory"], ["devices", "start", "end"]);
    sortedTexts(inventory["devices"], 1, 4096, null);
    f.integer(inventory["end"], f.integer(inventory["start"], 0, 2 ** 42), 2 ** 42);
  }
  const scope = f.object(p["scope"], ["construct", "sampling_frame", "not_concluded"]);
  f.text(scope["construct"], 1, 4096);
  f.text(scope["sampling_frame"], 1, 4096);
  return {
    digest: statement.digest,
    exercise: digest("exercise", statement.payload),
    title: f.text(p["title"], 1, 200),
    mode: f.text(p["mode"], 1, 32),
    prover, verifier,
    set: { statement: f.digest(set["statement"]), root, size, excluded: readExcluded(set["excluded"], size) },
    modelClaim: f.digest(p["model_claim"]),
    claims,
    ...plan,
    caps: readCaps(p["caps"]),
    deadlines: { answer: f.integer(deadlines["answer_seconds"], 1, 2 ** 24), turn: f.integer(deadlines["turn_seconds"], 1, 2 ** 24) },
    witnesses: readWitnesses(p["witnesses"]),
    binding: readBinding(p["binding"]),
    qualifiers,
    policy: p["evidence_policy"] !== null,
    inventory: p["inventory"] !== null,
    notConcluded: f.list(scope["not_concluded"], 1, 64).map((s) => f.text(s, 1, 4096)),
  };
}
