// From shown references to results: grading, the derived counts, and the result bits.
import { type Bytes, equal } from "./bytes.js";
import { demand } from "./errors.js";
import { type Grade, grade } from "./graders.js";
import { type Outcome, type Result, runMetric } from "./metric.js";
import { type Challenged, known, type Measured, type Session } from "./session.js";

export interface ClaimResults {
  readonly measured: Measured;
  /** The units of the claim's population in challenge order, by their place in `challenged`. */
  readonly units: readonly number[];
  readonly results: readonly Result[];
  readonly first: Outcome;
}

export interface Results {
  readonly claims: readonly ClaimResults[];
  /** For each challenged unit, one byte for each metric claim over its population. */
  readonly bits: readonly Bytes[];
}

const CODES: Readonly<Record<Grade, number>> = { fail: 0, pass: 1, refuse: 2, invalid: 3 };
const UNANSWERED = 4;

function resultOf(measured: Measured, outcome: Grade | null): Result {
  if (outcome === null) return "-";
  const { claim } = measured;
  const success = claim.events.includes(outcome) === (claim.direction === "at-least");
  return success ? "1" : "0";
}

function gradeUnit(unit: Challenged, measured: Measured): Grade | null {
  if (unit.answer === null) return null;
  return grade(measured.claim.grader, known(unit.answer.output), known(unit.reference));
}

/** Claims over the unit's population. */
export function claimsOver(s: Session, population: number): Measured[] {
  return s.measured.filter((m) => m.population === population);
}

/** Bytes of all result bits together: known before any content is. */
export function bitCount(s: Session): number {
  return s.challenged.reduce((sum, unit) => sum + claimsOver(s, unit.population).length, 0);
}

/** Splits the joined bits into those of each unit. */
export function splitBits(s: Session, joined: Bytes): Bytes[] {
  let at = 0;
  return s.challenged.map((unit) => {
    const n = claimsOver(s, unit.population).length;
    at += n;
    return joined.subarray(at - n, at);
  });
}

/** Grades every unit once for each grader and runs every test. All content has to be there. */
export function derive(s: Session, challenged: readonly Challenged[]): Results {
  const perUnit: number[][] = challenged.map(() => []);
  const claims = s.measured.map((measured): ClaimResults => {
    const units: number[] = [];
    const results: Result[] = [];
    challenged.forEach((unit, n) => {
      if (unit.population !== measured.population) return;
      const outcome = gradeUnit(unit, measured);
      units.push(n);
      results.push(resultOf(measured, outcome));
      known(perUnit[n]).push(outcome === null ? UNANSWERED : CODES[outcome]);
    });
    return { measured, units, results, first: runMetric(measured.plan, results) };
  });
  return { claims, bits: perUnit.map((bits) => Uint8Array.from(bits)) };
}

/** The counts of Stop against the derived ones, in every population. */
export function checkCounts(s: Session, results: Results): void {
  s.populations.forEach((_, index) => {
    const over = results.claims.filter((c) => c.measured.population === index);
    demand(over.every((c) => c.first.decision !== null), "STOP_TOO_EARLY", "a claim that is not decided yet");
  });
  s.populations.forEach((_, index) => {
    const over = results.claims.filter((c) => c.measured.population === index);
    const derived = Math.max(...over.map((c) => c.first.counted));
    const count = Number(known(s.counts[index]));
    demand(count >= derived, "STOP_TOO_EARLY", "a count below the derived one");
    demand(count <= derived, "STOP_TOO_LATE", "a count above the derived one");
    demand((s.lastBegan[index] as number) < derived, "STOP_TOO_LATE", "a challenge after everything was decided");
  });
}

export function sameBits(a: readonly Bytes[], b: readonly Bytes[]): boolean {
  return a.length === b.length && a.every((bits, i) => equal(bits, b[i] as Bytes));
}
