// How the files of a model are cut: tensors, what lies between them, and whole files.
import { type Bytes, codePoints, compare, isPlain, utf8 } from "./bytes.js";
import { demand } from "./errors.js";
import { ggufTensors } from "./gguf.js";
import { onnxTensors } from "./onnx.js";
import { safetensorsTensors } from "./safetensors.js";

const MAX_FILES = 2 ** 16;
const MAX_SEGMENTS = 2 ** 20;
const MAX_DIMENSIONS = 16;

export interface Tensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly offset: number;
  readonly size: number;
}

export interface Segment extends Tensor {
  readonly path: string;
  readonly kind: "tensor" | "structure" | "file";
}

export type ModelFiles = ReadonlyMap<string, Bytes>;

export function wrong(condition: boolean, detail: string): asserts condition {
  demand(condition, "BAD_MODEL_CLAIM", detail);
}

function checkPath(path: string): void {
  const parts = path.split("/");
  const n = codePoints(path);
  wrong(n >= 1 && n <= 1024 && isPlain(path) && !path.includes("\\"), "a path of another form");
  wrong(parts.every((part) => part !== "" && part !== "." && part !== ".."), "a path that is not plain and relative");
}

/** The order of code points, which is that of UTF-8 bytes. */
export function byCodePoints(a: string, b: string): number {
  return compare(utf8(a), utf8(b));
}

function cut(path: string, length: number, tensors: readonly Tensor[]): Segment[] {
  const sorted = [...tensors].sort((a, b) => a.offset - b.offset || a.size - b.size || byCodePoints(a.name, b.name));
  const out: Segment[] = [];
  let at = 0;
  const structure = (end: number): void => {
    if (end > at) out.push({ path, kind: "structure", name: "", dtype: "", shape: [], offset: at, size: end - at });
  };
  const names = new Set<string>();
  for (const tensor of sorted) {
    const n = codePoints(tensor.name);
    wrong(n >= 1 && n <= 1024 && isPlain(tensor.name) && !names.has(tensor.name), "a tensor's name that is not its own");
    wrong(tensor.shape.length <= MAX_DIMENSIONS && tensor.shape.every(Number.isSafeInteger), "dimensions out of bounds");
    wrong(tensor.offset >= at && tensor.offset + tensor.size <= length, "a tensor that overlaps or leaves the file");
    names.add(tensor.name);
    structure(tensor.offset);
    out.push({ path, kind: "tensor", ...tensor });
    at = tensor.offset + tensor.size;
  }
  structure(length);
  if (out.length === 0) out.push({ path, kind: "structure", name: "", dtype: "", shape: [], offset: 0, size: 0 });
  return out;
}

function extension(path: string): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  return dot < 0 ? "" : name.slice(dot).toLowerCase();
}

/** The segments of a model in their order; anything out of form is BAD_MODEL_CLAIM. */
export function cutModel(files: ModelFiles): Segment[] {
  wrong(files.size >= 1 && files.size <= MAX_FILES, "a number of files out of bounds");
  const tensors = new Map<string, Tensor[]>();
  for (const [path, bytes] of files) {
    checkPath(path);
    const kind = extension(path);
    if (kind === ".safetensors") tensors.set(path, safetensorsTensors(bytes));
    else if (kind === ".gguf") tensors.set(path, ggufTensors(bytes));
    else if (kind === ".onnx") {
      tensors.set(path, []);
      for (const [file, found] of onnxTensors(path, bytes, files)) tensors.set(file, [...(tensors.get(file) ?? []), ...found]);
    }
  }
  const segments: Segment[] = [];
  for (const path of [...files.keys()].sort(byCodePoints)) {
    const length = files.get(path)?.length ?? 0;
    const own = tensors.get(path);
    if (own === undefined) segments.push({ path, kind: "file", name: "", dtype: "", shape: [], offset: 0, size: length });
    else segments.push(...cut(path, length, own));
  }
  wrong(segments.length <= MAX_SEGMENTS, "segments above their limit");
  return segments;
}
