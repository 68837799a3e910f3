// Statements beside Accept, audited results, attempts and added-up risks: what the vectors do not reach.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkResults } from "../audit.js";
import { type Bytes, hex, u64 } from "../bytes.js";
import { publicKey } from "../ed25519.js";
import { digest, mac } from "../framing.js";
import type { Json, JsonObject } from "../json.js";
import { type Plan, type Result, runMetric } from "../metric.js";
import { readRecords } from "../records.js";
import { readModelClaim, readTestSet } from "../registration.js";
import { type Challenged, Session } from "../session.js";
import { spentJson } from "../spent.js";
import { encodeStatement, openStatement, sealStatement, type Statement } from "../statement.js";
import type { Terms } from "../terms.js";
import { leafHash, proofOf, rootOf } from "../tree.js";
import { deriveVerdict } from "../verdict.js";
import { reason } from "../testing.js";

const SECRET = new Uint8Array(32).fill(1);
const ZERO = new Uint8Array(32);
const RUN = "aa".repeat(32);

function statement(type: string, predicate: Json, subject: Bytes = ZERO, name = "compute-record"): Statement {
  return openStatement(sealStatement(SECRET, encodeStatement(type, [{ name, sha256: subject }], predicate)), []);
}

const SNAPSHOT: JsonObject = { run: RUN, step: 1, tokens: "1", flop: "60", weights: RUN, data_end: 1, seconds: [{ device: "a", seconds: 1 }, { device: "b", seconds: 1 }] };

function record(sequence: number, prev: Bytes, by: JsonObject = {}, body: JsonObject = {}): Statement {
  const predicate = { sequence, prev: hex(prev), at: 1, kind: "snapshot", body: { ...SNAPSHOT, ...body }, ...by };
  return statement("compute-record", predicate, digest("compute", prev, u64(sequence)));
}

test("another predicate type than expected has the reason of its place", () => {
  const other = sealStatement(SECRET, encodeStatement("binding", [{ name: "any", sha256: ZERO }], {}));
  assert.equal(reason(() => readModelClaim(other, publicKey(SECRET))), "BAD_MODEL_CLAIM");
  assert.equal(reason(() => readTestSet(other, publicKey(SECRET))), "BAD_STATEMENT");
});

test("compute records are one unbroken chain of their form", () => {
  const first = record(0, ZERO);
  const read = (...records: readonly Statement[]): string => reason(() => readRecords(records));
  assert.equal(read(first, record(1, first.digest)), "none");
  assert.equal(read(first, record(2, first.digest)), "BAD_EVIDENCE");
  assert.equal(read(first, record(1, ZERO)), "BAD_EVIDENCE");
  assert.equal(read(record(1, ZERO)), "BAD_EVIDENCE");
  const subject = digest("compute", ZERO, u64(0));
  assert.equal(read(statement("compute-record", first.predicate, subject)), "none");
  assert.equal(read(statement("compute-record", first.predicate, subject, "any")), "BAD_EVIDENCE");
  assert.equal(read(statement("compute-record", first.predicate, digest("compute", ZERO, u64(1)))), "BAD_EVIDENCE");
  assert.equal(read(statement("binding", first.predicate, subject)), "BAD_EVIDENCE");
  const wrong: readonly JsonObject[] = [
    { tokens: "01" }, { tokens: String(10n ** 32n + 1n) }, { seconds: [{ device: "b", seconds: 1 }, { device: "a", seconds: 1 }] },
    { seconds: [{ device: "a", seconds: 1 }, { device: "a", seconds: 1 }] }, { more: 1 },
  ];
  for (const body of wrong) assert.equal(read(record(0, ZERO, {}, body)), "BAD_EVIDENCE", JSON.stringify(body));
  assert.equal(read(record(0, ZERO, { kind: "other" })), "BAD_EVIDENCE");
});

test("an audited result stands at its unit's place among all populations, without what is excluded", () => {
  const exercise = new Uint8Array(32).fill(2);
  const s = new Session();
  s.populations = [
    { name: "x", ranges: [[0n, 1n], [3n, 5n]], budget: 2, size: 6n }, { name: "y", ranges: [[6n, 7n]], budget: 2, size: 2n },
  ];
  s.measured = [0, 1].map((population) => ({ population })) as unknown as Session["measured"];
  const leaves = Array.from({ length: 8 }, (_, n) => leafHash(mac(SECRET, "result-bit", exercise, u64(n), Uint8Array.of(n % 5))));
  s.terms = { samples: 2, audited: { exercise, resultRoot: rootOf(leaves) } } as unknown as Terms;
  const unit = (item: bigint, sample: number, population: number): Challenged => ({ item, sample, population }) as unknown as Challenged;
  const shown = (at: Challenged, place: number, codes = Uint8Array.of(place % 5)): string =>
    reason(() => checkResults(s, [at], 1, [{ codes, key: SECRET, proof: proofOf(leaves, place) }]));
  assert.equal(shown(unit(0n, 1, 0), 1), "none");
  assert.equal(shown(unit(4n, 1, 0), 5), "none");
  assert.equal(shown(unit(6n, 0, 1), 6), "none");
  assert.equal(shown(unit(6n, 0, 1), 5), "BAD_PROOF");
  assert.equal(shown(unit(0n, 0, 0), 0, Uint8Array.of(5)), "WRONG_RESULT_BITS");
  assert.equal(shown(unit(0n, 0, 0), 0, Uint8Array.of(0, 0)), "WRONG_RESULT_BITS");
});

