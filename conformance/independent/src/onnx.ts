// Tensors of an .onnx graph, in the graph itself and in the files beside it.
import { type Bytes, fromUtf8 } from "./bytes.js";
import { Refusal } from "./errors.js";
import { Cursor } from "./protobuf.js";
import { checkShape, type ModelFiles, type Tensor, wrong } from "./segments.js";

const TYPES: ReadonlyMap<number, readonly [string, number]> = new Map([
  [1, ["FLOAT", 32]], [2, ["UINT8", 8]], [3, ["INT8", 8]], [4, ["UINT16", 16]], [5, ["INT16", 16]], [6, ["INT32", 32]], [7, ["INT64", 64]],
  [9, ["BOOL", 8]], [10, ["FLOAT16", 16]], [11, ["DOUBLE", 64]], [12, ["UINT32", 32]], [13, ["UINT64", 64]], [14, ["COMPLEX64", 64]],
  [15, ["COMPLEX128", 128]], [16, ["BFLOAT16", 16]], [17, ["FLOAT8E4M3FN", 8]], [18, ["FLOAT8E4M3FNUZ", 8]], [19, ["FLOAT8E5M2", 8]],
  [20, ["FLOAT8E5M2FNUZ", 8]], [21, ["UINT4", 4]], [22, ["INT4", 4]], [23, ["FLOAT4E2M1", 4]], [24, ["FLOAT8E8M0", 8]], [25, ["UINT2", 2]],
  [26, ["INT2", 2]],
]);
const RAW = 9;
/** The wire type of every field of values: packed numbers, texts or bytes. */
const LENGTHED = 2;
const VALUES: Readonly<Record<number, string>> = {
  4: "float_data", 5: "int32_data", 6: "string_data", 7: "int64_data", 9: "raw_data", 10: "double_data", 11: "uint64_data",
};
const EXTERNAL = 1n;
const MOST_KEYS = 8;

export interface Placed { readonly file: string; readonly tensor: Tensor }

interface Part { readonly number: number; readonly wire: number; readonly bits: bigint; readonly at: number; readonly bytes: Bytes }

/** The fields of one message; `base` is where its bytes stand in the file. */
function* fields(bytes: Bytes, base: number): Generator<Part> {
  const cursor = new Cursor(bytes);
  while (!cursor.done) {
    const { number, wire } = cursor.tag();
    wrong(wire !== 3, "a group");
    const value = cursor.value(wire, number, 0);
    yield { number, wire, bits: value.bits, bytes: value.bytes, at: base + cursor.at - value.bytes.length };
  }
}

function dimensions(part: Part): number[] {
  if (part.wire === 0) return [Number(part.bits)];
  const cursor = new Cursor(part.bytes);
  const out: number[] = [];
  while (!cursor.done) out.push(Number(cursor.varint()));
  return out;
}

interface Initializer {
  readonly names: readonly string[];
  readonly types: readonly number[];
  readonly shape: readonly number[];
  readonly values: readonly Part[];
  readonly external: ReadonlyMap<string, string> | null;
}

function text(bytes: Bytes): string {
  const found = fromUtf8(bytes);
  wrong(found !== null, "text that is not UTF-8");
  return found;
}

function entry(part: Part): readonly [string, string] {
  let [key, value] = ["", ""];
  for (const field of fields(part.bytes, 0)) {
    if (field.number === 1 && field.wire === 2) key = text(field.bytes);
    if (field.number === 2 && field.wire === 2) value = text(field.bytes);
  }
  return [key, value];
}

/** The pairs of external data by key, in form even where the values lie elsewhere; one without a key has the empty one. */
function externalData(entries: readonly Part[]): ReadonlyMap<string, string> {
  wrong(entries.length <= MOST_KEYS, "more keys of external data than there may be");
  const out = new Map(entries.map(entry));
  wrong(out.size === entries.length, "a key of external data that stands twice");
  return out;
}

