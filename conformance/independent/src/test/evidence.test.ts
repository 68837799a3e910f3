// Evidence policies, evidence items and their appraisal: what the vectors do not reach.
import assert from "node:assert/strict";
import { test } from "node:test";
import { appraise, readEvidence } from "../appraisal.js";
import { bind } from "../binder.js";
import { base64, type Bytes, hex, utf8 } from "../bytes.js";
import { publicKey, sign } from "../ed25519.js";
import { frame } from "../framing.js";
import { canonical, type JsonObject } from "../json.js";
import { readPolicy } from "../policy.js";
import { encodeStatement, openStatement, sealStatement, type Statement } from "../statement.js";
import { reason } from "../testing.js";

const SECRET = new Uint8Array(32).fill(1);
const LABORATORY = new Uint8Array(32).fill(2);
const ID = new Uint8Array(32).fill(3);

const snp: JsonObject = { tcb_floor: { milan: { bl: 4 } }, platform_required: 0, platform_forbidden: 0, vmpl: [0], fleet_keys: false };
const dcap: JsonObject = { statuses: ["UpToDate"], advisories: [], min_evaluation: 0, max_collateral_age: 0 };
const reference: JsonObject = { name: "any", kind: "simulated", holds_key: true, values: { measurement: ["ab"] } };
const advisory: JsonObject = { name: "any", kinds: ["snp"], products: ["milan"], source: "any" };
const POLICY: JsonObject = {
  type: "laboratory", name: "test", not_after: 100, kinds: ["simulated"], products: ["simulated"], machines: { rule: "any", ids: [] },
  revocation_required: [], max_evidence_age: 0, snp, dcap, references: [reference], advisories: [], composite: { cpus: 1, gpus: 0, roots: 1 },
  simulated_root: hex(publicKey(LABORATORY)), binder_required: false,
};

function policy(by: JsonObject): string {
  return reason(() => readPolicy({ ...POLICY, ...by }));
}

test("a policy is whole and within its ranges", () => {
  for (const name of Object.keys(POLICY)) {
    const { [name]: _, ...rest } = POLICY;
    assert.equal(reason(() => readPolicy(rest)), "BAD_TERMS", name);
  }
  const most = Number.MAX_SAFE_INTEGER;
  const right: readonly JsonObject[] = [
    {}, { snp: { ...snp, platform_required: most, platform_forbidden: most } }, { dcap: { ...dcap, min_evaluation: most, max_collateral_age: 2 ** 42 } },
    { dcap: { ...dcap, statuses: Array<string>(4096).fill("UpToDate") } }, { machines: { rule: "registered", ids: ["x".repeat(4096)] } },
    { references: [{ ...reference, name: "x".repeat(200), values: { measurement: ["AB"], more: ["c"] } }] },
    { references: [{ ...reference, values: { measurement: ["x".repeat(4096)], ["y".repeat(4096)]: ["c"] } }] },
    { advisories: [{ ...advisory, name: "x".repeat(200), source: "x".repeat(500) }] },
  ];
  for (const by of right) assert.equal(policy(by), "none", JSON.stringify(by).slice(0, 80));
  const wrong: readonly JsonObject[] = [
    { snp: { ...snp, platform_required: -1 } }, { snp: { ...snp, platform_forbidden: [] } }, { snp: { ...snp, vmpl: [4] } }, { snp: { ...snp, tcb_floor: { milan: { bl: 256 } } } },
    { dcap: { ...dcap, max_collateral_age: 2 ** 42 + 1 } }, { dcap: { ...dcap, statuses: ["Revoked"] } }, { dcap: { ...dcap, statuses: Array<string>(4097).fill("UpToDate") } },
    { machines: { rule: "any", ids: ["a"] } }, { machines: { rule: "registered", ids: [1] } }, { machines: { rule: "registered", ids: [""] } }, { kinds: ["simulated", "simulated"] },
    { references: [{ ...reference, values: {} }] }, { references: [{ ...reference, name: "x".repeat(201) }] },
    { advisories: [{ ...advisory, name: "x".repeat(201) }] }, { advisories: [{ ...advisory, source: "x".repeat(501) }] }, { advisories: [{ ...advisory, products: [] }] },
    { references: [{ ...reference, values: { pcr4: ["ab"] } }] }, { references: [{ ...reference, values: { measurement: [""] } }] },
    { references: [{ ...reference, values: { measurement: ["x".repeat(4097)] } }] }, { references: [{ ...reference, values: { measurement: ["a"], "": ["c"] } }] },
    { composite: { cpus: 1, gpus: 0, roots: 0 } }, { type: "production" }, { more: 1 },
  ];
  for (const by of wrong) assert.equal(policy(by), "BAD_TERMS", JSON.stringify(by).slice(0, 80));
});

