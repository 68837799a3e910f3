// A metric claim over its population: threshold count, decision, derived figures.
import {
  crossesOnSuccesses, type Evidence, larger, OneSided, pValue, reaches,
} from "./frametest.js";
import type { Ratio } from "./schema.js";

export type Decision = "COMPLIANT" | "VIOLATION" | "INCONCLUSIVE";
/** A unit's result for one claim: confirmed success, confirmed failure, or neither. */
export type Result = "1" | "0" | "-";

export interface Plan {
  readonly population: bigint;
  readonly threshold: bigint;
  readonly declared: bigint; // 0 for none
  readonly alphaCompliant: Ratio;
  readonly alphaViolation: Ratio;
  readonly budget: number;
  /** The successes that an audited receipt counts; null outside audits. */
  readonly claimed: bigint | null;
}

export interface Outcome {
  readonly decision: Decision | null;
  readonly counted: number;
  readonly successes: number;
  readonly failures: number;
  readonly maxCompliant: Evidence;
  readonly maxViolation: Evidence;
  readonly lastCompliant: Evidence;
  readonly lastViolation: Evidence;
  readonly path: readonly Result[];
  /** For each of these units, whether it is a success of the COMPLIANT test. */
  readonly good: readonly boolean[];
}

export function thresholdCount(direction: "at-least" | "at-most", r: Ratio, population: bigint): bigint {
  const scaled = r.p * population;
  return direction === "at-least" ? (scaled + r.q - 1n) / r.q : population - scaled / r.q;
}

/** The null hypothesis of the COMPLIANT test and the point that it is mixed with. */
function against(plan: Plan): { K0: bigint; star: bigint | null } {
  const { population: F, threshold: K, declared, claimed } = plan;
  if (claimed !== null) return { K0: F - claimed + K - 1n, star: F };
  return { K0: K - 1n, star: declared === 0n ? null : declared };
}

function compliantTest(plan: Plan): OneSided {
  const { K0, star } = against(plan);
  return new OneSided(plan.population, K0, star);
}

function violationTest(plan: Plan): OneSided {
  return new OneSided(plan.population, plan.population - plan.threshold, null);
}

/** Whether any results at all could decide the claim within its budget. */
export function decidable(plan: Plan): boolean {
  const { population: F, threshold: K } = plan;
  const n = BigInt(plan.budget);
  const { K0, star } = against(plan);
  return crossesOnSuccesses(F, K0, star, plan.alphaCompliant, n)
    || crossesOnSuccesses(F, F - K, null, plan.alphaViolation, n);
}

/** What a receipt claims of each unit: whether it is a success; empty outside audits. */
export type ClaimedResults = readonly boolean[];

/** Whether a unit is a success of the COMPLIANT test: confirmed, or in an audit not overstated. */
function isGood(plan: Plan, result: Result, claimed: boolean | undefined): boolean {
  return result === "1" || (plan.claimed !== null && claimed === false);
}

/** Runs both tests over the results; stops at the decision, or at `stopAt` units decided or not. */
export function runMetric(plan: Plan, results: readonly Result[], claimed: ClaimedResults = [], stopAt = results.length): Outcome {
  const good = results.map((result, i) => isGood(plan, result, claimed[i]));
  const compliant = compliantTest(plan);
  const violation = violationTest(plan);
  let decision: Decision | null = null;
  let [counted, successes, failures] = [0, 0, 0];
  let maxCompliant = compliant.evidence();
  let maxViolation = violation.evidence();
  for (const result of results) {
    if (counted >= stopAt || decision !== null) break;
    const helps = good[counted] ?? false;
    counted++;
    compliant.observe(helps);
    violation.observe(result === "0");
    if (helps) maxCompliant = larger(maxCompliant, compliant.evidence());
    if (result === "1") successes++;
    if (result === "0") {
      failures++;
      maxViolation = larger(maxViolation, violation.evidence());
    }
    const c = reaches(compliant.evidence(), plan.alphaCompliant);
    const v = reaches(violation.evidence(), plan.alphaViolation);
    if (c && v) decision = "INCONCLUSIVE";
    else if (c) decision = "COMPLIANT";
    else if (v) decision = "VIOLATION";
    else if (counted >= plan.budget) decision = "INCONCLUSIVE";
  }
  return {
    decision, counted, successes, failures, maxCompliant, maxViolation,
    lastCompliant: compliant.evidence(), lastViolation: violation.evidence(),
    path: results.slice(0, counted), good: good.slice(0, counted),
  };
}

/** The greatest evidence after a success, and whether it ever reaches the risk. */
function over(test: OneSided, successes: readonly boolean[]): Evidence {
  let best = test.evidence();
  for (const success of successes) {
    test.observe(success);
    if (success) best = larger(best, test.evidence());
    if (best.den === 0n) break;
  }
  return best;
}

/** The anytime-valid p-value of the VIOLATION test over all of the results, whatever was decided. */
export function violationP(plan: Plan, results: readonly Result[]): Evidence {
  return pValue(over(violationTest(plan), results.map((r) => r === "0")));
}

export type Integrity = "INTACT" | "WITHIN-TOLERANCE" | "BREACHED";

export interface Comparison { readonly mismatches: number; readonly tolerated: bigint; readonly integrity: Integrity; readonly p: Evidence }

/** Whether the claimed results of all challenged units are true, within the tolerance of the terms. */
export function compareResults(plan: Plan, results: readonly Result[], claimed: ClaimedResults, tolerance: Ratio): Comparison {
  const tolerated = (tolerance.p * plan.population) / tolerance.q;
  const wrong = results.map((result, i) => result !== "-" && (result === "1") !== claimed[i]);
  const best = over(new OneSided(plan.population, tolerated, null), wrong);
  const mismatches = wrong.filter(Boolean).length;
  const breached = reaches(best, plan.alphaViolation);
  return { mismatches, tolerated, integrity: breached ? "BREACHED" : mismatches > 0 ? "WITHIN-TOLERANCE" : "INTACT", p: pValue(best) };
}

function crossesOn(F: bigint, K0: bigint, star: bigint | null, alpha: Ratio, path: readonly boolean[]): boolean {
  if (K0 >= F) return false;
  const test = new OneSided(F, K0, star);
  for (const success of path) {
    test.observe(success);
    if (success && reaches(test.evidence(), alpha)) return true;
  }
  return false;
}

/** The least K0 in s..F whose test does not cross after any success of the path. */
export function leastUncrossed(F: bigint, star: bigint | null, alpha: Ratio, path: readonly boolean[]): bigint {
  let low = BigInt(path.filter(Boolean).length);
  let high = F;
  while (low < high) {
    const middle = (low + high) / 2n;
    if (crossesOn(F, middle, star, alpha, path)) low = middle + 1n;
    else high = middle;
  }
  return low;
}

/** The same by its definition, for tests. */
export function leastUncrossedByScan(F: bigint, star: bigint | null, alpha: Ratio, path: readonly boolean[]): bigint {
  let k0 = BigInt(path.filter(Boolean).length);
  while (crossesOn(F, k0, star, alpha, path)) k0++;
  return k0;
}

export function countLow(plan: Plan, { good, successes }: Outcome): bigint {
  const { population: F, claimed } = plan;
  const low = leastUncrossed(F, against(plan).star, plan.alphaCompliant, good);
  if (claimed === null) return low;
  const shown = claimed - (F - low);
  return shown > BigInt(successes) ? shown : BigInt(successes);
}

export function countHigh(plan: Plan, { path }: Outcome): bigint {
  return plan.population - leastUncrossed(plan.population, null, plan.alphaViolation, path.map((r) => r === "0"));
}
