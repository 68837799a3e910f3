// How .onnx graphs are cut, on graphs made by hand: no vector has one.
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Bytes, concat, u64, utf8 } from "../bytes.js";
import { cutModel, type ModelFiles } from "../segments.js";
import { reason } from "../testing.js";

function varint(value: number): Bytes {
  const out: number[] = [];
  for (let rest = value; out.length === 0 || rest > 0; rest = Math.floor(rest / 128)) out.push((rest % 128) + (rest >= 128 ? 128 : 0));
  return Uint8Array.from(out);
}

const number = (at: number, value: number): Bytes => concat(varint(at * 8), varint(value));
const field = (at: number, bytes: Bytes): Bytes => concat(varint(at * 8 + 2), varint(bytes.length), bytes);
const text = (at: number, value: string): Bytes => field(at, utf8(value));

const [FLOAT, INT8, STRING, UINT4] = [1, 3, 8, 21];
const name = (value: string): Bytes => text(8, value);
const type = (value: number): Bytes => number(2, value);
const shape = (...dimensions: readonly number[]): Bytes => field(1, concat(...dimensions.map(varint)));
const raw = (...bytes: readonly number[]): Bytes => field(9, Uint8Array.from(bytes));
const initializer = (...fields: readonly Bytes[]): Bytes => field(5, concat(...fields));
const graph = (...fields: readonly Bytes[]): Bytes => concat(number(1, 8), field(7, concat(text(2, "graph"), ...fields)), text(3, "end"));

const entry = (key: string, value: string): Bytes => field(13, concat(text(1, key), text(2, value)));
const external = (entries: Readonly<Record<string, string>>): Bytes =>
  concat(number(14, 1), ...Object.entries(entries).map(([key, value]) => entry(key, value)));

function tensors(files: ModelFiles): string[] {
  return cutModel(files).filter((s) => s.kind === "tensor")
    .map((s) => `${s.path} ${s.name} ${s.dtype} [${s.shape.join()}] ${[...(files.get(s.path) ?? [])].slice(s.offset, s.offset + s.size).join(" ")}`);
}

function inside(...fields: readonly Bytes[]): string[] {
  return tensors(new Map([["g.onnx", graph(initializer(...fields))]]));
}

function refused(...fields: readonly Bytes[]): string {
  return reason(() => inside(...fields));
}

test("tensors inside a graph are the bytes of the one field that has their values", () => {
  assert.deepEqual(inside(name("w"), type(INT8), shape(3), raw(1, 2, 3)), ["g.onnx w INT8 [3] 1 2 3"]);
  assert.deepEqual(inside(name("w"), type(INT8), number(1, 3), raw(1, 2, 3)), ["g.onnx w INT8 [3] 1 2 3"]);
  assert.deepEqual(inside(name("w"), type(INT8), raw(7)), ["g.onnx w INT8 [] 7"]);
  assert.deepEqual(inside(name("\n"), type(INT8), raw(7)), ["g.onnx \n INT8 [] 7"]);
  assert.deepEqual(inside(name("w"), type(UINT4), shape(3), raw(1, 2)), ["g.onnx w UINT4 [3] 1 2"]);
  assert.deepEqual(inside(name("w"), type(INT8), shape(2), field(5, Uint8Array.of(1, 2))), ["g.onnx w INT8/int32_data [2] 1 2"]);
  assert.deepEqual(inside(name("w"), type(FLOAT), shape(9), field(4, Uint8Array.of(0, 0, 0, 0))), ["g.onnx w FLOAT/float_data [9] 0 0 0 0"]);
});

test("everything else in a graph is structure, byte for byte", () => {
  const kinds = (...initializers: readonly Bytes[]): string[] => cutModel(new Map([["g.onnx", graph(...initializers)]])).map((s) => s.kind);
  const w = initializer(name("w"), type(INT8), shape(1), raw(1));
  assert.deepEqual(kinds(w, initializer(name("v"), type(INT8), shape(1), raw(2))), ["structure", "tensor", "structure", "tensor", "structure"]);
  assert.deepEqual(kinds(), ["structure"]);
  const whole = graph(w);
  const cut = cutModel(new Map([["g.onnx", whole]]));
  assert.equal(cut.reduce((at, s) => (s.offset === at ? at + s.size : -1), 0), whole.length);
});

