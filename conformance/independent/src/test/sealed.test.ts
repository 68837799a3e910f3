// Keys and outcomes of chambers: what the vectors of sealed mode do not reach.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ComputeClaim } from "../claims.js";
import { bitsOfOutcome, type Outcome } from "../chambers.js";
import { bind, partsOf } from "../binder.js";
import { base64, type Bytes, hex } from "../bytes.js";
import { publicKey, sign } from "../ed25519.js";
import { signEnvelope, toJson } from "../envelope.js";
import { frame } from "../framing.js";
import { canonical, type JsonObject } from "../json.js";
import type { Evidence, Header } from "../messages.js";
import { boundsEvidence, boundsReceipt, boundsRelease, evidence, receipt } from "../sealed.js";
import { deriveSealedVerdict, sealedRoot } from "../sealedverdict.js";
import { Session } from "../session.js";
import { encodeStatement, sealStatement, STATEMENT_TYPE } from "../statement.js";
import { reason } from "../testing.js";

const [OPERATOR, SECOND, RECEIPT, STRANGER] = [1, 2, 3, 4].map((n) => new Uint8Array(32).fill(n)) as [Bytes, Bytes, Bytes, Bytes];
const [ID, EXERCISE, TERMS, MODEL, SET, RUNTIME, OTHER] =
  [5, 6, 7, 8, 9, 10, 11].map((n) => new Uint8Array(32).fill(n)) as [Bytes, Bytes, Bytes, Bytes, Bytes, Bytes, Bytes];
const header: Header = { session_id: ID, sequence: 7n, previous: OTHER };
const none: Bytes = new Uint8Array(0);

function session(quorum = 1, handOver = false): Session {
  const s = new Session();
  s.mode = "sealed";
  s.sessionId = ID;
  const operators = [OPERATOR, SECOND].map((secret) => ({ key: publicKey(secret), runBy: "neutral", json: {} }));
  const sealed = { bits: 999, handOver, program: false, quorum, releaseSeconds: 0, roundTo: 4, runs: 2 };
  s.terms = {
    digest: TERMS, exercise: EXERCISE, modelClaim: MODEL, set: { root: SET }, policy: null,
    binding: { kind: "chamber", operators, runtime: RUNTIME, sealed },
  } as unknown as Session["terms"];
  s.measured = [{ kind: "metric", claim: { id: "a" }, population: 0, plan: { population: 60n } }] as unknown as Session["measured"];
  return s;
}

const KEYS: JsonObject = {
  session: hex(ID), terms: hex(TERMS), hpke: hex(OTHER), receipt: hex(publicKey(RECEIPT)), sandbox: "none", swap: "absent", simulated: false,
};

function keys(by: JsonObject = {}, operator = OPERATOR, type = "chamber-keys", subject = ID): Bytes {
  const payload = encodeStatement(type, [{ name: "session", sha256: subject }], { ...KEYS, ...by });
  const [first, second] = [operator, RECEIPT].map((secret) => signEnvelope(secret, STATEMENT_TYPE, payload));
  return toJson({ payloadType: STATEMENT_TYPE, payload, signatures: [...(first?.signatures ?? []), ...(second?.signatures ?? [])] });
}

function shown(chambers: readonly Bytes[], quorum = 1, extra = none): string {
  return reason(() => evidence(session(quorum), { header, chambers: chambers.map((k) => ({ keys: k, evidence: extra })) }));
}

test("chambers on record are different operators of the terms, with keys for this session", () => {
  assert.equal(shown([keys()]), "none");
  assert.equal(shown([keys(), keys({}, SECOND)], 2), "none");
  assert.equal(shown([keys(), keys()], 2), "BAD_EVIDENCE");
  assert.equal(shown([keys({}, STRANGER)]), "BAD_EVIDENCE");
  assert.equal(shown([keys({}, OPERATOR, "receipt")]), "BAD_STATEMENT");
  assert.equal(shown([keys({}, OPERATOR, "chamber-keys", OTHER)]), "none");
  assert.equal(shown([keys({ session: hex(OTHER) })]), "BAD_EVIDENCE");
  assert.equal(shown([keys({ terms: hex(OTHER) })]), "BAD_EVIDENCE");
  assert.equal(shown([keys({ swap: "some" })]), "BAD_EVIDENCE");
  assert.equal(shown([keys()], 1, Uint8Array.of(1)), "BAD_EVIDENCE");
});

const POLICY = {
  laboratory: true, notAfter: 100, kinds: ["simulated", "snp"], products: ["simulated"], machines: { registered: false, ids: [] },
  references: [{ kind: "simulated", holdsKey: true, values: new Map([["measurement", ["ab"]]]) }], advisories: [],
  composite: { cpus: 1, gpus: 0, roots: 1 }, simulatedRoot: hex(publicKey(STRANGER)),
} as const;

