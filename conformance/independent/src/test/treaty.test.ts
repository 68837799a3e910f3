// Parts of the terms that not every exercise has, and files of models: what the vectors do not reach.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, concat, hex, u64, utf8 } from "../bytes.js";
import type { Claim } from "../claims.js";
import type { Json } from "../json.js";
import { cutModel } from "../segments.js";
import { NOTICE, readAudited, readBinding, readPrior } from "../treaty.js";
import { reason } from "../testing.js";

const A = "aa".repeat(32);
const B = "bb".repeat(32);
const operator = { key: A, run_by: "neutral", reads: ["tests", "weights"] };
const sealed = { bits: 64, hand_over: false, notice: "", program: false, quorum: 1, release_seconds: 0, round_to: 1, runs: 1 };
const chamber = { kind: "chamber", operators: [operator], runtime: B, sealed };
type Change = Readonly<Record<string, Json>>;

function binding(by: Change, mode = "sealed"): string {
  return reason(() => readBinding({ ...chamber, ...by }, mode));
}

test("a binding of sealed mode is whole, and stands in no other mode", () => {
  assert.equal(binding({}), "none");
  assert.equal(binding({}, "open"), "BAD_TERMS");
  const { sealed: _, ...bare } = chamber;
  assert.equal(reason(() => readBinding(bare, "sealed")), "BAD_TERMS");
  assert.equal(reason(() => readBinding(bare, "open")), "none");
  const wrong: readonly Change[] = [
    { operators: [] }, { operators: [operator, operator] }, { operators: [{ ...operator, reads: ["weights", "tests"] }] }, { kind: "none" },
    { sealed: { ...sealed, notice: NOTICE } }, { sealed: { ...sealed, quorum: 2 } }, { sealed: { ...sealed, quorum: 2, notice: NOTICE } },
    { sealed: { ...sealed, release_seconds: 1 } }, { sealed: { ...sealed, runs: 0 } }, { sealed: { ...sealed, round_to: 0 } },
    { sealed: { ...sealed, bits: 2 ** 20 + 1 } }, { sealed: { ...sealed, hand_over: 0 } }, { sealed: { ...sealed, more: 1 } },
  ];
  for (const by of wrong) assert.equal(binding(by), "BAD_TERMS", JSON.stringify(by));
  const two = { operators: [operator, { ...operator, key: B }], sealed: { ...sealed, quorum: 2, notice: NOTICE } };
  assert.equal(binding(two), "none");
});

test("an earlier exercise is named once, whatever it risked", () => {
  const entry = { exercise: A, alpha_compliant: "1/20", alpha_violation: "3/2" };
  assert.equal(reason(() => readPrior([entry, { ...entry, exercise: B }])), "none");
  assert.equal(reason(() => readPrior([entry, entry])), "BAD_TERMS");
  assert.equal(reason(() => readPrior([{ ...entry, alpha_compliant: "0/1", alpha_violation: "0/1" }])), "none");
  assert.equal(reason(() => readPrior([{ ...entry, alpha_compliant: "0/2" }])), "BAD_TERMS");
  assert.equal(reason(() => readPrior([])), "BAD_TERMS");
});

test("an audit tolerates less than everything and has one count for every claim", () => {
  const audited = { receipt: A, exercise: A, result_root: B, counts: [50], tolerance: "1/10" };
  const claims = [{ type: "metric" }] as unknown as readonly Claim[];
  const read = (by: Change, over = claims, mode = "open"): string => reason(() => readAudited({ ...audited, ...by }, over, mode));
  assert.equal(read({}), "none");
  assert.equal(read({ tolerance: "1/1" }), "BAD_TERMS");
  assert.equal(read({ counts: [50, 50] }), "BAD_TERMS");
  assert.equal(read({ counts: [0] }), "BAD_TERMS");
  assert.equal(read({}, claims, "sealed"), "BAD_TERMS");
  assert.equal(read({}, [...claims, { type: "graded" }] as unknown as readonly Claim[]), "BAD_TERMS");
});

function cut(name: string, bytes: Bytes): string {
  return reason(() => cutModel(new Map([[name, bytes]])));
}

function safetensors(header: string, data: number): Bytes {
  const length = u64(header.length).reverse();
  return concat(length, utf8(header), new Uint8Array(data));
}