function statement(type: string, predicate: JsonObject): Statement {
  return openStatement(sealStatement(SECRET, encodeStatement(type, [{ name: "any", sha256: ID }], predicate)), []);
}

const item: JsonObject = { name: "a", kind: "other", raw: base64(ID), certificates: [], crls: [], ocsp: [], collateral: {} };

function evidence(...items: readonly JsonObject[]): Statement {
  return statement("evidence", { at: 1, items: [...items] });
}

test("evidence out of form is refused; an empty raw and an unknown kind are not", () => {
  const read = (...items: readonly JsonObject[]): string => reason(() => readEvidence(evidence(...items)));
  assert.equal(read(item), "none");
  assert.equal(read(item, { ...item, name: "b" }), "none");
  for (const by of [{ raw: "" }, { kind: "x" }, { kind: "x".repeat(64) }, { raw: base64(new Uint8Array(262144)) }, { crls: Array<string>(16).fill("") }]) {
    assert.equal(read({ ...item, ...by }), "none", JSON.stringify(by).slice(0, 80));
  }
  assert.equal(read(item, item), "BAD_EVIDENCE");
  assert.equal(read(), "BAD_EVIDENCE");
  const wrong: readonly JsonObject[] = [
    { raw: "a" }, { raw: base64(new Uint8Array(262145)) }, { certificates: Array<string>(17).fill("") }, { crls: Array<string>(17).fill("") },
    { ocsp: Array<string>(17).fill("") }, { collateral: { tcb_info: "" } }, { kind: 1 }, { kind: "" }, { kind: "x".repeat(65) }, { name: "" }, { more: 1 },
  ];
  for (const by of wrong) assert.equal(read({ ...item, ...by }), "BAD_EVIDENCE", JSON.stringify(by).slice(0, 80));
  assert.equal(reason(() => readEvidence(statement("binding", { at: 1, items: [item] }))), "BAD_STATEMENT");
});

const parts = { transcript: ID, proverNonce: ID, verifierNonce: ID, hpke: new Uint8Array(0), answering: ID };

function simulated(by: JsonObject = {}): Bytes {
  const body = {
    profile: "tag:parley,2026:simulated-evidence/v1#NOT-HARDWARE", instance: "one", measurement: "ab", binder: hex(bind(parts, []).bind64), ...by,
  };
  return canonical({ body, signature: hex(sign(LABORATORY, frame("evidence-simulated", canonical(body)))) });
}

function appraised(raw: Bytes, kind = "simulated", by: JsonObject = {}): string {
  return appraise(readEvidence(evidence({ ...item, kind, raw: base64(raw) })), readPolicy({ ...POLICY, ...by }), parts).assurance;
}

test("what is in form and not affirmed backs nothing", () => {
  assert.equal(appraised(simulated()), "simulated");
  assert.equal(appraised(new Uint8Array(0)), "none");
  assert.equal(appraised(utf8("x")), "none");
  assert.equal(appraised(simulated(), "other"), "none");
  assert.equal(appraised(simulated({ measurement: "cd" })), "none");
  assert.equal(appraised(simulated(), "simulated", { references: [{ ...reference, values: { measurement: ["AB"] } }] }), "none");
  assert.equal(appraised(simulated(), "simulated", { not_after: 0 }), "none");
  assert.equal(appraised(utf8("report"), "snp", { kinds: ["snp"] }), "unknown");
  assert.equal(appraised(new Uint8Array(0), "snp", { kinds: ["snp"] }), "none");
});

test("the binder is compared where the policy does not require it", () => {
  assert.equal(appraised(simulated({ binder: "" })), "none");
  assert.equal(appraised(simulated({ binder: hex(ID) })), "none");
});
