// The verdict of sealed mode: exact counts that chambers state, and what stands behind the chambers.
import { type Bytes, hex } from "./bytes.js";
import { type Chamber, type Outcome, type Receipt } from "./chambers.js";
import { ASSURANCES, type Assurance, type Claim } from "./claims.js";
import { NO_RECORDS } from "./computeclaims.js";
import type { Json } from "./json.js";
import { below, FIXED, type Given, reasons, type Verdict, verdictStatement } from "./levels.js";
import type { Decision } from "./metric.js";
import { known, type Measured, type Session } from "./session.js";
import { spentJson } from "./spent.js";
import { NOTICE, type SealedTerms } from "./treaty.js";

const BOXES = "Boxes protect the parties from each other's code: the machine's operator and side channels are not covered.";
const HANDED_OVER = "The verifier was given the result of every unit, and may show some to the prover in an audit.";
const TIMED = "The outcome left when it was there: the time it took may tell of the tests.";
const SWAPPED = "A chamber's machine has swap space: what was opened in it may have been written to a disk.";
const DIFFER = "the chambers state different counts; this alone says nothing about either party";
const ROUNDED = "the stated count is rounded, and the threshold lies within what it can mean";
const LABORATORY = "simulated evidence supports nothing outside a laboratory";
const PROVERS_CHAMBER = "a chamber that the prover runs adds nothing to the prover's word";
const PROVERS_PROGRAM = "the prover's program ran: nothing shows that it used the weights";

const BY_OPERATOR: Readonly<Record<Chamber["operator"]["runBy"], Assurance>> = {
  neutral: "neutral-operator", verifier: "re-executed", prover: "declared",
};

function assuranceOf(s: Session): Given {
  if (s.chambers.some((c) => c.simulated)) return "simulated";
  const levels = s.chambers.map((c) => (c.appraised?.assurance === "attested" ? "attested" : BY_OPERATOR[c.operator.runBy]));
  return known(ASSURANCES.find((level) => levels.includes(level)));
}

function isReceipt(outcome: Outcome): outcome is Receipt {
  return outcome.refused === null;
}

function countsText({ counts }: Receipt): string {
  return counts.map((c) => c.successes).join();
}

/** Why the chambers together state no count; null where they do. */
function noCount(s: Session): string | null {
  const refused = s.outcomes.flatMap((o) => (o.refused === null ? [] : [o.refused]));
  if (refused.length > 0) return `a chamber refused: ${refused.join(", ")}`;
  return new Set(s.outcomes.filter(isReceipt).map(countsText)).size > 1 ? DIFFER : null;
}

interface Judged { readonly verdict: Decision; readonly json: Json }

/** At assurance `simulated` nothing is concluded. */
function settled(verdict: Decision, assurance: Given): Decision {
  return assurance === "simulated" ? "INCONCLUSIVE" : verdict;
}

function metric(s: Session, m: Measured, place: number, assurance: Given, missing: string | null): Judged {
  const { claim, plan } = m;
  const population = Number(plan.population);
  const threshold = Number(plan.threshold);
  const common = { id: claim.id, type: claim.type, population, threshold_count: threshold };
  if (missing !== null) {
    const verdict = "INCONCLUSIVE";
    const because = [...(assurance === "simulated" ? [LABORATORY] : []), missing];
    const json = { ...common, verdict, test: verdict, because, counted: 0, successes: 0, failures: 0, count_low: 0, count_high: population };
    return { verdict, json };
  }
  const receipt = known(s.outcomes.find(isReceipt));
  const low = known(receipt.counts[place]).successes;
  const high = Math.min(low + receipt.roundTo - 1, population);
  const test: Decision = low >= threshold ? "COMPLIANT" : high < threshold ? "VIOLATION" : "INCONCLUSIVE";
  const because = [
    ...(assurance === "simulated" ? [LABORATORY] : []),
    ...(test === "INCONCLUSIVE" ? [ROUNDED] : assurance === "simulated" ? [] : reasons(claim, test, assurance)),
  ];
  const verdict = settled(because.length > 0 ? "INCONCLUSIVE" : test, assurance);
  const json = {
    ...common, verdict, test, because, counted: population, successes: low, failures: population - high, count_low: low, count_high: high,
  };
  return { verdict, json };
}

