// Graded claims: seven integer bets on the total of bounded scores, one unit at a time.
import type { Evidence } from "./frametest.js";
import type { Decision } from "./metric.js";
import type { Ratio } from "./schema.js";

const BETS = [1n, 2n, 4n, 8n, 16n, 24n, 30n] as const;
const START = 1n << 64n;
const WHOLE = 7n * START;

export interface GradedPlan {
  readonly population: bigint;
  readonly top: bigint;
  readonly threshold: bigint;
  readonly alphaCompliant: Ratio;
  readonly alphaViolation: Ratio;
  readonly budget: number;
}

/** What a unit adds, 0 to top; null where it was not answered. */
export type Added = bigint | null;

export interface GradedOutcome {
  readonly decision: Decision | null;
  readonly counted: number;
  readonly total: bigint;
  readonly pCompliant: Evidence;
  readonly pViolation: Evidence;
  readonly betsCompliant: readonly bigint[];
  readonly betsViolation: readonly bigint[];
  readonly path: readonly Added[];
}

export function thresholdTotal(direction: "at-least" | "at-most", r: Ratio, population: bigint, top: bigint): bigint {
  const all = population * top;
  return direction === "at-least" ? (r.p * all + r.q - 1n) / r.q : all - (r.p * all) / r.q;
}

/** The test against "the total of F scores is at most T0". */
export class TotalTest {
  private weights: bigint[] = BETS.map(() => START);
  private units = 0n;
  private sum = 0n;
  private greatest = WHOLE;

  constructor(private readonly F: bigint, private readonly t0: bigint) {}

  observe(score: bigint): void {
    this.units++;
    const room = this.t0 - this.sum;
    const left = this.F - this.units + 1n;
    this.weights = this.weights.map((w, i) => {
      const c = BETS[i] as bigint;
      return room > 0n ? (w * ((32n - c) * room + c * score * left)) / (32n * room) : (w * (32n - c)) / 32n;
    });
    this.sum += score;
    const now = this.together();
    if (now > this.greatest) this.greatest = now;
  }

  crosses(alpha: Ratio): boolean {
    return this.sum > this.t0 || this.together() * alpha.p >= WHOLE * alpha.q;
  }

  bets(): readonly bigint[] {
    return this.weights;
  }

  p(): Evidence {
    return this.sum > this.t0 ? { num: 0n, den: 1n } : { num: WHOLE, den: this.greatest };
  }

  private together(): bigint {
    return this.weights.reduce((sum, w) => sum + w, 0n);
  }
}

const adds = (a: Added): bigint => a ?? 0n;

function misses(plan: GradedPlan, a: Added): bigint {
  return a === null ? 0n : plan.top - a;
}

function tests(plan: GradedPlan): { compliant: TotalTest; violation: TotalTest } {
  const all = plan.population * plan.top;
  return {
    compliant: new TotalTest(plan.population, plan.threshold - 1n), violation: new TotalTest(plan.population, all - plan.threshold),
  };
}

export function runGraded(plan: GradedPlan, path: readonly Added[], stopAt = path.length): GradedOutcome {
  const { compliant, violation } = tests(plan);
  let decision: Decision | null = null;
  let counted = 0;
  let total = 0n;
  for (const added of path) {
    if (counted >= stopAt || decision !== null) break;
    counted++;
    total += adds(added);
    compliant.observe(adds(added));
    violation.observe(misses(plan, added));
    const [c, v] = [compliant.crosses(plan.alphaCompliant), violation.crosses(plan.alphaViolation)];
    if (c && v) decision = "INCONCLUSIVE";
    else if (c) decision = "COMPLIANT";
    else if (v) decision = "VIOLATION";
    else if (counted >= plan.budget) decision = "INCONCLUSIVE";
  }
  return { decision, counted, total, pCompliant: compliant.p(), pViolation: violation.p(),
    betsCompliant: compliant.bets(), betsViolation: violation.bets(), path: path.slice(0, counted) };
}

export function gradedViolationP(plan: GradedPlan, path: readonly Added[]): Evidence {
  const { violation } = tests(plan);
  for (const added of path) violation.observe(misses(plan, added));
  return violation.p();
}

export function gradedDecidable(plan: GradedPlan): boolean {
  const { compliant, violation } = tests(plan);
  for (let n = 0; n < plan.budget; n++) {
    compliant.observe(plan.top);
    violation.observe(plan.top);
    if (compliant.crosses(plan.alphaCompliant) || violation.crosses(plan.alphaViolation)) return true;
  }
  return false;
}

function crossesOn(F: bigint, t0: bigint, alpha: Ratio, scores: readonly bigint[]): boolean {
  const test = new TotalTest(F, t0);
  return scores.some((score) => {
    test.observe(score);
    return test.crosses(alpha);
  });
}

/** The least T0 from the sum of the scores on whose test crosses nowhere; a greater T0 never crosses earlier. */
function leastTotal(plan: GradedPlan, alpha: Ratio, scores: readonly bigint[]): bigint {
  let low = scores.reduce((sum, s) => sum + s, 0n);
  let high = plan.population * plan.top;
  while (low < high) {
    const middle = (low + high) / 2n;
    if (crossesOn(plan.population, middle, alpha, scores)) low = middle + 1n;
    else high = middle;
  }
  return low;
}

export function totalLow(plan: GradedPlan, path: readonly Added[]): bigint {
  return leastTotal(plan, plan.alphaCompliant, path.map(adds));
}

export function totalHigh(plan: GradedPlan, path: readonly Added[]): bigint {
  return plan.population * plan.top - leastTotal(plan, plan.alphaViolation, path.map((a) => misses(plan, a)));
}
