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
}

export function thresholdCount(direction: "at-least" | "at-most", r: Ratio, population: bigint): bigint {
  const scaled = r.p * population;
  return direction === "at-least" ? (scaled + r.q - 1n) / r.q : population - scaled / r.q;
}

function compliantTest(plan: Plan): OneSided {
  return new OneSided(plan.population, plan.threshold - 1n, plan.declared === 0n ? null : plan.declared);
}

function violationTest(plan: Plan): OneSided {
  return new OneSided(plan.population, plan.population - plan.threshold, null);
}

/** Whether any results at all could decide the claim within its budget. */
export function decidable(plan: Plan): boolean {
  const { population: F, threshold: K } = plan;
  const n = BigInt(plan.budget);
  const star = plan.declared === 0n ? null : plan.declared;
  return crossesOnSuccesses(F, K - 1n, star, plan.alphaCompliant, n)
    || crossesOnSuccesses(F, F - K, null, plan.alphaViolation, n);
}

/** Runs both tests over the results; stops at the decision, or at `stopAt` units decided or not. */
export function runMetric(plan: Plan, results: readonly Result[], stopAt = results.length): Outcome {
  const compliant = compliantTest(plan);
  const violation = violationTest(plan);
  let decision: Decision | null = null;
  let [counted, successes, failures] = [0, 0, 0];
  let maxCompliant = compliant.evidence();
  let maxViolation = violation.evidence();
  for (const result of results) {
    if (counted >= stopAt || decision !== null) break;
    counted++;
    compliant.observe(result === "1");
    violation.observe(result === "0");
    if (result === "1") {
      successes++;
      maxCompliant = larger(maxCompliant, compliant.evidence());
    } else if (result === "0") {
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
    path: results.slice(0, counted),
  };
}

/** The anytime-valid p-value of the VIOLATION test over all of the results, whatever was decided. */
export function violationP(plan: Plan, results: readonly Result[]): Evidence {
  const test = violationTest(plan);
  let best = test.evidence();
  for (const result of results) {
    test.observe(result === "0");
    if (result === "0") best = larger(best, test.evidence());
    if (best.den === 0n) break;
  }
  return pValue(best);
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

export function countLow(plan: Plan, path: readonly Result[]): bigint {
  const star = plan.declared === 0n ? null : plan.declared;
  return leastUncrossed(plan.population, star, plan.alphaCompliant, path.map((r) => r === "1"));
}

export function countHigh(plan: Plan, path: readonly Result[]): bigint {
  return plan.population - leastUncrossed(plan.population, null, plan.alphaViolation, path.map((r) => r === "0"));
}