test("a unit that neither was claimed nor confirmed is not overstated", () => {
  const alpha = { p: 1n, q: 20n };
  const plan: Plan = { population: 60n, threshold: 40n, declared: 0n, budget: 60, alphaCompliant: alpha, alphaViolation: alpha, claimed: 50n };
  assert.deepEqual(runMetric(plan, ["1", "0", "0", "-"], [true, false, true, false]).good, [true, true, false, true]);
  assert.deepEqual(runMetric({ ...plan, claimed: null }, ["1", "0", "-"]).good, [true, false, false]);
});

test("in an audit an answer that did not come out again is a mismatch where success was claimed", () => {
  const s = new Session();
  const alpha = { p: 1n, q: 20n };
  const plan: Plan = { population: 60n, threshold: 40n, declared: 0n, budget: 4, alphaCompliant: alpha, alphaViolation: alpha, claimed: 50n };
  const claim = { id: "a", type: "metric", direction: "at-least", events: ["pass"], minAssurance: "declared", alphaViolation: alpha };
  const measured = { kind: "metric", claim, population: 0, plan };
  const [results, claimed]: [Result[], boolean[]] = [["1", "1", "0", "-"], [true, false, false, true]];
  s.terms = {
    exercise: ZERO, digest: ZERO, modelClaim: ZERO, set: { root: ZERO }, claims: [claim], notConcluded: ["more"], prior: null,
    audited: { tolerance: { p: 0n, q: 1n }, json: {} },
  } as unknown as Terms;
  s.seed = ZERO;
  const units = results.map((_, n) => [n]);
  s.results = { claims: [{ kind: "metric", measured, units, results, claimed, first: runMetric(plan, results, claimed) }], bits: [] } as unknown as Session["results"];
  const compared = (reproduced: string | null): Json => {
    const operator = { key: ZERO, runBy: "neutral", json: {} } as const;
    s.binding = reproduced === null ? null : { digest: ZERO, operator, runtime: ZERO, executionClass: "E0", sandbox: "none", reproduced };
    const [first] = deriveVerdict(s).predicate["claims"] as JsonObject[];
    const { mismatches, overstated, integrity } = first?.["comparison"] as JsonObject;
    return { mismatches, overstated, integrity } as Json;
  };
  assert.deepEqual(compared(null), { mismatches: 1, overstated: 1, integrity: "BREACHED" });
  assert.deepEqual(compared("111-"), { mismatches: 1, overstated: 1, integrity: "BREACHED" });
  assert.deepEqual(compared("011-"), { mismatches: 2, overstated: 2, integrity: "BREACHED" });
  assert.deepEqual(compared("101-"), { mismatches: 0, overstated: 1, integrity: "INTACT" });
  assert.deepEqual(compared("110-"), { mismatches: 1, overstated: 1, integrity: "BREACHED" });
});

test("risks add up over prior exercises and this one, and to no more than all", () => {
  const risks = { alphaCompliant: { p: 1n, q: 20n }, alphaViolation: { p: 1n, q: 100n } };
  const terms = (mode: string, violation = { p: 1n, q: 30n }): Terms => ({
    mode, claims: [{ type: "metric", ...risks }, { type: "identity" }], prior: [{ exercise: RUN, alphaCompliant: { p: 1n, q: 30n }, alphaViolation: violation }],
  }) as unknown as Terms;
  assert.deepEqual(spentJson(terms("open")), { spent: { exercises: [RUN], alpha_compliant: "1/12", alpha_violation: "13/300" } });
  assert.deepEqual(spentJson(terms("sealed")), { spent: { exercises: [RUN], alpha_compliant: "1/30", alpha_violation: "1/30" } });
  assert.deepEqual(spentJson(terms("open", { p: 99n, q: 100n })), { spent: { exercises: [RUN], alpha_compliant: "1/12", alpha_violation: "1/1" } });
  assert.deepEqual(spentJson(terms("sealed", { p: 0n, q: 1n })), { spent: { exercises: [RUN], alpha_compliant: "1/30", alpha_violation: "0/1" } });
  assert.deepEqual(spentJson({ ...terms("open"), prior: null }), {});
});