test("a safetensors file out of form makes no claim", () => {
  const tensor = (shape: string, offsets: string, more = ""): string => `{"w":{"dtype":"U8","shape":${shape},"data_offsets":${offsets}${more}}}`;
  assert.equal(cut("m.safetensors", safetensors(tensor("[2]", "[0,2]"), 2)), "none");
  assert.equal(cut("m.safetensors", safetensors(tensor("[2]", "[0,2]") + "  ", 2)), "none");
  const wrong: readonly string[] = [
    tensor("[2.5]", "[0,2]"), tensor("[-2]", "[0,2]"), tensor("2", "[0,2]"), tensor("[2]", "[2,0]"), tensor("[2]", "[0,2,2]"),
    tensor("[2]", "[0,2]", ',"more":1'), " " + tensor("[2]", "[0,2]"), '{"__metadata__":{"a":1}}',
  ];
  for (const header of wrong) assert.equal(cut("m.safetensors", safetensors(header, header.includes("__meta") ? 0 : 2)), "BAD_MODEL_CLAIM", header);
  assert.equal(cut("m.safetensors", new Uint8Array(7)), "BAD_MODEL_CLAIM");
  assert.equal(cut("m.safetensors", concat(u64(3).reverse(), utf8("{}"))), "BAD_MODEL_CLAIM");
  const names = `{"w":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`;
  assert.equal(cut("m.safetensors", safetensors(names, 2)), "BAD_MODEL_CLAIM");
  assert.equal(cut("m.safetensors", safetensors(tensor(`[${Array(17).fill(1).join()}]`, "[0,1]"), 1)), "BAD_MODEL_CLAIM");
});

const u32 = (n: number): Bytes => Uint8Array.of(n & 255, (n >> 8) & 255, (n >> 16) & 255, n >>> 24);
const le64 = (n: number): Bytes => u64(n).reverse();
const text = (s: string): Bytes => concat(le64(s.length), utf8(s));

/** A file with one tensor of ones; data stands after 32 bytes of alignment. */
function gguf(by: { readonly keys?: readonly Bytes[]; readonly shape?: readonly number[]; readonly type?: number; readonly offset?: number }): Bytes {
  const { keys = [], shape = [4], type = 24, offset = 0 } = by;
  const tensor = concat(text("w"), u32(shape.length), ...shape.map(le64), u32(type), le64(offset));
  const header = concat(utf8("GGUF"), u32(3), le64(1), le64(keys.length), ...keys, tensor);
  return concat(header, new Uint8Array((32 - (header.length % 32)) % 32), new Uint8Array(64));
}

test("a GGUF file out of form makes no claim", () => {
  const key = (name: string, type: number, value: Bytes): Bytes => concat(text(name), u32(type), value);
  assert.equal(cut("m.gguf", gguf({})), "none");
  assert.equal(cut("m.gguf", gguf({ keys: [key("general.alignment", 4, u32(32))] })), "none");
  const wrong: readonly Parameters<typeof gguf>[0][] = [
    { keys: [key("general.alignment", 4, u32(24))] }, { keys: [key("general.alignment", 4, u32(4))] }, { keys: [key("general.alignment", 2, u32(32).subarray(0, 2))] },
    { keys: [key("a", 4, u32(1)), key("a", 4, u32(1))] }, { keys: [key("a", 13, u32(1))] }, { shape: Array<number>(9).fill(1) },
    { type: 99 }, { type: 8 }, { offset: 16 }, { offset: 96 }, { shape: [65] },
  ];
  for (const by of wrong) assert.equal(cut("m.gguf", gguf(by)), "BAD_MODEL_CLAIM", hex(gguf(by)).slice(0, 200));
  assert.equal(cut("m.gguf", gguf({}).subarray(0, 40)), "BAD_MODEL_CLAIM");
  assert.equal(reason(() => cutModel(new Map())), "BAD_MODEL_CLAIM");
  for (const point of ["\u001f", "\u009f", "\u2028", "\u202e", "\u2069", "\ufeff"]) assert.equal(cut(`a${point}b`, new Uint8Array(1)), "BAD_MODEL_CLAIM");
  for (const point of ["\u2027", "\u202f", "\u206a"]) assert.equal(cut(`a${point}b`, new Uint8Array(1)), "none");
});