function initializer(part: Part): Initializer {
  const all = [...fields(part.bytes, part.at)];
  const of = (number: number, wire: number): Part[] => all.filter((f) => f.number === number && f.wire === wire);
  const entries = externalData(of(13, 2));
  // As everywhere in protobuf, the last of several values of a single field counts.
  const external = of(14, 0).at(-1)?.bits === EXTERNAL ? entries : null;
  return {
    names: of(8, 2).map((f) => text(f.bytes)), types: of(2, 0).map((f) => Number(f.bits)),
    shape: all.filter((f) => f.number === 1 && (f.wire === 0 || f.wire === 2)).flatMap(dimensions),
    values: all.filter((f) => VALUES[f.number] !== undefined && f.wire === LENGTHED), external,
  };
}

function whole(digits: string | undefined, otherwise: number): number {
  if (digits === undefined) return otherwise;
  wrong(/^[0-9]{1,15}$/.test(digits), "external data without numbers");
  return Number(digits);
}

/** A place beside the graph; it may not leave the model. */
function beside(graph: string, location: string): string {
  return graph.slice(0, graph.lastIndexOf("/") + 1) + location;
}

/** What an initializer says of its tensor, wherever the bytes stand. */
interface Described { readonly name: string; readonly dtype: string; readonly shape: readonly number[]; readonly bytes: bigint }

/** Null for an initializer without exactly one name, which is not empty, and one data type of the table. */
function described({ names, types, shape }: Initializer): Described | null {
  const [name, moreNames] = names;
  const [type, moreTypes] = types;
  const known = type === undefined ? undefined : TYPES.get(type);
  if (name === undefined || name === "" || moreNames !== undefined || known === undefined || moreTypes !== undefined) return null;
  checkShape(shape);
  const [dtype, bits] = known;
  return { name, dtype, shape, bytes: (shape.reduce((product, n) => product * BigInt(n), BigInt(bits)) + 7n) / 8n };
}

function inside(path: string, d: Described, values: readonly Part[]): Placed | null {
  const [value, more] = values;
  if (value === undefined || more !== undefined || value.bytes.length === 0) return null;
  const tensor = { name: d.name, shape: d.shape, offset: value.at, size: value.bytes.length };
  if (value.number !== RAW) return { file: path, tensor: { ...tensor, dtype: `${d.dtype}/${VALUES[value.number] ?? ""}` } };
  wrong(d.bytes === BigInt(value.bytes.length), "raw data of another size than its type and shape give");
  return { file: path, tensor: { ...tensor, dtype: d.dtype } };
}

function outside(path: string, d: Described, external: ReadonlyMap<string, string>, files: ModelFiles): Placed {
  const file = beside(path, external.get("location") ?? "");
  const length = files.get(file)?.length;
  wrong(length !== undefined, "external data in a file that is not there");
  const offset = whole(external.get("offset"), 0);
  const stated = external.get("length");
  const size = whole(stated, length - offset);
  wrong(offset <= length && size <= length - offset, "external data behind the end of its file");
  wrong(stated === undefined || d.bytes === BigInt(size), "a length of another size than its type and shape give");
  return { file, tensor: { name: d.name, dtype: d.dtype, shape: d.shape, offset, size } };
}

/** Null where the initializer is structure. */
function placed(path: string, i: Initializer, files: ModelFiles): Placed | null {
  const found = described(i);
  if (i.external === null) return found === null ? null : inside(path, found, i.values);
  wrong(found !== null, "external data without a name or a known type");
  return outside(path, found, i.external, files);
}

/** The tensors of a graph in its order, each with the file that it stands in. */
export function onnxTensors(path: string, bytes: Bytes, files: ModelFiles): Placed[] {
  const out: Placed[] = [];
  try {
    for (const graph of fields(bytes, 0)) {
      if (graph.number !== 7 || graph.wire !== 2) continue;
      for (const part of fields(graph.bytes, graph.at)) {
        const found = part.number === 5 && part.wire === 2 ? placed(path, initializer(part), files) : null;
        if (found !== null) out.push(found);
      }
    }
  } catch (error) {
    if (error instanceof Refusal) throw new Refusal("BAD_MODEL_CLAIM", error.detail);
    throw error;
  }
  return out;
}
