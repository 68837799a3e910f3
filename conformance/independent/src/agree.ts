// Propose, Accept, Decline, Abort and the coins: everything that is fixed before a unit is chosen.
import { appraise, readEvidence } from "./appraisal.js";
import { partsOf } from "./binder.js";
import { type Bytes, codePoints, equal, hex } from "./bytes.js";
import { isList, type MeasuredClaim, measuredClaims } from "./claims.js";
import { coinCommitment, jointSeed } from "./commitments.js";
import { demand, isReason, type Party } from "./errors.js";
import type { Accept, Coin, Ending, Propose } from "./messages.js";
import { gradedDecidable, type GradedPlan, thresholdTotal } from "./graded.js";
import { decidable, type Plan, thresholdCount } from "./metric.js";
import { countItems, subtract, ticketOrder } from "./population.js";
import { readRecords } from "./records.js";
import { readModelClaim, readTestSet, type TestSet } from "./registration.js";
import { known, type Measured, type Population, type Session } from "./session.js";
import { openStatement, predicateType } from "./statement.js";
import { readTerms, type Terms } from "./terms.js";
import { checkBits } from "./chambers.js";
import { counted, type Options, same, silent, sized, type Turn } from "./turns.js";

const MAX_BUDGET = 2 ** 18;
const MOST_ATTEMPTS = 64;
const MAX_UNITS = 2n ** 24n;

export function boundsPropose(m: Propose): void {
  counted(m.terms.length, 1, 1048576);
  counted(m.test_set.length, 1, 1048576);
  counted(m.earlier_heads.length, 0, MOST_ATTEMPTS);
  m.earlier_heads.forEach((h) => sized(h));
  sized(m.coin_commitment);
}

export function boundsAccept(m: Accept): void {
  sized(m.terms_digest);
  counted(m.declared_counts.length, 0, 64);
  sized(m.coin_commitment);
  counted(m.model_claim.length, 1, 1048576);
  counted(m.evidence.length, 0, 512);
  for (const piece of m.evidence) counted(piece.length, 1, 1048576);
}

export function boundsEnding(m: Ending): void {
  demand(isReason(m.reason), "MALFORMED", "a reason that is no code");
  counted(codePoints(m.detail), 0, 1000);
}

function populationsOf(terms: Terms, set: TestSet): Population[] {
  const populations = terms.budgets.map(({ stratum, units }) => {
    const found = set.strata.find((s) => s.name === stratum);
    demand(stratum === "" || found !== undefined, "BAD_TERMS", "a stratum that the set does not have");
    const [start, end] = found === undefined ? [0, set.size] : [found.start, found.start + found.count];
    const ranges = subtract(BigInt(start), BigInt(end), terms.set.excluded);
    const size = (countItems(ranges) / (set.members === null ? 1n : 2n)) * BigInt(terms.samples);
    demand(BigInt(units) <= size && units <= MAX_BUDGET, "BAD_TERMS", "a budget out of bounds");
    return { name: stratum, ranges, budget: units, size };
  });
  const all = populations.reduce((sum, p) => sum + p.size, 0n);
  demand(all <= MAX_UNITS, "BAD_TERMS", "populations above their limit together");
  return populations;
}

/** The count that an audited receipt has for the claim. */
function claimedCount(terms: Terms, claim: MeasuredClaim): bigint | null {
  if (terms.audited === null) return null;
  return BigInt(known(terms.audited.counts[measuredClaims(terms).indexOf(claim)]));
}

function measure(terms: Terms, populations: readonly Population[]): Measured[] {
  return measuredClaims(terms).map((claim): Measured => {
    const population = populations.findIndex((p) => p.name === claim.stratum);
    const { size, budget } = known(populations[population]);
    const { alphaCompliant, alphaViolation } = claim;
    if (claim.type === "graded") {
      const top = BigInt(claim.top);
      const total = thresholdTotal(claim.direction, claim.threshold, size, top);
      demand(total >= 1n && total <= size * top, "BAD_TERMS", "a threshold total out of bounds");
      const plan: GradedPlan = { population: size, top, threshold: total, budget, alphaCompliant, alphaViolation };
      demand(gradedDecidable(plan), "BAD_TERMS", "a claim that no results decide within its budget");
      return { kind: "graded", claim, population, plan };
    }
    const threshold = thresholdCount(claim.direction, claim.threshold, size);
    demand(threshold >= 1n && threshold <= size, "BAD_TERMS", "a threshold count out of bounds");
    const plan: Plan = {
      population: size, threshold, declared: 0n, budget, alphaCompliant, alphaViolation, claimed: claimedCount(terms, claim),
    };
    demand(plan.claimed === null || (plan.claimed >= threshold && plan.claimed <= size), "BAD_COUNT", "a receipt that does not claim what it is audited for");
    demand(decidable(plan), "BAD_TERMS", "a claim that no results decide within its budget");
    return { kind: "metric", claim, population, plan };
  });
}

