// Tensors of a .gguf file.
import { type Bytes, fromUtf8 } from "./bytes.js";
import { type Tensor, wrong } from "./segments.js";

/** By type: dtype, elements and bytes of a block. */
const TYPES: ReadonlyMap<number, readonly [string, number, number]> = new Map([
  [0, ["F32", 1, 4]], [1, ["F16", 1, 2]], [2, ["Q4_0", 32, 18]], [3, ["Q4_1", 32, 20]], [6, ["Q5_0", 32, 22]], [7, ["Q5_1", 32, 24]],
  [8, ["Q8_0", 32, 34]], [9, ["Q8_1", 32, 40]], [10, ["Q2_K", 256, 84]], [11, ["Q3_K", 256, 110]], [12, ["Q4_K", 256, 144]],
  [13, ["Q5_K", 256, 176]], [14, ["Q6_K", 256, 210]], [15, ["Q8_K", 256, 292]], [16, ["IQ2_XXS", 256, 66]], [17, ["IQ2_XS", 256, 74]],
  [18, ["IQ3_XXS", 256, 98]], [19, ["IQ1_S", 256, 50]], [20, ["IQ4_NL", 32, 18]], [21, ["IQ3_S", 256, 110]], [22, ["IQ2_S", 256, 82]],
  [23, ["IQ4_XS", 256, 136]], [24, ["I8", 1, 1]], [25, ["I16", 1, 2]], [26, ["I32", 1, 4]], [27, ["I64", 1, 8]], [28, ["F64", 1, 8]],
  [29, ["IQ1_M", 256, 56]], [30, ["BF16", 1, 2]], [34, ["TQ1_0", 256, 54]], [35, ["TQ2_0", 256, 66]], [39, ["MXFP4", 32, 17]],
  [40, ["NVFP4", 64, 36]], [41, ["Q1_0", 128, 18]],
]);
const MAX_DIMENSIONS = 8;
const MAX_NESTING = 32;
const UINT32 = 4;
const STRING = 8;
const ARRAY = 9;
const WIDTHS: Readonly<Record<number, number>> = { 0: 1, 1: 1, 2: 2, 3: 2, 4: 4, 5: 4, 6: 4, 7: 1, 10: 8, 11: 8, 12: 8 };

class Reader {
  at = 0;
  private readonly view: DataView;

  constructor(private readonly bytes: Bytes) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  skip(length: number): number {
    wrong(length <= this.bytes.length - this.at, "a header that is cut off");
    this.at += length;
    return this.at - length;
  }

  u32(): number {
    return this.view.getUint32(this.skip(4), true);
  }

  u64(): number {
    const n = this.view.getBigUint64(this.skip(8), true);
    wrong(n < 1n << 53n, "a number out of bounds");
    return Number(n);
  }

  text(): string {
    const length = this.u64();
    const from = this.skip(length);
    const text = fromUtf8(this.bytes.subarray(from, from + length));
    wrong(text !== null, "text that is not UTF-8");
    return text;
  }

  value(type: number, depth = 0): number | null {
    if (type === UINT32) return this.u32();
    const width = WIDTHS[type];
    if (width !== undefined) this.skip(width);
    else if (type === STRING) this.skip(this.u64());
    else this.array(type, depth);
    return null;
  }

  private array(type: number, depth: number): void {
    wrong(type === ARRAY && depth < MAX_NESTING, "an unknown type of metadata");
    const inner = this.u32();
    const count = this.u64();
    const width = WIDTHS[inner];
    if (width !== undefined) this.skip(width * count);
    else for (let i = 0; i < count; i++) this.value(inner, depth + 1);
  }
}

function alignmentOf(reader: Reader, count: number): number {
  const keys = new Set<string>();
  let alignment = 32;
  for (let i = 0; i < count; i++) {
    const key = reader.text();
    wrong(!keys.has(key), "a key that stands twice");
    keys.add(key);
    const type = reader.u32();
    const value = reader.value(type);
    if (key !== "general.alignment") continue;
    wrong(value !== null && value >= 8 && value <= 2 ** 20 && (value & (value - 1)) === 0, "an alignment out of bounds");
    alignment = value;
  }
  return alignment;
}

function readTensor(reader: Reader, alignment: number): Tensor {
  const name = reader.text();
  const dimensions = reader.u32();
  wrong(dimensions <= MAX_DIMENSIONS, "too many dimensions");
  const shape = Array.from({ length: dimensions }, () => reader.u64());
  const type = TYPES.get(reader.u32());
  wrong(type !== undefined, "an unknown type of tensor");
  const [dtype, elements, bytes] = type;
  wrong((shape[0] ?? 1) % elements === 0, "a first dimension that cuts a block");
  const all = shape.reduce((product, n) => product * BigInt(n), 1n);
  const size = (all / BigInt(elements)) * BigInt(bytes);
  const offset = reader.u64();
  wrong(offset % alignment === 0 && size <= BigInt(Number.MAX_SAFE_INTEGER), "an offset or size out of bounds");
  return { name, dtype, shape, offset, size: Number(size) };
}

export function ggufTensors(bytes: Bytes): Tensor[] {
  const reader = new Reader(bytes);
  wrong(reader.u32() === 0x46554747, "no GGUF file");
  const version = reader.u32();
  wrong(version === 2 || version === 3, "another version");
  const tensors = reader.u64();
  const alignment = alignmentOf(reader, reader.u64());
  const found: Tensor[] = [];
  for (let i = 0; i < tensors; i++) found.push(readTensor(reader, alignment));
  const base = Math.ceil(reader.at / alignment) * alignment;
  return found.map((tensor) => ({ ...tensor, offset: base + tensor.offset }));
}
