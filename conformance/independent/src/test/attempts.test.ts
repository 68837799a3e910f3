// Attempts in a record: each knows the one before it only where that was at the same exercise.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, concat, EMPTY, hex, u64, utf8 } from "../bytes.js";
import { coinCommitment, fingerprint } from "../commitments.js";
import { publicKey } from "../ed25519.js";
import { pae, signEnvelope } from "../envelope.js";
import { digest, sha256 } from "../framing.js";
import { readGrader } from "../graderdoc.js";
import { judge } from "../judge.js";
import type { Json, JsonObject } from "../json.js";
import * as M from "../messages.js";
import { encodeEnvelope } from "../record.js";
import { encodeStatement, sealStatement } from "../statement.js";

const many = (n: number): Bytes => new Uint8Array(32).fill(n);
const [V_ROOT, V_KEY, P_ROOT, P_KEY, ROOT] = [1, 2, 3, 4, 5].map(many) as [Bytes, Bytes, Bytes, Bytes, Bytes];
const OWNER = fingerprint(publicKey(V_ROOT));
const GRADER: JsonObject = { kind: "exact", trim: true, ignore_case: false };

type Entry = readonly [kind: number, body: Bytes];

function fileOf(entries: readonly Entry[]): Bytes {
  let running = digest("record");
  const pieces = [utf8("PARLEY RECORD 1\n")];
  for (const [kind, body] of [...entries, [7, u64(entries.length)] as const]) {
    const entry = concat(Uint8Array.of(kind), u64(body.length), body);
    running = sha256(running, entry);
    pieces.push(entry, running);
  }
  return concat(...pieces);
}

function seal(secret: Bytes, type: string, predicate: Json, name: string, subject: Bytes): Bytes {
  return sealStatement(secret, encodeStatement(type, [{ name, sha256: subject }], predicate));
}

function history(root: Bytes, secret: Bytes, role: string): Bytes[] {
  const key = hex(publicKey(secret));
  return [seal(root, "key-certificate", { root: hex(publicKey(root)), key, role, not_before: 0, not_after: 2 ** 42 }, "key", ROOT)];
}

const SET: JsonObject = {
  owner: hex(OWNER), set_id: hex(many(6)), size: 60, root: hex(ROOT), strata: [], item_kinds: ["single"], media_type: "text/plain",
  caps: { prompt_bytes: 64, reference_bytes: 64 }, graders: [hex(readGrader(GRADER, "BAD_TERMS").digest)], baselines: null,
};

function termsOf(title: string): JsonObject {
  const statement = hex(sha256(encodeStatement("test-set", [{ name: "test-set", sha256: ROOT }], SET)));
  const claim = {
    type: "metric", id: "a", min_assurance: "declared", stratum: "", grader: GRADER, events: ["pass"], direction: "at-least", threshold: "4/5",
    alpha_compliant: "1/20", alpha_violation: "1/100",
  };
  return {
    nonce: hex(many(7)), title, mode: "open", parties: { prover: hex(fingerprint(publicKey(P_ROOT))), verifier: hex(OWNER) },
    test_set: { statement, root: hex(ROOT), size: 60, excluded: [] }, model_claim: hex(many(8)), claims: [claim],
    system: { scaffold: "none", runtime: "any", decoding: "greedy" }, plan: { samples: 1, batch: 8, budgets: [{ stratum: "", units: 60 }] },
    caps: { prompt_bytes: 64, reference_bytes: 64, output_bytes: 64, turn_bytes: 4096 }, deadlines: { answer_seconds: 60, turn_seconds: 60 },
    witnesses: { keys: [], threshold: 0, unreachable: "pause" }, consequences: { prover_default: "none", verifier_default: "none" },
    binding: { kind: "none", operators: [] }, qualifiers: [], evidence_policy: null, inventory: null,
    scope: { construct: "sums", sampling_frame: "all", not_concluded: ["more"] },
  };
}

const exerciseOf = (title: string): Bytes => digest("exercise", encodeStatement("terms", [{ name: "any", sha256: ROOT }], termsOf(title)));

interface Attempt { readonly title: string; readonly attempt: number; readonly heads: readonly Bytes[]; readonly coinOf: string }

