// Tests of the floor: what the vector files do not reach.
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { ed25519 } from "@noble/curves/ed25519.js";
import { concat, fromBase64, fromHex, utf8 } from "../bytes.js";
import { publicKey, sign, verify } from "../ed25519.js";
import { crossesOnSuccesses, OneSided, reaches, tailByDefinition } from "../frametest.js";
import { canonical, parse } from "../json.js";
import * as M from "../messages.js";
import { leastUncrossed, leastUncrossedByScan } from "../metric.js";
import { parsePattern } from "../pattern.js";
import { matches } from "../patternrun.js";
import { grade } from "../graders.js";
import { readGrader } from "../graderdoc.js";
import { proofOf, rootOf, checkInclusion, leafHash, seedLeaf, seedLeaves } from "../tree.js";
import { reason } from "../testing.js";

/** Small numbers that look drawn, the same in every run. */
function* numbers(seed: number): Generator<number, never> {
  let state = seed;
  for (;;) {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    yield (state >>> 8) / 0x800000;
  }
}

test("a signature with torsion in R is refused, one of a key with torsion is not", () => {
  const { Point } = ed25519;
  const order = Point.Fn.ORDER;
  const secret = new Uint8Array(32).fill(7);
  const message = utf8("parley");
  assert.ok(verify(publicKey(secret), message, sign(secret, message)));
  const torsion = Point.fromBytes(fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05") as Uint8Array, true);
  const little = (b: Uint8Array): bigint => BigInt("0x" + Buffer.from(b).reverse().toString("hex"));
  const encode = (s: bigint): Uint8Array => new Uint8Array(Buffer.from(s.toString(16).padStart(64, "0"), "hex").reverse());
  const a = 12345678901234567890n;
  const forge = (key: Uint8Array, extra: boolean): Uint8Array => {
    for (let r = 987654321n; ; r++) {
      const point = Point.BASE.multiply(r);
      const R = (extra ? point.add(torsion) : point).toBytes();
      const k = little(createHash("sha512").update(concat(R, key, message)).digest()) % order;
      if (!extra && k % 8n !== 0n) continue;
      return concat(R, encode((r + k * a) % order));
    }
  };
  const plain = Point.BASE.multiply(a).toBytes();
  assert.ok(verify(plain, message, concat(forge(plain, false))));
  assert.ok(!verify(plain, message, forge(plain, true)));
  const mixed = Point.BASE.multiply(a).add(torsion).toBytes();
  assert.ok(verify(mixed, message, forge(mixed, false)));
});

test("JSON is read in one form only", () => {
  const read = (text: string): string => reason(() => parse(utf8(text), 1000));
  assert.equal(read('{"a":1,"b":[true,null,"x"]}'), "none");
  for (const text of ['{"b":1,"a":1}', '{ "a":1}', '"\\u0041"', "[-0]"]) assert.equal(read(text), "NOT_CANONICAL", text);
  const bad = ['{"a":1,"a":1}', "[1.5]", "[1e3]", "[9007199254740992]", "[01]", "", "nul", '"\\ud800"', "[1]x", "[".repeat(34) + "]".repeat(34), "[".repeat(33) + "1" + "]".repeat(33)];
  for (const text of bad) assert.equal(read(text), "MALFORMED", text);
  assert.equal(read("[".repeat(33) + "]".repeat(33)), "none");
  assert.equal(new TextDecoder().decode(canonical({ "\u20ac": 1, a: "\u0000\n\u2028" })), '{"a":"\\u0000\\n\u2028","\u20ac":1}');
  assert.deepEqual(fromBase64("QQ=="), utf8("A"));
  assert.equal(fromBase64("QR=="), null);
});

test("protobuf notices fields that it does not know, at any depth", () => {
  const header = { session_id: new Uint8Array(32), sequence: 5n, previous: new Uint8Array(32).fill(1) };
  const bytes = M.Coin.write({ header, coin: new Uint8Array(32).fill(2), key: new Uint8Array(32).fill(3) });
  const read = M.Coin.read(bytes);
  assert.equal(read.unknown, false);
  assert.deepEqual(read.value.header, header);
  assert.equal(M.Coin.read(concat(bytes, Uint8Array.of(0x78, 1))).unknown, true);
  assert.equal(M.Coin.read(Uint8Array.of(0x0a, 2, 0x78, 1)).unknown, true);
  assert.equal(M.Coin.read(Uint8Array.of(0x10, 1)).unknown, true);
  for (const broken of [[0x0a, 5], [0x0f], [0x80], [0x00], [0x0c]]) {
    assert.equal(reason(() => M.Coin.read(Uint8Array.from(broken))), "MALFORMED");
  }
  assert.equal(reason(() => M.Ending.read(Uint8Array.of(0x12, 1, 0xff))), "MALFORMED");
});

test("the sum of the test follows its definition, and crossing on successes its run", () => {
  const draw = numbers(3);
  const alpha = { p: 1n, q: 10n };
  for (let round = 0; round < 60; round++) {
    const F = BigInt(2 + Math.floor(draw.next().value * 18));
    const K0 = BigInt(Math.floor(draw.next().value * Number(F)));
    const run = new OneSided(F, K0, null);
    while (run.s + run.f < F && run.s <= K0 && run.f <= F - K0) {
      assert.equal(run.evidence().num, tailByDefinition(F, K0, run.s, run.f));
      run.observe(draw.next().value < 0.6);
    }
    for (const star of [null, F]) {
      const successes = new OneSided(F, K0, star);
      let crossed = false;
      for (let n = 1n; n <= F; n++) {
        successes.observe(true);
        crossed ||= reaches(successes.evidence(), alpha);
        assert.equal(crossesOnSuccesses(F, K0, star, alpha, n), crossed);
      }
    }
  }
});

test("the least count that is not excluded is found by halving as by counting up", () => {
  const draw = numbers(4);
  for (let round = 0; round < 300; round++) {
    const F = BigInt(3 + Math.floor(draw.next().value * 18));
    const rate = draw.next().value;
    const path = Array.from({ length: 1 + Math.floor(draw.next().value * Number(F)) }, () => draw.next().value < rate);
    const star = draw.next().value < 0.5 ? null : BigInt(1 + Math.floor(draw.next().value * Number(F)));
    for (const q of [2n, 3n, 20n]) {
      assert.equal(leastUncrossed(F, star, { p: 1n, q }, path), leastUncrossedByScan(F, star, { p: 1n, q }, path));
    }
  }
});

test("proofs of every leaf, and seeds one by one as all together", () => {
  for (let size = 1; size <= 20; size++) {
    const leaves = Array.from({ length: size }, (_, i) => leafHash(Uint8Array.of(i)));
    const root = rootOf(leaves);
    leaves.forEach((leaf, i) => checkInclusion(leaf, BigInt(i), BigInt(size), proofOf(leaves, i), root));
    const seed = new Uint8Array(32).fill(size);
    assert.deepEqual(seedLeaves(seed, size), leaves.map((_, i) => seedLeaf(seed, BigInt(size), BigInt(i))));
  }
});

test("patterns", () => {
  const found = (pattern: string, text: string, whole = false): boolean => matches(parsePattern(pattern, false), text, whole);
  assert.ok(found("a|b+c", "xxbbc"));
  assert.ok(!found("^a$", "a\n"));
  assert.ok(found("(?m:^a$)", "b\na\nc"));
  assert.ok(!found("a.b", "a\nb") && found("(?s:a.b)", "a\nb"));
  assert.ok(found("[^a]{2,3}", "aabb") && !found("[^a]{2,3}", "aab"));
  assert.ok(found("\\bcat\\b", "a cat!") && !found("\\bcat\\b", "concat"));
  assert.ok(found("(a*)*b", "a".repeat(5000) + "b", true));
  assert.ok(found("[[:digit:]-]+", "3-4", true));
  for (const bad of ["", "(", "a**", "*", "\\q", "(?i:a)", "[b-a]", "a{1001}", "(?P<x>a)", "\\1"]) {
    assert.throws(() => parsePattern(bad, false), { message: /./ }, bad);
  }
});

test("graders", () => {
  const run = (document: object, output: string, reference: string): string =>
    grade(readGrader(document as never, "BAD_TERMS"), utf8(output), utf8(reference));
  const number = { kind: "numeric", absolute: "0.5", relative: "0", pick: "last", thousands: true };
  assert.equal(run(number, "about 1,234.4 in all", "1234"), "pass");
  assert.equal(run(number, "x12 and .5e1,", "5"), "pass");
  assert.equal(run(number, "none", "5"), "invalid");
  assert.equal(run({ ...number, pick: "only" }, " 5 apples", "5"), "invalid");
  const letters = { kind: "multiple_choice", choices: ["A", "B"], ignore_case: true, marker: "answer:" };
  assert.equal(run(letters, "A? Answer: (b)", "B"), "pass");
  assert.equal(run(letters, "B", "B"), "invalid");
  assert.equal(run({ kind: "contains", ignore_case: false, whole_words: true }, "concat cat", "cat"), "pass");
  assert.equal(run({ kind: "contains", ignore_case: false, whole_words: true }, "concat", "cat"), "fail");
  const field = { kind: "json_field", path: ["a", 1], ignore_case: false };
  assert.equal(run(field, '{"a": [0, 1.50]}', "15e-1"), "pass");
  assert.equal(run(field, '{"a": [0, "1"]}', "1"), "fail");
  assert.equal(run(field, '{"a": []}', "1"), "invalid");
  const shy = { kind: "exact", trim: true, ignore_case: true, refusal: { pattern: "i cannot", ignore_case: true } };
  assert.equal(run(shy, "Sorry, I CANNOT", "x"), "refuse");
  assert.equal(run(shy, " X ", "x"), "pass");
});
