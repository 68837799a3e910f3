// The verdict statement, derived from a session and from nothing else.
import { hex } from "./bytes.js";
import type { Assurance, MeasuredClaim } from "./claims.js";
import { judgeCompute } from "./computeclaims.js";
import { spentJson } from "./spent.js";
import { type Evidence, pValue, printP } from "./frametest.js";
import { type Added, gradedViolationP, runGraded, totalHigh, totalLow } from "./graded.js";
import type { Json, JsonObject } from "./json.js";
import {
  compareResults, type Comparison, countHigh, countLow, type Decision, type Integrity, type Outcome, type Result, runMetric, violationP,
} from "./metric.js";
import type { ClaimResults, GradedResults, MetricResults } from "./results.js";
import { below, FIXED, reasons, type Verdict, verdictStatement } from "./levels.js";
import { known, type Session } from "./session.js";

const OPEN_AGAIN = "nothing is decided once outputs that do not come out again count as failures";
const RESULTS_FALSE = "more results of the receipt are false than tolerated: only a poll over all units shows compliance";
const ONLY_OWN_WORD = "nothing but the prover's own program shows which weights answered";

interface Judged { readonly json: Json; readonly verdict: Decision }

function assuranceOf(s: Session): Assurance {
  return s.binding !== null && s.binding.operator.runBy !== "prover" ? "re-executed" : "declared";
}

/** Whether an answered item of the unit did not come out again. */
function unlike(s: Session, places: readonly number[]): boolean {
  const reproduced = s.binding?.reproduced ?? "";
  return places.every((n) => reproduced[n] !== "-") && places.some((n) => reproduced[n] === "0");
}

/** Results in which an answered unit that was not reproduced is a failure. */
function metricAgain(s: Session, c: MetricResults): readonly Result[] {
  return c.results.map((result, i) => (unlike(s, known(c.units[i])) ? "0" : result));
}

function gradedAgain(s: Session, c: GradedResults): readonly Added[] {
  return c.results.map((added, i) => (unlike(s, known(c.units[i])) ? 0n : added));
}

function comparison(s: Session, c: ClaimResults): Comparison | null {
  const { audited } = known(s.terms);
  if (c.kind === "graded" || audited === null) return null;
  return compareResults(c.measured.plan, metricAgain(s, c), c.claimed, audited.tolerance);
}

function comparisonJson(s: Session, c: MetricResults, o: Outcome): { comparison?: Json } {
  const found = comparison(s, c);
  if (found === null) return {};
  const { mismatches, tolerated, integrity, p } = found;
  const overstated = o.good.filter((good) => !good).length;
  return {
    comparison: {
      claimed: Number(known(c.measured.plan.claimed)), overstated, mismatches, tolerated: Number(tolerated), integrity, p_integrity_at_most: printP(p),
    },
  };
}

const WORDS: readonly Integrity[] = ["INTACT", "WITHIN-TOLERANCE", "BREACHED"];

function auditJson(s: Session, claims: readonly ClaimResults[]): { audited?: Json; integrity?: Json } {
  const { audited } = known(s.terms);
  if (audited === null) return {};
  const worst = Math.max(...claims.map((c) => WORDS.indexOf(known(comparison(s, c)).integrity)));
  return { audited: audited.json, integrity: known(WORDS[worst]) };
}

function figures(s: Session, c: ClaimResults): { decision: Decision | null; own: JsonObject } {
  const again = s.binding !== null;
  if (c.kind === "graded") {
    const { plan } = c.measured;
    const o = again ? runGraded(plan, gradedAgain(s, c), c.first.counted) : c.first;
    return {
      decision: o.decision,
      own: {
        population: Number(plan.population), top: Number(plan.top), threshold_total: Number(plan.threshold), counted: o.counted,
        total: Number(o.total), total_low: Number(totalLow(plan, o.path)), total_high: Number(totalHigh(plan, o.path)),
        p_compliant_at_most: printP(o.pCompliant), p_violation_at_most: printP(o.pViolation),
      },
    };
  }
  const { plan } = c.measured;
  const o = again ? runMetric(plan, metricAgain(s, c), c.claimed, c.first.counted) : c.first;
  return {
    decision: o.decision,
    own: {
      population: Number(plan.population), threshold_count: Number(plan.threshold), declared_count: Number(plan.declared),
      counted: o.counted, successes: o.successes, failures: o.failures,
      count_low: Number(countLow(plan, o)), count_high: Number(countHigh(plan, o)),
      p_compliant_at_most: printP(pValue(o.maxCompliant)), p_violation_at_most: printP(pValue(o.maxViolation)),
      ...comparisonJson(s, c, o),
    },
  };
}

function measuredJson(s: Session, c: ClaimResults, assurance: Assurance): Judged {
  const { claim } = c.measured;
  const { decision, own } = figures(s, c);
  const test = decision ?? "INCONCLUSIVE";
  const breached = test === "COMPLIANT" && comparison(s, c)?.integrity === "BREACHED";
  const because = [...reasons(claim, test, assurance), ...(breached ? [RESULTS_FALSE] : [])];
  const verdict = because.length > 0 ? "INCONCLUSIVE" : test;
  const undecided = s.binding !== null && decision === null ? [OPEN_AGAIN] : [];
  return { json: { id: claim.id, type: claim.type, verdict, test, because: [...because, ...undecided], ...own }, verdict };
}