/** The entries of a session up to its proposal, and its last head. */
function attempt({ title, attempt, heads, coinOf }: Attempt): { entries: Entry[]; head: Bytes } {
  const encoded: Bytes[] = [];
  const entries: Entry[] = [];
  const head = (): Bytes => (encoded.length === 0 ? EMPTY : sha256(encoded[encoded.length - 1] as Bytes));
  const say = (kind: M.Kind, secret: Bytes, write: (header: M.Header) => Bytes): void => {
    const session_id = encoded.length < 2 ? EMPTY : digest("session", ...encoded.slice(0, 2));
    const payload = write({ session_id, sequence: BigInt(encoded.length + 1), previous: head() });
    encoded.push(pae(M.payloadType(kind), payload));
    entries.push([1, encodeEnvelope(signEnvelope(secret, M.payloadType(kind), payload))]);
  };
  const tls = { verifier_tls: many(9), prover_tls: many(10) };
  say("hello", V_KEY, (header) => M.Hello.write({
    header, versions: [1], suites: [1], modes: ["open"], key_history: history(V_ROOT, V_KEY, "verifier"), nonce: many(11), ...tls,
  }));
  say("hello-reply", P_KEY, (header) => M.HelloReply.write({
    header, version: 1, suite: 1, mode: "open", key_history: history(P_ROOT, P_KEY, "prover"), nonce: many(12), ...tls,
  }));
  say("propose", V_KEY, (header) => M.Propose.write({
    header, terms: seal(V_KEY, "terms", termsOf(title), "any", ROOT), attempt, earlier_heads: heads,
    coin_commitment: coinCommitment(many(13), exerciseOf(coinOf), "verifier", many(14)), test_set: seal(V_ROOT, "test-set", SET, "test-set", ROOT),
  }));
  return { entries, head: head() };
}

function judged(second: (head: Bytes) => Attempt): string {
  const first = attempt({ title: "one", attempt: 1, heads: [], coinOf: "one" });
  const { fault } = judge(fileOf([...first.entries, [6, EMPTY], ...attempt(second(first.head)).entries]), []);
  return `${fault?.reason ?? "none"} ${fault?.blamed ?? ""}`;
}

test("a second attempt names the first and keeps its coin", () => {
  assert.equal(judged((head) => ({ title: "one", attempt: 2, heads: [head], coinOf: "one" })), "none ");
  assert.equal(judged((head) => ({ title: "one", attempt: 2, heads: [head], coinOf: "two" })), "BAD_COIN verifier");
  assert.equal(judged(() => ({ title: "one", attempt: 1, heads: [], coinOf: "one" })), "BAD_ATTEMPT verifier");
});

test("there are at most 64 attempts", () => {
  const heads: Bytes[] = [];
  const entries: Entry[] = [];
  const faults = Array.from({ length: 65 }, (_, n) => {
    const next = attempt({ title: "one", attempt: n + 1, heads: [...heads], coinOf: "one" });
    if (n > 0) entries.push([6, EMPTY]);
    entries.push(...next.entries);
    heads.push(next.head);
    return n < 63 ? null : judge(fileOf(entries), []).fault;
  });
  assert.equal(faults[63], null);
  assert.equal(faults[64]?.reason, "BAD_ATTEMPT");
});

test("a fault of the parties, and a record without a message, have the number 1", () => {
  const { entries } = attempt({ title: "one", attempt: 1, heads: [], coinOf: "one" });
  const found = (entries: readonly Entry[], pins: readonly Bytes[]): string => {
    const { fault } = judge(fileOf(entries), pins);
    return `${fault?.reason ?? "none"} ${fault?.sequence ?? ""}`;
  };
  assert.equal(found(entries, [OWNER]), "UNKNOWN_PARTY 1");
  assert.equal(found([], []), "MALFORMED 1");
});

test("an attempt at another exercise is no earlier one", () => {
  assert.equal(judged((head) => ({ title: "two", attempt: 2, heads: [head], coinOf: "one" })), "BAD_ATTEMPT verifier");
  assert.equal(judged((head) => ({ title: "two", attempt: 2, heads: [head], coinOf: "two" })), "BAD_ATTEMPT verifier");
  assert.equal(judged(() => ({ title: "two", attempt: 1, heads: [], coinOf: "two" })), "none ");
});
