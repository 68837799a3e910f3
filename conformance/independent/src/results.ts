// From shown references to results: grading, the derived counts, and the result bits.
import { type Bytes, equal } from "./bytes.js";
import { isList, type MetricClaim } from "./claims.js";
import { demand } from "./errors.js";
import { type Added, type GradedOutcome, runGraded } from "./graded.js";
import { type Grade, grade, score } from "./graders.js";
import { type ClaimedResults, type Outcome, type Result, runMetric } from "./metric.js";
import { type Challenged, known, type Measured, type Session } from "./session.js";

interface Common {
  /** For each unit of the population in challenge order, the places of its items in `challenged`. */
  readonly units: readonly (readonly number[])[];
}

export interface MetricResults extends Common {
  readonly kind: "metric";
  readonly measured: Measured & { kind: "metric" };
  readonly results: readonly Result[];
  /** In an audit, whether the receipt has each unit as a success. */
  readonly claimed: ClaimedResults;
  readonly first: Outcome;
}

export interface GradedResults extends Common {
  readonly kind: "graded";
  readonly measured: Measured & { kind: "graded" };
  readonly results: readonly Added[];
  readonly first: GradedOutcome;
}

export type ClaimResults = MetricResults | GradedResults;

export interface Results {
  readonly claims: readonly ClaimResults[];
  /** For each challenged item, one byte for each metric or graded claim over its population. */
  readonly bits: readonly Bytes[];
}

const CODES: Readonly<Record<Grade, number>> = { fail: 0, pass: 1, refuse: 2, invalid: 3 };
const GRADES: readonly Grade[] = ["fail", "pass", "refuse", "invalid"];
export const UNANSWERED = 4;
const NO_POINTS = 255;

/** The part of a reference that graders read: in a set of pairs what follows the member's byte. */
export function gradedPart(s: Session, reference: Bytes): Bytes {
  return s.width === 2 ? reference.subarray(1) : reference;
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

/** The places of each unit's items, for the units of one population. */
function unitsOf(s: Session, challenged: readonly Challenged[], population: number): number[][] {
  const units: number[][] = [];
  challenged.forEach((item, n) => {
    if (item.population !== population) return;
    const last = units[units.length - 1];
    if (last !== undefined && last.length < s.width) last.push(n);
    else units.push([n]);
  });
  return units;
}

/** Whether the outcomes of a unit's items are one of the claim's events. */
function isEvent(s: Session, claim: MetricClaim, items: readonly Challenged[], grades: readonly Grade[]): boolean {
  const { events } = claim;
  if (isList(events)) return events.includes(known(grades[0]));
  const members = known(s.testSet?.members);
  return items.every((item, i) => {
    const wanted = events.get(known(members[known(item.reference)[0] ?? 0]));
    return wanted === undefined || wanted.includes(known(grades[i]));
  });
}

/** Whether the receipt of an audit has the item as a success of the claim. */
function isClaimed(s: Session, { claim, population }: Measured & { kind: "metric" }, item: Challenged): boolean {
  const place = claimsOver(s, population).findIndex((m) => m.claim === claim);
  const grade = GRADES[known(item.claimed?.[place])];
  return grade !== undefined && isEvent(s, claim, [item], [grade]) === (claim.direction === "at-least");
}

function metricResults(s: Session, challenged: readonly Challenged[], measured: Measured & { kind: "metric" }, bits: number[][]): MetricResults {
  const { claim } = measured;
  const units = unitsOf(s, challenged, measured.population);
  const results = units.map((places): Result => {
    const items = places.map((n) => known(challenged[n]));
    const grades = items.map((item) => (item.answer === null ? null
      : grade(claim.grader, known(item.answer.output), gradedPart(s, known(item.reference)))));
    places.forEach((n, i) => {
      const outcome = grades[i];
      known(bits[n]).push(outcome === null || outcome === undefined ? UNANSWERED : CODES[outcome]);
    });
    const all = grades.filter((g) => g !== null);
    if (all.length < grades.length) return "-";
    return isEvent(s, claim, items, all) === (claim.direction === "at-least") ? "1" : "0";
  });
  const claimed = measured.plan.claimed === null ? [] : units.map(([place]) => isClaimed(s, measured, known(challenged[known(place)])));
  return { kind: "metric", measured, units, results, claimed, first: runMetric(measured.plan, results, claimed) };
}

function gradedResults(s: Session, challenged: readonly Challenged[], measured: Measured & { kind: "graded" }, bits: number[][]): GradedResults {
  const { claim, plan } = measured;
  const units = unitsOf(s, challenged, measured.population);
  const results = units.map(([place]): Added => {
    const item = known(challenged[known(place)]);
    const points = item.answer === null ? null
      : score(claim.grader, known(item.answer.output), gradedPart(s, known(item.reference)));
    known(bits[known(place)]).push(points ?? NO_POINTS);
    if (points === null) return null;
    return claim.direction === "at-least" ? BigInt(points) : plan.top - BigInt(points);
  });
  return { kind: "graded", measured, units, results, first: runGraded(plan, results) };
}

/** Grades every unit and runs every test. All content has to be there. */
export function derive(s: Session, challenged: readonly Challenged[]): Results {
  const bits: number[][] = challenged.map(() => []);
  const claims = s.measured.map((m): ClaimResults =>
    (m.kind === "metric" ? metricResults(s, challenged, m, bits) : gradedResults(s, challenged, m, bits)));
  return { claims, bits: bits.map((b) => Uint8Array.from(b)) };
}

/** The counts of Stop against the derived ones, in every population. */
export function checkCounts(s: Session, results: Results): void {
  const over = (index: number): ClaimResults[] => results.claims.filter((c) => c.measured.population === index);
  s.populations.forEach((_, index) => {
    demand(over(index).every((c) => c.first.decision !== null), "STOP_TOO_EARLY", "a claim that is not decided yet");
  });
  s.populations.forEach((_, index) => {
    const derived = Math.max(...over(index).map((c) => c.first.counted));
    const count = Number(known(s.counts[index]));
    demand(count >= derived, "STOP_TOO_EARLY", "a count below the derived one");
    demand(count <= derived, "STOP_TOO_LATE", "a count above the derived one");
    demand(known(s.lastBegan[index]) / s.width < derived, "STOP_TOO_LATE", "a challenge after everything was decided");
  });
}

export function sameBits(a: readonly Bytes[], b: readonly Bytes[]): boolean {
  return a.length === b.length && a.every((bits, i) => equal(bits, b[i] as Bytes));
}