function identity(sealed: SealedTerms, assurance: Given, missing: string | null): { verdict: Decision; because: string[] } {
  const because = [
    ...(missing === null ? [] : [missing]), ...(assurance === "simulated" ? [LABORATORY] : []),
    ...(assurance === "declared" ? [PROVERS_CHAMBER] : []), ...(sealed.program ? [PROVERS_PROGRAM] : []),
  ];
  return { verdict: because.length > 0 ? "INCONCLUSIVE" : "COMPLIANT", because };
}

function other(claim: Exclude<Claim, Measured["claim"]>, own: ReturnType<typeof identity>, assurance: Given): Judged {
  const compute = claim.type === "compute" ? NO_RECORDS : null;
  const { verdict: first, because } = compute ?? own;
  const sentence = first === "COMPLIANT" ? below(claim.minAssurance, assurance) : null;
  const verdict = settled(sentence === null ? first : "INCONCLUSIVE", assurance);
  const common = { id: claim.id, type: claim.type, verdict, because: sentence === null ? [...because] : [...because, sentence] };
  return { verdict, json: compute === null ? common : { ...common, flop_on_record: String(compute.flop) } };
}

function chamberJson(chamber: Chamber, outcome: Outcome): Json {
  const common = {
    keys: hex(chamber.keys), operator: chamber.operator.json, sandbox: chamber.sandbox, swap: chamber.swap, run: outcome.run,
  };
  if (outcome.refused !== null) return { ...common, refused: outcome.refused, blamed: outcome.blamed };
  return {
    ...common, runtime: hex(outcome.runtime), execution_class: outcome.executionClass, begun: outcome.begun, round_to: outcome.roundTo,
    counts: outcome.counts.map(({ id, population, successes }) => ({ id, population, successes })), bits: outcome.bits,
  };
}

function sentences(s: Session, sealed: SealedTerms): string[] {
  return [
    ...FIXED, BOXES, ...(sealed.quorum > 1 ? [NOTICE] : []), ...(sealed.handOver ? [HANDED_OVER] : []),
    ...(sealed.releaseSeconds === 0 ? [TIMED] : []), ...(s.chambers.some((c) => c.swap === "present") ? [SWAPPED] : []),
  ];
}

/** What both acknowledge: the root of the first receipt's results, or zeros. */
export function sealedRoot(s: Session): Bytes {
  return s.outcomes.find(isReceipt)?.resultRoot ?? new Uint8Array(32);
}

export function deriveSealedVerdict(s: Session): Verdict {
  const terms = known(s.terms);
  const sealed = known(terms.binding.sealed);
  const assurance = assuranceOf(s);
  const missing = noCount(s);
  const own = identity(sealed, assurance, missing);
  const judged = terms.claims.map((claim) => {
    const place = s.measured.findIndex((m) => m.claim === claim);
    if (claim.type === "identity" || claim.type === "compute") return other(claim, own, assurance);
    return metric(s, known(s.measured[place]), place, assurance, missing);
  });
  const verdicts = judged.map((j) => j.verdict);
  const overall: Decision = verdicts.includes("VIOLATION") ? "VIOLATION"
    : verdicts.every((v) => v === "COMPLIANT") ? "COMPLIANT" : "INCONCLUSIVE";
  const predicate = {
    exercise: hex(terms.exercise), session: hex(s.sessionId), terms: hex(terms.digest), model_claim: hex(terms.modelClaim),
    seed: hex(known(s.seed)), attempt: s.attempt, mode: s.mode, assurance, roots: [], claims: judged.map((j) => j.json),
    identity: own.verdict, overall, opened: 0, not_concluded: [...sentences(s, sealed), ...terms.notConcluded],
    chambers: s.chambers.map((c, i) => chamberJson(c, known(s.outcomes[i]))), ...spentJson(terms),
  };
  return verdictStatement(terms, predicate, overall);
}
