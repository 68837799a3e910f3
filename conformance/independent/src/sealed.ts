// Evidence, Release and Receipt: which chambers run, who gives them keys, and what they say.
import { appraise, readEvidence } from "./appraisal.js";
import { partsOf } from "./binder.js";
import { type Bytes, equal, hex } from "./bytes.js";
import { bitsOfOutcome, bitsOfResults, type Chamber, type Count, type Outcome, unitsOfCounts } from "./chambers.js";
import { signedBy } from "./envelope.js";
import { demand } from "./errors.js";
import type { Json, JsonObject } from "./json.js";
import type { Evidence, Receipt, Release } from "./messages.js";
import { Fields } from "./schema.js";
import { WRAPPED } from "./sealing.js";
import { known, type Session } from "./session.js";
import { demandType, hasSubject, openSigned, openStatement, predicateType, type Statement } from "./statement.js";
import { counted, same, silent, sized, type Turn } from "./turns.js";

const MOST_CHAMBERS = 4;
const MAX_STATEMENT = 1048576;
const MAX_SIZE = 2n ** 44n;
const LATEST = 2 ** 42;
const SIMULATED_RECEIPT = "tag:parley,2026:simulated-receipt/v1#NOT-HARDWARE";
const REFUSALS = [
  "QUOTA_EXHAUSTED", "BAD_SEAL", "BAD_MODEL_CLAIM", "BAD_OPENING", "BAD_RUNTIME", "PICKLED", "BOX_TIME", "BOX_OUTPUT", "BOX_FAILED",
] as const;

export function boundsEvidence(m: Evidence): void {
  counted(m.chambers.length, 1, MOST_CHAMBERS);
  for (const chamber of m.chambers) {
    counted(chamber.keys.length, 1, MAX_STATEMENT);
    counted(chamber.evidence.length, 0, MAX_STATEMENT);
  }
}

export function boundsRelease(m: Release): void {
  counted(m.keys.length, 1, MOST_CHAMBERS);
  for (const key of m.keys) {
    sized(key.keys_digest);
    demand(key.wrapped.length === WRAPPED, "MALFORMED", "a wrapped key of another length");
  }
  demand(m.size <= MAX_SIZE, "TOO_LARGE", "content above its limit");
}

export function boundsReceipt(m: Receipt): void {
  counted(m.statements.length, 1, MOST_CHAMBERS);
  for (const statement of m.statements) counted(statement.length, 1, MAX_STATEMENT);
}

/** The statement of a chamber's keys, signed by an operator of the terms and by its receipt key. */
function readChamber(s: Session, sealed: Bytes, evidence: Bytes): Chamber {
  const terms = known(s.terms);
  const f = new Fields("BAD_EVIDENCE");
  const { statement, signer } = openSigned(sealed);
  demandType(statement, "chamber-keys");
  const p = f.object(statement.predicate, ["session", "terms", "hpke", "receipt", "sandbox", "swap", "simulated"]);
  const operator = terms.binding.operators.find((o) => equal(o.key, signer));
  demand(operator !== undefined, f.reason, "an operator that the terms do not name");
  same(f.digest(p["session"]), s.sessionId, f.reason, "keys of another session");
  same(f.digest(p["terms"]), terms.digest, f.reason, "keys under other terms");
  const receipt = f.digest(p["receipt"]);
  demand(signedBy(statement.envelope, receipt), "BAD_SIGNATURE", "keys that their receipt key did not sign");
  const simulated = f.boolean(p["simulated"]);
  const keys = {
    keys: statement.digest, operator, receipt, simulated, hpke: f.digest(p["hpke"]),
    sandbox: f.oneOf(p["sandbox"], ["bubblewrap", "none"]), swap: f.oneOf(p["swap"], ["absent", "present"]),
  };
  demand((evidence.length > 0) === (terms.policy !== null), f.reason, "evidence where the terms have no policy, or none where they do");
  const items = terms.policy === null ? null : readEvidence(openStatement(evidence, [receipt]));
  const appraised = items === null || terms.policy === null ? null : appraise(items, terms.policy, partsOf(s, receipt, keys.hpke));
  // Hardware is not read here: under a laboratory policy what the keys say is taken, and no verdict derived.
  const open = appraised?.assurance === "unknown" && terms.policy?.laboratory === true;
  demand(open || simulated === (appraised?.assurance === "simulated"), f.reason, "keys that say another thing of their evidence than it is");
  return { ...keys, appraised };
}