test("an initializer without one name, one known type and one field of values is structure", () => {
  assert.deepEqual(inside(type(INT8), shape(1), raw(1)), []);
  assert.deepEqual(inside(name(""), type(INT8), shape(1), raw(1)), []);
  assert.deepEqual(inside(name("w"), name("v"), type(INT8), shape(1), raw(1)), []);
  assert.deepEqual(inside(name("w"), shape(1), raw(1)), []);
  assert.deepEqual(inside(name("w"), type(STRING), shape(1), text(6, "x")), []);
  assert.deepEqual(inside(name("w"), type(99), shape(5), raw(1)), []);
  assert.deepEqual(inside(name("w"), type(INT8), shape(1)), []);
  assert.deepEqual(inside(name("w"), type(INT8), shape(0), raw()), []);
  assert.deepEqual(inside(name("w"), type(INT8), shape(1), raw(1), raw(2)), []);
  assert.deepEqual(inside(name("w"), type(INT8), shape(1), raw(1), field(5, Uint8Array.of(1))), []);
});

test("raw data of another size, too many dimensions and broken bytes make no claim", () => {
  assert.equal(refused(name("w"), type(INT8), shape(2), raw(1, 2, 3)), "BAD_MODEL_CLAIM");
  assert.equal(refused(name("w"), type(FLOAT), shape(1), raw(1, 2, 3)), "BAD_MODEL_CLAIM");
  assert.equal(refused(name("w"), type(UINT4), shape(3), raw(1)), "BAD_MODEL_CLAIM");
  assert.equal(refused(name("w"), type(INT8), shape(...Array<number>(16).fill(1)), raw(1)), "none");
  assert.equal(refused(name("w"), type(INT8), shape(...Array<number>(17).fill(1)), raw(1)), "BAD_MODEL_CLAIM");
  assert.equal(refused(name("w"), type(INT8), shape(2 ** 53), field(5, Uint8Array.of(1))), "BAD_MODEL_CLAIM");
  assert.equal(refused(name("x".repeat(1024)), type(INT8), raw(1)), "none");
  assert.equal(refused(name("x".repeat(1025)), type(INT8), raw(1)), "BAD_MODEL_CLAIM");
  assert.equal(refused(name("w"), type(INT8), raw(1), varint(8 * 100 + 3), varint(8 * 100 + 4)), "BAD_MODEL_CLAIM");
  const whole = graph(initializer(name("w"), type(INT8), shape(1), raw(1)));
  assert.equal(reason(() => cutModel(new Map([["g.onnx", whole.subarray(0, whole.length - 2)]]))), "BAD_MODEL_CLAIM");
});

const DATA = Uint8Array.of(0, 1, 2, 3, 4);

function outside(entries: Readonly<Record<string, string>>, ...fields: readonly Bytes[]): string[] {
  const all = fields.length > 0 ? fields : [name("w"), type(INT8), shape(3)];
  return tensors(new Map([["d/g.onnx", graph(initializer(...all, external(entries)))], ["d/w.bin", DATA]]));
}

test("external data is a tensor of the file that it names beside the graph", () => {
  const location = "w.bin";
  assert.deepEqual(outside({ location, offset: "1", length: "3" }), ["d/w.bin w INT8 [3] 1 2 3"]);
  assert.deepEqual(outside({ location, length: "3" }), ["d/w.bin w INT8 [3] 0 1 2"]);
  assert.deepEqual(outside({ location, offset: "2" }), ["d/w.bin w INT8 [3] 2 3 4"]);
  const cut = cutModel(new Map([["g.onnx", graph(initializer(name("w"), type(INT8), shape(3), external({ location, offset: "1", length: "3" })))], [location, DATA]]));
  assert.deepEqual(cut.filter((s) => s.path === location).map((s) => [s.kind, s.offset, s.size]), [["structure", 0, 1], ["tensor", 1, 3], ["structure", 4, 1]]);
});