/** What a set of pairs asks of the terms, and what only such a set allows. */
function checkPairs(terms: Terms, set: TestSet): void {
  const { members } = set;
  const ok = (condition: boolean, detail: string): void => demand(condition, "BAD_TERMS", detail);
  for (const claim of terms.claims) {
    const named = claim.type === "metric" && !isList(claim.events) ? [...claim.events.keys()] : null;
    if (members === null) ok(named === null, "events of members in a set without pairs");
    else ok(named !== null && named.every((name) => members.includes(name)), "a claim that names no members of the pairs");
  }
  if (members === null) return;
  ok(terms.audited === null && terms.mode === "open", "pairs in an audit, or in another mode than open");
  ok(terms.set.excluded.every(([from, to]) => from % 2n === 0n && to % 2n === 0n), "an excluded run that cuts a pair");
  const largest = Math.max(terms.caps.prompt, terms.caps.reference, terms.caps.output);
  ok(terms.batch >= 2 && 2 * (largest + 32) <= terms.caps.turn, "a turn that does not hold a pair");
}

function checkAttempt(earlier: Session | null, m: Propose): void {
  if (earlier === null) {
    demand(m.attempt === 1 && m.earlier_heads.length === 0, "BAD_ATTEMPT", "an attempt that nothing preceded");
    return;
  }
  const over = ["declined", "refused", "finished"].includes(earlier.state) || earlier.shown > 0 || earlier.released > 0;
  demand(!over, "BAD_ATTEMPT", "an exercise that is over");
  demand(m.attempt === earlier.attempt + 1 && m.attempt <= MOST_ATTEMPTS, "BAD_ATTEMPT", "another number than the next attempt's");
  const heads = [...earlier.earlierHeads, earlier.head];
  demand(heads.length === m.earlier_heads.length && heads.every((h, i) => equal(h, m.earlier_heads[i] as Bytes)),
    "BAD_ATTEMPT", "other heads than the earlier attempts'");
  same(m.coin_commitment, known(earlier.coinCommitV), "BAD_COIN", "another coin than in the earlier attempt");
}

export function propose(s: Session, options: Options, m: Propose): Turn {
  const [verifier, prover] = [known(s.verifier), known(s.prover)];
  const terms = readTerms(openStatement(m.terms, [verifier.key]));
  const parties = equal(terms.verifier, verifier.history.fingerprint) && equal(terms.prover, prover.history.fingerprint);
  demand(parties, "BAD_TERMS", "terms of other parties");
  demand(terms.mode === s.mode, "BAD_TERMS", "terms of another mode");
  const earlier = options.earlier(terms.exercise);
  checkAttempt(earlier, m);
  const set = readTestSet(m.test_set, verifier.history.root);
  const named = equal(terms.set.statement, set.digest) && equal(terms.set.root, set.root) && terms.set.size === set.size;
  demand(named, "BAD_TERMS", "a test set that the terms do not name");
  for (const claim of measuredClaims(terms)) {
    demand(set.graders.includes(hex(claim.grader.digest)), "BAD_TERMS", "a grader that the registration does not list");
    demand((claim.grader.answers !== null) === (set.kind === "script"), "BAD_TERMS", "a grader for items of another kind");
  }
  demand(set.kind !== "script" || (terms.binding.kind === "none" && terms.mode === "open"), "BAD_TERMS", "a chamber for script items");
  checkPairs(terms, set);
  const populations = populationsOf(terms, set);
  const measured = measure(terms, populations);
  checkBits(terms, measured);
  return silent(() => {
    s.terms = terms;
    s.testSet = set;
    s.attempt = m.attempt;
    s.earlierHeads = m.earlier_heads;
    s.coinCommitV = m.coin_commitment;
    s.populations = populations;
    s.measured = measured;
    s.asked = populations.map(() => 0);
    s.lastBegan = populations.map(() => 0);
    if (earlier !== null) carryOver(s, earlier);
  });
}

