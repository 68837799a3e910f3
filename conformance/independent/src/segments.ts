// How the files of a model are cut: tensors, what lies between them, and whole files.
import { byCodePoints, type Bytes, codePoints, EMPTY, isPlain } from "./bytes.js";
import { demand } from "./errors.js";
import { ggufTensors } from "./gguf.js";
import { onnxTensors, type Placed } from "./onnx.js";
import { safetensorsTensors } from "./safetensors.js";

const MAX_FILES = 2 ** 16;
const MAX_SEGMENTS = 2 ** 20;
const MAX_DIMENSIONS = 16;
const CLOSED: readonly string[] = [".safetensors", ".gguf"];

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

export function checkShape(shape: readonly number[]): void {
  wrong(shape.length <= MAX_DIMENSIONS && shape.every(Number.isSafeInteger), "dimensions out of bounds");
}

function checkPath(path: string): void {
  const parts = path.split("/");
  const n = codePoints(path);
  wrong(n >= 1 && n <= 1024 && isPlain(path) && !path.includes("\\"), "a path of another form");
  wrong(parts.every((part) => part !== "" && part !== "." && part !== ".."), "a path that is not plain and relative");
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
    wrong(n >= 1 && n <= 1024 && !names.has(tensor.name), "a tensor's name that is not its own");
    checkShape(tensor.shape);
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

/** The tensors that a file names; null where its format is none of the known ones. */
function namedBy(path: string, files: ModelFiles): Placed[] | null {
  const bytes = files.get(path) ?? EMPTY;
  const here = (tensor: Tensor): Placed => ({ file: path, tensor });
  switch (extension(path)) {
    case ".safetensors": return safetensorsTensors(bytes).map(here);
    case ".gguf": return ggufTensors(bytes).map(here);
    case ".onnx": return onnxTensors(path, bytes, files);
    default: return null;
  }
}

/**
 * Files with tensors, by their paths; a graph's tensors may stand in the files beside it, two graphs' in one.
 * A file whose own format names its tensors is cut by nothing else.
 */
function tensorsOf(files: ModelFiles): Map<string, Tensor[]> {
  const out = new Map<string, Tensor[]>();
  const taken = new Set<string>();
  for (const path of [...files.keys()].sort(byCodePoints)) {
    const found = namedBy(path, files);
    if (found === null) continue;
    if (!out.has(path)) out.set(path, []);
    for (const { file, tensor } of found) {
      if (file !== path && CLOSED.includes(extension(file))) continue;
      const place = `${tensor.offset} ${tensor.size} ${file}`;
      const list = out.get(file) ?? [];
      if (extension(path) !== ".onnx" || !taken.has(place)) list.push(tensor);
      out.set(file, list);
      taken.add(place);
    }
  }
  return out;
}

/** The segments of a model in their order; anything out of form is BAD_MODEL_CLAIM. */
export function cutModel(files: ModelFiles): Segment[] {
  wrong(files.size >= 1 && files.size <= MAX_FILES, "a number of files out of bounds");
  for (const path of files.keys()) checkPath(path);
  const tensors = tensorsOf(files);
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
