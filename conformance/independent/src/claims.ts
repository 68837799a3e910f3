// The claims of the terms: metric, graded, identity and compute, and what they may not say together.
import { equal, hex } from "./bytes.js";
import { demand, refuse } from "./errors.js";
import { type Grader, readGrader } from "./graderdoc.js";
import { isObject, type Json, type JsonObject } from "./json.js";
import { Fields, parseRatio, type Ratio } from "./schema.js";

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
export interface ComputeClaim extends Common {
  readonly type: "compute";
  readonly kind: "at-most" | "at-least" | "exclusive" | "devices";
  readonly flop: bigint;
  readonly devices: readonly string[];
  /** Hexadecimal, or empty. */
  readonly run: string;
}

export type Claim = MeasuredClaim | IdentityClaim | ComputeClaim;

const f = new Fields("BAD_TERMS");

export function measuredClaims(terms: { readonly claims: readonly Claim[] }): MeasuredClaim[] {
  return terms.claims.filter((c) => c.type === "metric" || c.type === "graded");
}

export function isList(events: Events): events is readonly Event[] {
  return Array.isArray(events);
}

export function ratio(value: Json | undefined): Ratio {
  return parseRatio(value) ?? refuse("BAD_TERMS", "no ratio");
}

export function alpha(value: Json | undefined): Ratio {
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

/** Names of devices in their one spelling. */
export function readDevices(value: Json | undefined, least: number): readonly string[] {
  return f.ascending(f.list(value, least, 4096).map((device) => f.text(device, 1, 4096)));
}

export function readClaim(value: Json): Claim {
  const common = ["type", "id", "min_assurance"];
  const type = f.oneOf((value as JsonObject | null)?.["type"], ["metric", "graded", "identity", "compute"]);
  const base = (c: JsonObject): Common => ({ id: f.text(c["id"], 1, 64), minAssurance: f.oneOf(c["min_assurance"], ASSURANCES) });
  if (type === "identity") return { type, ...base(f.object(value, common)) };
  if (type === "compute") {
    const c = f.object(value, [...common, "kind", "flop", "devices", "run"]);
    const kind = f.oneOf(c["kind"], ["at-most", "at-least", "exclusive", "devices"]);
    const flop = f.text(c["flop"], 1, 39);
    demand(/^(0|[1-9][0-9]*)$/.test(flop) && BigInt(flop) < 1n << 128n, "BAD_TERMS", "no number of operations");
    const run = c["run"] === "" ? "" : hex(f.digest(c["run"]));
    return { type, ...base(c), kind, flop: BigInt(flop), devices: readDevices(c["devices"], 0), run };
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

export function checkClaims(claims: readonly Claim[], budgets: readonly { readonly stratum: string }[]): void {
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