function claimP(s: Session, c: ClaimResults): Evidence {
  return c.kind === "metric" ? violationP(c.measured.plan, metricAgain(s, c)) : gradedViolationP(c.measured.plan, gradedAgain(s, c));
}

function identity(s: Session): { verdict: Decision; because: string[] } {
  const { binding } = s;
  if (binding === null || binding.operator.runBy === "prover") return { verdict: "INCONCLUSIVE", because: [ONLY_OWN_WORD] };
  const count = (c: string): number => binding.reproduced.split(c).length - 1;
  const [same, other] = [count("1"), count("0")];
  if (other > 0) {
    const sentence = `${other} of ${same + other} outputs do not come out of the registered weights under the terms' runtime`;
    return { verdict: "VIOLATION", because: [sentence] };
  }
  return same === 0 ? { verdict: "INCONCLUSIVE", because: ["no unit was answered"] } : { verdict: "COMPLIANT", because: [] };
}

function smaller(a: Evidence, b: Evidence): boolean {
  return a.num * b.den < b.num * a.den;
}

/** Places of the claims that Holm's procedure accuses at the least risk of all metric claims. */
function accused(s: Session, claims: readonly ClaimResults[]): Set<number> {
  const ps = claims.map((c, i) => ({
    i, p: claimP(s, c),
  }));
  let least = known(claims[0]).measured.plan.alphaViolation;
  for (const { measured } of claims) {
    const a = measured.plan.alphaViolation;
    if (a.p * least.q < least.p * a.q) least = a;
  }
  ps.sort((a, b) => (smaller(a.p, b.p) ? -1 : smaller(b.p, a.p) ? 1 : a.i - b.i));
  const out = new Set<number>();
  for (const [rank, { i, p }] of ps.entries()) {
    // The adjusted values only grow, so the first one above the risk ends the list.
    if (BigInt(ps.length - rank) * p.num * least.q > least.p * p.den) break;
    out.add(i);
  }
  return out;
}

function metricPart(s: Session, claims: readonly ClaimResults[], verdicts: readonly Decision[]): Decision {
  const found = accused(s, claims);
  const all = verdicts.every((v) => v === "COMPLIANT");
  if (found.size > 0 && !all) return [...found].some((i) => verdicts[i] === "VIOLATION") ? "VIOLATION" : "INCONCLUSIVE";
  return all && found.size === 0 ? "COMPLIANT" : "INCONCLUSIVE";
}

function bindingJson(s: Session): { binding?: Json } {
  const b = s.binding;
  if (b === null) return {};
  const count = (c: string): number => b.reproduced.split(c).length - 1;
  return {
    binding: {
      statement: hex(b.digest), operator: b.operator.json, runtime: hex(b.runtime), execution_class: b.executionClass,
      sandbox: b.sandbox, reproduced: count("1"), not_reproduced: count("0"), unanswered: count("-"),
    },
  };
}

export function deriveVerdict(s: Session): Verdict {
  const terms = known(s.terms);
  const results = known(s.results);
  const assurance = assuranceOf(s);
  const own = identity(s);
  const judged = new Map<MeasuredClaim, Judged>();
  for (const c of results.claims) judged.set(c.measured.claim, measuredJson(s, c, assurance));
  const others: Decision[] = [];
  const claims = terms.claims.map((claim): Json => {
    if (claim.type === "metric" || claim.type === "graded") return known(judged.get(claim)).json;
    const compute = claim.type === "compute" ? judgeCompute(claim, s.records, s.appraised, terms.inventory) : null;
    const { verdict: first, because } = compute ?? own;
    const sentence = first === "COMPLIANT" ? below(claim.minAssurance, assurance) : null;
    const verdict = sentence === null ? first : "INCONCLUSIVE";
    others.push(verdict);
    const common = { id: claim.id, type: claim.type, verdict, because: sentence === null ? [...because] : [...because, sentence] };
    return compute === null ? common : { ...common, flop_on_record: String(compute.flop) };
  });
  const parts = [metricPart(s, results.claims, [...judged.values()].map((j) => j.verdict)), ...others];
  const overall: Decision = parts.includes("VIOLATION") ? "VIOLATION"
    : parts.every((v) => v === "COMPLIANT") ? "COMPLIANT" : "INCONCLUSIVE";
  const predicate = {
    exercise: hex(terms.exercise), session: hex(s.sessionId), terms: hex(terms.digest), model_claim: hex(terms.modelClaim),
    seed: hex(known(s.seed)), attempt: s.attempt, mode: s.mode, assurance, roots: [], claims,
    identity: own.verdict, overall, opened: new Set(s.challenged.map((u) => u.item)).size,
    not_concluded: [...FIXED, ...terms.notConcluded], ...bindingJson(s), ...auditJson(s, results.claims), ...spentJson(terms),
  };
  return verdictStatement(terms, predicate, overall);
}