/** A chamber that says `simulated` of evidence with one item. */
function appraised(simulated: boolean, kind: string, laboratory = true, measurement = "ab"): string {
  const s = session();
  s.terms = { ...s.terms, policy: { ...POLICY, laboratory } } as unknown as Session["terms"];
  s.prover = s.verifier = { nonce: OTHER } as unknown as Session["prover"];
  const { bind64 } = bind(partsOf(s, publicKey(RECEIPT), OTHER), []);
  const body = { profile: "tag:parley,2026:simulated-evidence/v1#NOT-HARDWARE", instance: "one", measurement, binder: hex(bind64) };
  const raw = canonical({ body, signature: hex(sign(STRANGER, frame("evidence-simulated", canonical(body)))) });
  const item: JsonObject = { name: "a", kind, raw: base64(raw), certificates: [], crls: [], ocsp: [], collateral: {} };
  const shown = sealStatement(RECEIPT, encodeStatement("evidence", [{ name: "any", sha256: OTHER }], { at: 1, items: [item] }));
  return reason(() => evidence(s, { header, chambers: [{ keys: keys({ simulated }), evidence: shown }] }));
}

test("keys say of their evidence what its appraisal gives, where that is known here", () => {
  assert.equal(appraised(true, "simulated"), "none");
  assert.equal(appraised(false, "simulated"), "BAD_EVIDENCE");
  assert.equal(appraised(true, "simulated", true, "cd"), "BAD_EVIDENCE");
  assert.equal(appraised(false, "simulated", true, "cd"), "none");
  assert.equal(appraised(true, "snp"), "none");
  assert.equal(appraised(false, "snp"), "none");
  assert.equal(appraised(true, "snp", false), "BAD_EVIDENCE");
  assert.equal(appraised(false, "snp", false), "none");
  assert.equal(shown([keys({ simulated: true })]), "BAD_EVIDENCE");
});

function running(handOver = false): Session {
  const s = session(1, handOver);
  const m: Evidence = { header, chambers: [{ keys: keys(), evidence: none }] };
  evidence(s, m).apply([]);
  return s;
}

function outcome(by: JsonObject = {}, type = "receipt", subject = EXERCISE, handOver = false): string {
  const s = running(handOver);
  const names = { keys: hex((s.chambers[0] as { keys: Bytes }).keys), session: hex(ID), exercise: hex(EXERCISE) };
  const own: JsonObject = type === "chamber-refusal" ? { run: 1, reason: "BOX_TIME", blamed: "" } : {
    model_claim: hex(MODEL), test_set: hex(SET), runtime: hex(RUNTIME), execution_class: "E0", run: 1, begun: 0, round_to: 4,
    counts: [{ id: "a", population: 60, successes: 56 }], handed_over: 0, bits: 5, result_root: hex(OTHER),
  };
  const sealed = sealStatement(RECEIPT, encodeStatement(type, [{ name: "exercise", sha256: subject }], { ...names, ...own, ...by }));
  return reason(() => receipt(s, { header, statements: [sealed] }));
}

test("an outcome is of this run, this exercise and these terms", () => {
  assert.equal(outcome(), "none");
  for (const run of [1, 3, 2 ** 32]) assert.equal(outcome({ run, reason: "QUOTA_EXHAUSTED" }, "chamber-refusal"), "none");
  assert.equal(outcome({}, "binding"), "BAD_RECEIPT");
  assert.equal(outcome({}, "receipt", OTHER), "BAD_RECEIPT");
  const wrong: readonly JsonObject[] = [
    { exercise: hex(OTHER) }, { keys: hex(OTHER) }, { round_to: 1 }, { bits: 6 }, { handed_over: 60 }, { execution_class: "none" }, { run: 3 }, { run: 0 },
    { counts: [] }, { counts: [{ id: "a", population: 60, successes: 64 }] }, { counts: [{ id: "a", population: 60, successes: 57 }] },
  ];
  for (const by of wrong) assert.equal(outcome(by), "BAD_RECEIPT", JSON.stringify(by));
  for (const by of [{ reason: "BAD_TERMS" }, { blamed: "chamber" }, { run: 0 }, { run: 2 ** 32 + 1 }]) assert.equal(outcome(by, "chamber-refusal"), "BAD_RECEIPT", JSON.stringify(by));
  assert.equal(outcome({}, "receipt", EXERCISE, true), "BAD_RECEIPT");
  assert.equal(outcome({ handed_over: 60, bits: 185 }, "receipt", EXERCISE, true), "none");
});

