// Tensors of a .safetensors file.
import { type Bytes } from "./bytes.js";
import { type Free, readFree } from "./freejson.js";
import { type Tensor, wrong } from "./segments.js";

const BITS: Readonly<Record<string, number>> = {
  F4: 4, F6_E2M3: 6, F6_E3M2: 6, BOOL: 8, U8: 8, I8: 8, F8_E5M2: 8, F8_E4M3: 8, F8_E8M0: 8, F8_E4M3FNUZ: 8, F8_E5M2FNUZ: 8,
  U16: 16, I16: 16, F16: 16, BF16: 16, U32: 32, I32: 32, F32: 32, U64: 64, I64: 64, F64: 64, C64: 64,
};
const MAX_HEADER = 10 ** 8;

function integer(value: Free | undefined): number {
  wrong(typeof value === "object" && value !== null && "number" in value && value.number.exponent === 0, "no integer");
  const n = Number(value.number.digits);
  wrong(Number.isSafeInteger(n) && n >= 0, "an integer out of bounds");
  return n;
}

function list(value: Free | undefined): readonly Free[] {
  wrong(Array.isArray(value), "no list");
  return value;
}

function readTensor(name: string, value: Free, base: number): Tensor {
  wrong(value instanceof Map && value.size === 3, "a tensor with other fields");
  const dtype = value.get("dtype");
  const bits = typeof dtype === "string" ? BITS[dtype] : undefined;
  wrong(typeof dtype === "string" && bits !== undefined, "an unknown dtype");
  const shape = list(value.get("shape")).map(integer);
  const [begin, end, more] = list(value.get("data_offsets")).map(integer);
  wrong(begin !== undefined && end !== undefined && more === undefined && begin <= end, "no two offsets");
  const size = shape.reduce((product, n) => product * BigInt(n), BigInt(bits));
  wrong(size === BigInt(end - begin) * 8n, "a size that does not fit the shape");
  return { name, dtype, shape, offset: base + begin, size: end - begin };
}

export function safetensorsTensors(bytes: Bytes): Tensor[] {
  wrong(bytes.length >= 8, "a file without a header");
  const length = Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  wrong(length >= 2 && length <= MAX_HEADER && 8 + length <= bytes.length, "a header out of bounds");
  const base = 8 + length;
  wrong(bytes[8] === 0x7b, "a header that is no object");
  const header = readFree(bytes.subarray(8, base));
  wrong(header instanceof Map, "a header that is no object");
  const tensors: Tensor[] = [];
  for (const [name, value] of header) {
    if (name !== "__metadata__") tensors.push(readTensor(name, value, base));
    else wrong(value instanceof Map && [...value.values()].every((v) => typeof v === "string"), "metadata of another form");
  }
  tensors.sort((a, b) => a.offset - b.offset || a.size - b.size);
  let at = base;
  for (const tensor of tensors) {
    wrong(tensor.offset === at, "tensors with a gap or an overlap");
    at += tensor.size;
  }
  wrong(at === bytes.length, "bytes after the last tensor");
  return tensors;
}