/** Units of earlier attempts keep place, commitments and outputs. */
function carryOver(s: Session, earlier: Session): void {
  s.challenged = earlier.challenged.map((unit) => ({ ...unit }));
  for (const item of earlier.withheld) s.withheld.add(item);
  s.asked = [...earlier.asked];
  s.lastBegan = [...earlier.lastBegan];
  s.declared = earlier.declared;
  s.coinCommitP = earlier.coinCommitP;
}

/** The statements beside Accept: hardware evidence, appraised at once, and compute records. */
function readPieces(s: Session, sealed: readonly Bytes[], key: Bytes): Pick<Session, "appraised" | "records"> {
  const { policy } = known(s.terms);
  const statements = sealed.map((piece) => openStatement(piece, [key]));
  const [evidence, more] = statements.filter((x) => x.type === predicateType("evidence"));
  demand(more === undefined && (evidence === undefined || policy !== null), "BAD_EVIDENCE", "evidence that the terms do not ask for");
  const others = statements.filter((x) => x !== evidence);
  const records = others.length === 0 ? [] : readRecords(others);
  const appraised = evidence === undefined || policy === null ? null : appraise(readEvidence(evidence), policy, partsOf(s, key));
  return { appraised, records };
}

export function accept(s: Session, m: Accept): Turn {
  const terms = known(s.terms);
  const prover = known(s.prover);
  same(m.terms_digest, terms.digest, "WRONG_TERMS", "other terms");
  const claim = readModelClaim(m.model_claim, prover.history.root);
  same(claim.digest, terms.modelClaim, "BAD_MODEL_CLAIM", "another model claim than the terms'");
  const before = s.declared;
  if (before !== null) {
    const kept = before.length === m.declared_counts.length && before.every((n, i) => n === m.declared_counts[i]);
    demand(kept, "BAD_COUNT", "other counts than in the earlier attempt");
  }
  if (s.coinCommitP !== null) same(m.coin_commitment, s.coinCommitP, "BAD_COIN", "another coin than in the earlier attempt");
  demand(m.declared_counts.length === s.measured.length, "BAD_COUNT", "another number of declared counts");
  const measured = s.measured.map((one, i): Measured => {
    const declared = m.declared_counts[i] as bigint;
    const { threshold, population } = one.plan;
    if (one.kind === "graded") {
      demand(declared === 0n, "BAD_COUNT", "a declared count of a graded claim");
      return one;
    }
    demand(declared === 0n || one.plan.claimed === null, "BAD_COUNT", "a declared count beside that of a receipt");
    demand(declared === 0n || (declared >= threshold && declared <= population), "BAD_COUNT", "a declared count out of bounds");
    return { ...one, plan: { ...one.plan, declared } };
  });
  for (const one of measured) demand(one.kind === "graded" || decidable(one.plan), "BAD_TERMS", "a claim that no results decide within its budget");
  const pieces = readPieces(s, m.evidence, prover.key);
  return silent(() => {
    s.measured = measured;
    s.declared = m.declared_counts;
    s.coinCommitP = m.coin_commitment;
    s.modelClaim = claim;
    s.appraised = pieces.appraised;
    s.records = pieces.records;
  });
}

export function coin(s: Session, sender: Party, m: Coin): Turn {
  const terms = known(s.terms);
  const [commitV, commitP] = [known(s.coinCommitV), known(s.coinCommitP)];
  const commitment = coinCommitment(sized(m.key), terms.exercise, sender, sized(m.coin));
  same(commitment, sender === "verifier" ? commitV : commitP, "BAD_COIN", "a coin that its sender did not commit to");
  if (sender === "verifier") return silent(() => { s.coinV = m.coin; });
  const seed = jointSeed(terms.exercise, commitV, commitP, known(s.coinV), m.coin);
  return silent(() => {
    s.seed = seed;
    s.orders = s.populations.map((p) => ticketOrder(p.ranges, terms.samples, p.budget, terms.set.root, seed, BigInt(s.width)));
  });
}