test("external data that its file, name, type or length does not bear makes no claim", () => {
  const location = "w.bin";
  const wrong: readonly Readonly<Record<string, string>>[] = [
    {}, { location: "v.bin" }, { location: "../w.bin" }, { location, length: "2" }, { location, offset: "3", length: "3" }, { location, offset: "6" },
    { location, offset: "-1" }, { location, offset: "x" }, { location, length: "" },
  ];
  for (const entries of wrong) assert.equal(reason(() => outside(entries)), "BAD_MODEL_CLAIM", JSON.stringify(entries));
  assert.deepEqual(inside(name("w"), type(INT8), shape(1), external({ location }), number(14, 0), raw(1)), ["g.onnx w INT8 [1] 1"]);
  for (const fields of [[type(INT8), shape(3)], [name(""), type(INT8), shape(3)], [name("w"), shape(3)], [name("w"), type(STRING), shape(3)], [name("w"), type(99), shape(3)]]) {
    assert.equal(reason(() => outside({ location }, ...fields)), "BAD_MODEL_CLAIM");
  }
});

test("external data has at most eight keys, each once", () => {
  const keys = (n: number): Record<string, string> => Object.fromEntries(Array.from({ length: n }, (_, i) => [`k${i}`, ""]));
  assert.deepEqual(outside({ location: "w.bin", length: "3", ...keys(6) }), ["d/w.bin w INT8 [3] 0 1 2"]);
  assert.equal(reason(() => outside({ location: "w.bin", length: "3", ...keys(7) })), "BAD_MODEL_CLAIM");
  const twice = [name("w"), type(INT8), shape(3), external({ location: "w.bin", length: "3" }), entry("length", "3")];
  assert.equal(reason(() => tensors(new Map([["g.onnx", graph(initializer(...twice))], ["w.bin", DATA]]))), "BAD_MODEL_CLAIM");
});

test("pairs of external data are read whatever the location says, one without a key under the empty key", () => {
  const here = [name("w"), type(INT8), shape(1), raw(1)];
  const keys = (n: number): Bytes[] => Array.from({ length: n }, (_, i) => entry(`k${i}`, ""));
  const keyless = field(13, text(2, "v"));
  for (const where of [[], [number(14, 0)], [number(14, 7)]]) {
    assert.deepEqual(inside(...here, ...where, ...keys(7), keyless), ["g.onnx w INT8 [1] 1"]);
    for (const pairs of [keys(9), [...keys(8), keyless], [entry("k", "a"), entry("k", "b")], [keyless, keyless], [keyless, entry("", "")]]) {
      assert.equal(refused(...here, ...where, ...pairs), "BAD_MODEL_CLAIM");
    }
  }
  assert.equal(refused(...keys(9)), "BAD_MODEL_CLAIM");
  assert.deepEqual(outside({ location: "w.bin" }, name("w"), type(INT8), shape(5), keyless), ["d/w.bin w INT8 [5] 0 1 2 3 4"]);
});

test("a field of another wire type than its own is no value, nor a name, a type or a pair", () => {
  const fixed = (at: number): Bytes => concat(varint(at * 8 + 5), bytes4);
  const bytes4 = Uint8Array.of(0, 0, 0, 0);
  const here = [name("w"), type(INT8), shape(1), raw(1)];
  for (const other of [fixed(4), number(5, 1), number(7, 1), number(9, 1), fixed(8), fixed(2), fixed(1), number(13, 1), fixed(14), text(14, "x")]) {
    assert.deepEqual(inside(...here, other), ["g.onnx w INT8 [1] 1"]);
  }
  assert.deepEqual(inside(name("w"), type(FLOAT), shape(1), fixed(4)), []);
  assert.deepEqual(inside(name("w"), text(2, "x"), shape(1), raw(1)), []);
});