test("of several outcomes the verdict names every refusal, and both acknowledge the first root there is", () => {
  const s = session(2);
  const claim = { id: "a", type: "metric" };
  const compute: ComputeClaim = { type: "compute", id: "c", minAssurance: "declared", kind: "devices", flop: 0n, devices: [], run: "" };
  s.records = [{ kind: "close", sequence: 0, at: 1, run: "r", tokens: 1n, flop: 6n, weights: "w", missing: 0 }];
  s.terms = { ...s.terms, claims: [claim, compute], notConcluded: ["more"], prior: null } as unknown as Session["terms"];
  s.measured = [{ kind: "metric", claim, population: 0, plan: { population: 60n, threshold: 48n } }] as unknown as Session["measured"];
  s.seed = OTHER;
  const chamber = { keys: OTHER, operator: { key: OTHER, runBy: "neutral", json: {} }, receipt: OTHER, sandbox: "none", swap: "absent", simulated: false, appraised: null } as const;
  s.chambers = [chamber, chamber];
  const refused = (code: "BAD_SEAL" | "BOX_TIME"): Outcome => ({ run: 1, refused: code, blamed: "" });
  s.outcomes = [refused("BAD_SEAL"), refused("BOX_TIME")];
  const because = ["a chamber refused: BAD_SEAL, BOX_TIME"];
  assert.deepEqual(deriveSealedVerdict(s).predicate["claims"], [{
    id: "a", type: "metric", verdict: "INCONCLUSIVE", test: "INCONCLUSIVE", because, population: 60, threshold_count: 48, counted: 0, successes: 0,
    failures: 0, count_low: 0, count_high: 60,
  }, { id: "c", type: "compute", verdict: "INCONCLUSIVE", because: ["the prover showed no compute records"], flop_on_record: "0" }]);
  assert.deepEqual(sealedRoot(s), new Uint8Array(32));
  const counted = { run: 1, refused: null, runtime: RUNTIME, executionClass: "E0", begun: 0, roundTo: 4, counts: [], bits: 5 } as const;
  s.outcomes = [refused("BAD_SEAL"), { ...counted, resultRoot: SET }, { ...counted, resultRoot: OTHER }];
  assert.deepEqual(sealedRoot(s), SET);
});

test("bits of an outcome hold every combination of counts and three ways to end without one", () => {
  const over = (population: bigint): Session["measured"] => [{ plan: { population } }] as unknown as Session["measured"];
  assert.equal(bitsOfOutcome(over(60n), 1), 6);
  assert.equal(bitsOfOutcome(over(61n), 1), 7);
  assert.equal(bitsOfOutcome(over(60n), 4), 5);
});

test("sizes of sealed messages are bounded before they are read", () => {
  const chamber = { keys: Uint8Array.of(1), evidence: none };
  assert.equal(reason(() => boundsEvidence({ header, chambers: [chamber] })), "none");
  assert.equal(reason(() => boundsEvidence({ header, chambers: [] })), "TOO_LARGE");
  assert.equal(reason(() => boundsEvidence({ header, chambers: [{ ...chamber, keys: none }] })), "TOO_LARGE");
  assert.equal(reason(() => boundsEvidence({ header, chambers: [{ ...chamber, evidence: new Uint8Array(1048577) }] })), "TOO_LARGE");
  const key = { keys_digest: ID, wrapped: new Uint8Array(80) };
  assert.equal(reason(() => boundsRelease({ header, keys: [key], size: 2n ** 44n })), "none");
  assert.equal(reason(() => boundsRelease({ header, keys: [key], size: 2n ** 44n + 1n })), "TOO_LARGE");
  assert.equal(reason(() => boundsRelease({ header, keys: [], size: 1n })), "TOO_LARGE");
  assert.equal(reason(() => boundsRelease({ header, keys: [{ ...key, keys_digest: none }], size: 1n })), "MALFORMED");
  assert.equal(reason(() => boundsRelease({ header, keys: [{ ...key, wrapped: new Uint8Array(81) }], size: 1n })), "MALFORMED");
  assert.equal(reason(() => boundsRelease({ header, keys: Array(5).fill(key), size: 1n })), "TOO_LARGE");
  assert.equal(reason(() => boundsEvidence({ header, chambers: Array(4).fill(chamber) })), "none");
  assert.equal(reason(() => boundsEvidence({ header, chambers: Array(5).fill(chamber) })), "TOO_LARGE");
  assert.equal(reason(() => boundsReceipt({ header, statements: Array(5).fill(ID) })), "TOO_LARGE");
  assert.equal(reason(() => boundsReceipt({ header, statements: [] })), "TOO_LARGE");
  assert.equal(reason(() => boundsReceipt({ header, statements: [none] })), "TOO_LARGE");
});