export function evidence(s: Session, m: Evidence): Turn {
  const { quorum } = known(known(s.terms).binding.sealed);
  demand(m.chambers.length === quorum, "BAD_EVIDENCE", "another number of chambers than the quorum");
  const chambers = m.chambers.map((chamber) => readChamber(s, chamber.keys, chamber.evidence));
  const operators = new Set(chambers.map((c) => hex(c.operator.key)));
  demand(operators.size === chambers.length, "BAD_EVIDENCE", "two chambers of one operator");
  return silent(() => { s.chambers = chambers; });
}

export function release(s: Session, m: Release): Turn {
  const fits = m.keys.length === s.chambers.length && s.chambers.every((c, i) => equal(c.keys, known(m.keys[i]).keys_digest));
  demand(fits, "BAD_SEAL", "a key released to others than the chambers on record");
  return silent(() => { s.released++; });
}

const f = new Fields("BAD_RECEIPT");

function checkNames(s: Session, chamber: Chamber, statement: Statement, p: JsonObject): void {
  const terms = known(s.terms);
  demand(hasSubject(statement, "exercise", terms.exercise), f.reason, "another subject");
  same(f.digest(p["keys"]), chamber.keys, f.reason, "an outcome of another run");
  same(f.digest(p["session"]), s.sessionId, f.reason, "an outcome of another session");
  same(f.digest(p["exercise"]), terms.exercise, f.reason, "an outcome of another exercise");
}

function readCounts(s: Session, value: Json | undefined, roundTo: number): Count[] {
  return f.list(value, s.measured.length, s.measured.length).map((entry, i) => {
    const c = f.object(entry, ["id", "population", "successes"]);
    const { claim, plan } = known(s.measured[i]);
    const population = Number(plan.population);
    demand(c["id"] === claim.id && c["population"] === population, f.reason, "a count of another claim or of a part of its population");
    const successes = f.integer(c["successes"], 0, population);
    demand(successes % roundTo === 0, f.reason, "a count that is not rounded down");
    return { id: claim.id, population, successes };
  });
}

function readReceipt(s: Session, place: number, statement: Statement): Outcome {
  const terms = known(s.terms);
  const chamber = known(s.chambers[place]);
  const sealed = known(terms.binding.sealed);
  const p = f.object(statement.predicate, [
    "keys", "session", "exercise", "model_claim", "test_set", "runtime", "execution_class", "run", "begun", "round_to", "counts",
    "handed_over", "bits", "result_root",
  ]);
  checkNames(s, chamber, statement, p);
  same(f.digest(p["model_claim"]), terms.modelClaim, f.reason, "a run of another model");
  same(f.digest(p["test_set"]), terms.set.root, f.reason, "a run over another test set");
  const runtime = f.digest(p["runtime"]);
  same(runtime, known(terms.binding.runtime), f.reason, "another runtime");
  const executionClass = f.oneOf(p["execution_class"], sealed.program ? ["none"] : ["E0", "E1"]);
  demand(p["round_to"] === sealed.roundTo, f.reason, "counts rounded in another way");
  const units = sealed.handOver && place === 0 ? unitsOfCounts(s.measured) : 0n;
  demand(p["handed_over"] === Number(units), f.reason, "other results handed over than the terms say");
  const bits = bitsOfOutcome(s.measured, sealed.roundTo) + Number(bitsOfResults(units));
  demand(p["bits"] === bits, f.reason, "bits that do not follow");
  return {
    refused: null, run: f.integer(p["run"], 1, sealed.runs), runtime, executionClass, begun: f.integer(p["begun"], 0, LATEST),
    roundTo: sealed.roundTo, counts: readCounts(s, p["counts"], sealed.roundTo), bits, resultRoot: f.digest(p["result_root"]),
  };
}

function readOutcome(s: Session, place: number, bytes: Bytes): Outcome {
  const chamber = known(s.chambers[place]);
  const statement = openStatement(bytes, [chamber.receipt]);
  if (statement.type === (chamber.simulated ? SIMULATED_RECEIPT : predicateType("receipt"))) return readReceipt(s, place, statement);
  demand(statement.type === predicateType("chamber-refusal"), f.reason, "no outcome of such a chamber");
  const p = f.object(statement.predicate, ["keys", "session", "exercise", "run", "reason", "blamed"]);
  checkNames(s, chamber, statement, p);
  return {
    // Above `runs` where the quota is used up.
    run: f.integer(p["run"], 1, 2 ** 32), refused: f.oneOf(p["reason"], REFUSALS),
    blamed: f.oneOf(p["blamed"], ["prover", "verifier", ""]),
  };
}

export function receipt(s: Session, m: Receipt): Turn {
  demand(m.statements.length === s.chambers.length, "BAD_RECEIPT", "another number of outcomes than of chambers");
  const outcomes = m.statements.map((bytes, place) => readOutcome(s, place, bytes));
  return silent(() => { s.outcomes = outcomes; });
}
