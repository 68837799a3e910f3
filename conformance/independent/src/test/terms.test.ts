// Terms as a whole: what the vectors do not reach.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "../json.js";
import { encodeStatement, openStatement, sealStatement } from "../statement.js";
import { readTerms } from "../terms.js";
import { reason } from "../testing.js";

const SECRET = new Uint8Array(32).fill(1);
const [A, B] = ["aa".repeat(32), "bb".repeat(32)];
const grader: JsonObject = { kind: "exact", trim: true, ignore_case: false };
const metric: JsonObject = {
  type: "metric", id: "a", min_assurance: "declared", stratum: "", grader, events: ["pass"], direction: "at-least", threshold: "4/5",
  alpha_compliant: "1/20", alpha_violation: "1/100",
};
const TERMS: JsonObject = {
  nonce: A, title: "sums", mode: "open", parties: { prover: A, verifier: B }, test_set: { statement: A, root: B, size: 60, excluded: [] },
  model_claim: A, system: { scaffold: "none", runtime: "any", decoding: "greedy" }, claims: [metric],
  plan: { samples: 1, batch: 8, budgets: [{ stratum: "", units: 60 }] },
  caps: { prompt_bytes: 64, reference_bytes: 64, output_bytes: 64, turn_bytes: 4096 }, deadlines: { answer_seconds: 60, turn_seconds: 60 },
  witnesses: { keys: [], threshold: 0, unreachable: "pause" }, consequences: { prover_default: "none", verifier_default: "none" },
  binding: { kind: "none", operators: [] }, qualifiers: [], evidence_policy: null, inventory: null,
  scope: { construct: "sums", sampling_frame: "all", not_concluded: ["more"] },
};

function readWhole(predicate: JsonObject, subject = "test-set", type = "terms"): string {
  const payload = encodeStatement(type, [{ name: subject, sha256: new Uint8Array(32) }], predicate);
  return reason(() => readTerms(openStatement(sealStatement(SECRET, payload), [])));
}

function read(by: JsonObject): string {
  return readWhole({ ...TERMS, ...by });
}

test("subjects of terms are for people and are not compared", () => {
  assert.equal(read({}), "none");
  assert.equal(readWhole(TERMS, "something else"), "none");
});

test("devices in the terms ascend by code points, each once", () => {
  const inventory = (...devices: readonly string[]): string => read({ inventory: { devices: [...devices], start: 0, end: 1 } });
  const claimed = (...devices: readonly string[]): string => read({
    claims: [metric, { type: "compute", id: "b", min_assurance: "declared", kind: "devices", flop: "0", devices: [...devices], run: "" }],
  });
  assert.equal(claimed(), "none");
  assert.equal(inventory(), "BAD_TERMS");
  for (const devices of [inventory, claimed]) {
    assert.equal(devices("B", "a", "\uffff", "\u{10000}"), "none");
    for (const wrong of [["a", "B"], ["a", "a"], ["\u{10000}", "\uffff"], [""]]) assert.equal(devices(...wrong), "BAD_TERMS", wrong.join());
  }
});

test("fields of the terms are all there, and no others", () => {
  for (const name of Object.keys(TERMS)) {
    const { [name]: _, ...rest } = TERMS;
    assert.equal(readWhole(rest), "BAD_TERMS", name);
  }
  assert.equal(read({ more: 1 }), "BAD_TERMS");
  assert.equal(readWhole(TERMS, "test-set", "binding"), "BAD_STATEMENT");
});