test("dimensions are counted before values are looked for", () => {
  const many = shape(...Array<number>(17).fill(1));
  assert.equal(refused(name("w"), type(INT8), many), "BAD_MODEL_CLAIM");
  assert.equal(refused(name("w"), type(INT8), many, raw(1), raw(1)), "BAD_MODEL_CLAIM");
  assert.equal(refused(name("w"), type(INT8), ...Array.from({ length: 17 }, () => number(1, 1))), "BAD_MODEL_CLAIM");
  assert.equal(refused(name("w"), type(INT8), shape(2 ** 53)), "BAD_MODEL_CLAIM");
  assert.equal(refused(name("w"), type(INT8), shape(...Array<number>(16).fill(1))), "none");
});

test("the name of a tensor is any text in every format, the path of a file is not", () => {
  const called = "\u0000\u202e\ufeff";
  const header = utf8(JSON.stringify({ [called]: { dtype: "U8", shape: [1], data_offsets: [0, 1] } }).replace("\ufeff", "\\ufeff"));
  const st = concat(u64(header.length).reverse(), header, Uint8Array.of(5));
  assert.deepEqual(tensors(new Map([["a.safetensors", st]])), [`a.safetensors ${called} U8 [1] 5`]);
  const [little8, little4] = [(n: number): Bytes => u64(n).reverse(), (n: number): Bytes => u64(n).reverse().subarray(0, 4)];
  const utf = utf8(called);
  const start = concat(utf8("GGUF"), little4(3), little8(1), little8(0), little8(utf.length), utf, little4(1), little8(1), little4(24), little8(0));
  const gguf = concat(start, new Uint8Array((32 - (start.length % 32)) % 32), Uint8Array.of(6));
  assert.deepEqual(tensors(new Map([["a.gguf", gguf]])), [`a.gguf ${called} I8 [1] 6`]);
  assert.deepEqual(inside(name(called), type(INT8), raw(7)), [`g.onnx ${called} INT8 [] 7`]);
  assert.equal(reason(() => tensors(new Map([[`${called}.bin`, DATA]]))), "BAD_MODEL_CLAIM");
});

test("external data in a file with a format of its own changes nothing about how that file is cut", () => {
  const header = utf8('{"w":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}');
  const file = concat(u64(header.length).reverse(), header, Uint8Array.of(1, 2));
  const cut = (entries: Readonly<Record<string, string>>): string[] => tensors(new Map([
    ["g.onnx", graph(initializer(name("v"), type(INT8), shape(2), external({ location: "w.safetensors", ...entries })))], ["w.safetensors", file],
  ]));
  assert.deepEqual(cut({ length: "2" }), ["w.safetensors w U8 [2] 1 2"]);
  assert.equal(reason(() => cut({ length: "2", offset: String(file.length - 1) })), "BAD_MODEL_CLAIM");
});

test("of several tensors at one place the first counts, in one graph and over graphs", () => {
  const at = (called: string, entries: Readonly<Record<string, string>>): Bytes => initializer(name(called), type(INT8), shape(2), external({ location: "w.bin", ...entries }));
  const files = (a: Bytes, b: Bytes): ModelFiles => new Map([["b.onnx", b], ["a.onnx", a], ["w.bin", DATA]]);
  const tied = graph(at("w", { length: "2" }), at("v", { length: "2" }));
  assert.deepEqual(tensors(files(tied, graph(at("u", { length: "2" }), at("t", { offset: "3", length: "2" })))), ["w.bin w INT8 [2] 0 1", "w.bin t INT8 [2] 3 4"]);
  assert.equal(reason(() => tensors(files(tied, graph(at("u", { offset: "1", length: "2" }))))), "BAD_MODEL_CLAIM");
  assert.equal(reason(() => tensors(files(tied, graph(at("w", { offset: "2", length: "2" }))))), "BAD_MODEL_CLAIM");
});
