// A small protobuf codec: typed schemas, total decoding, and notice of any unknown field at any depth.
import { type Bytes, concat, fromUtf8, utf8 } from "./bytes.js";
import { refuse } from "./errors.js";

const MAX_DEPTH = 32;

interface Value { readonly wire: number; readonly bits: bigint; readonly bytes: Bytes }

interface Noted { unknown: boolean }

interface Codec<T> {
  readonly wire: number;
  readonly empty: T;
  readonly packed: boolean;
  decode(value: Value, before: T, noted: Noted, depth: number): T;
  encode(value: T): Bytes;
  isDefault(value: T): boolean;
}

export interface Field<T> {
  readonly number: number;
  empty(): T;
  take(value: Value, before: T, noted: Noted, depth: number): T | undefined;
  put(value: T): Bytes;
}

function varint(n: bigint): Bytes {
  const out: number[] = [];
  let rest = n;
  do {
    const low = Number(rest & 0x7fn);
    rest >>= 7n;
    out.push(rest === 0n ? low : low | 0x80);
  } while (rest !== 0n);
  return Uint8Array.from(out);
}

function tag(number: number, wire: number): Bytes {
  return varint((BigInt(number) << 3n) | BigInt(wire));
}

function lengthed(bytes: Bytes): Bytes {
  return concat(varint(BigInt(bytes.length)), bytes);
}

export class Cursor {
  at = 0;

  constructor(readonly bytes: Bytes) {}

  get done(): boolean {
    return this.at >= this.bytes.length;
  }

  varint(): bigint {
    let value = 0n;
    for (let i = 0; i < 10; i++) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) refuse("MALFORMED", "protobuf that ends too early");
      if (i === 9 && byte > 1) refuse("MALFORMED", "a varint above 64 bits");
      value |= BigInt(byte & 0x7f) << BigInt(7 * i);
      if (byte < 0x80) return value;
    }
    return refuse("MALFORMED", "a varint above ten bytes");
  }

  take(length: bigint): Bytes {
    if (length > BigInt(this.bytes.length - this.at)) refuse("MALFORMED", "protobuf that ends too early");
    const from = this.at;
    this.at += Number(length);
    return this.bytes.subarray(from, this.at);
  }

  tag(): { number: number; wire: number } {
    const value = this.varint();
    if (value >= 1n << 32n || value < 8n) refuse("MALFORMED", "a broken tag");
    return { number: Number(value >> 3n), wire: Number(value & 7n) };
  }

  value(wire: number, number: number, depth: number): Value {
    const none = new Uint8Array(0);
    switch (wire) {
      case 0: return { wire, bits: this.varint(), bytes: none };
      case 1: return { wire, bits: 0n, bytes: this.take(8n) };
      case 2: return { wire, bits: 0n, bytes: this.take(this.varint()) };
      case 3: return this.group(number, depth + 1), { wire, bits: 0n, bytes: none };
      case 5: return { wire, bits: 0n, bytes: this.take(4n) };
      default: return refuse("MALFORMED", "a broken wire type");
    }
  }

  private group(number: number, depth: number): void {
    if (depth > MAX_DEPTH) refuse("MALFORMED", "nested too deep");
    for (;;) {
      const next = this.tag();
      if (next.wire === 4) {
        if (next.number !== number) refuse("MALFORMED", "a broken group");
        return;
      }
      this.value(next.wire, next.number, depth);
    }
  }
}

const bytesCodec: Codec<Bytes> = {
  wire: 2, empty: new Uint8Array(0), packed: false,
  decode: (v) => v.bytes,
  encode: lengthed,
  isDefault: (v) => v.length === 0,
};

const textCodec: Codec<string> = {
  wire: 2, empty: "", packed: false,
  decode: (v) => fromUtf8(v.bytes) ?? refuse("MALFORMED", "text that is not UTF-8"),
  encode: (v) => lengthed(utf8(v)),
  isDefault: (v) => v === "",
};

const u32Codec: Codec<number> = {
  wire: 0, empty: 0, packed: true,
  decode: (v) => Number(v.bits & 0xffffffffn),
  encode: (v) => varint(BigInt(v)),
  isDefault: (v) => v === 0,
};

const u64Codec: Codec<bigint> = {
  wire: 0, empty: 0n, packed: true,
  decode: (v) => v.bits,
  encode: varint,
  isDefault: (v) => v === 0n,
};

const boolCodec: Codec<boolean> = {
  wire: 0, empty: false, packed: false,
  decode: (v) => v.bits !== 0n,
  encode: (v) => varint(v ? 1n : 0n),
  isDefault: (v) => !v,
};

function single<T>(number: number, codec: Codec<T>): Field<T> {
  return {
    number,
    empty: () => codec.empty,
    take: (value, before, noted, depth) =>
      value.wire === codec.wire ? codec.decode(value, before, noted, depth) : undefined,
    put: (value) => (codec.isDefault(value) ? new Uint8Array(0) : concat(tag(number, codec.wire), codec.encode(value))),
  };
}

function repeated<T>(number: number, codec: Codec<T>): Field<readonly T[]> {
  return {
    number,
    empty: () => [],
    take: (value, before, noted, depth) => {
      // The array is made by the decoder and by nobody else, so it may grow in place.
      const list = before as T[];
      if (value.wire === codec.wire) {
        list.push(codec.decode(value, codec.empty, noted, depth));
      } else if (codec.packed && value.wire === 2) {
        const inner = new Cursor(value.bytes);
        while (!inner.done) list.push(codec.decode({ wire: 0, bits: inner.varint(), bytes: value.bytes }, codec.empty, noted, depth));
      } else return undefined;
      return list;
    },
    put: (values) => {
      if (values.length === 0) return new Uint8Array(0);
      if (codec.packed) return concat(tag(number, 2), lengthed(concat(...values.map((v) => codec.encode(v)))));
      return concat(...values.map((v) => concat(tag(number, codec.wire), codec.encode(v))));
    },
  };
}

export const bytes = (n: number): Field<Bytes> => single(n, bytesCodec);
export const text = (n: number): Field<string> => single(n, textCodec);
export const u32 = (n: number): Field<number> => single(n, u32Codec);
export const u64 = (n: number): Field<bigint> => single(n, u64Codec);
export const bool = (n: number): Field<boolean> => single(n, boolCodec);
export const manyBytes = (n: number): Field<readonly Bytes[]> => repeated(n, bytesCodec);
export const manyText = (n: number): Field<readonly string[]> => repeated(n, textCodec);
export const manyU32 = (n: number): Field<readonly number[]> => repeated(n, u32Codec);
export const manyU64 = (n: number): Field<readonly bigint[]> => repeated(n, u64Codec);

type ValueOf<F> = F extends Field<infer T> ? T : never;
export type MessageOf<S> = { readonly [K in keyof S]: ValueOf<S[K]> };

export interface Message<T> {
  /** Decodes; `unknown` says whether a field that the schema lacks stood anywhere. */
  read(bytes: Bytes): { value: T; unknown: boolean };
  write(value: T): Bytes;
  readonly codec: Codec<T | undefined>;
}

export function message<S extends Readonly<Record<string, Field<unknown>>>>(shape: S): Message<MessageOf<S>> {
  type T = MessageOf<S>;
  const fields = Object.entries(shape);
  const byNumber = new Map(fields.map(([name, field]) => [field.number, [name, field] as const]));
  const ordered = [...fields].sort((a, b) => a[1].number - b[1].number);
  const fresh = (): Record<string, unknown> =>
    Object.fromEntries(fields.map(([name, field]) => [name, field.empty()]));
  const decode = (data: Bytes, into: Record<string, unknown>, noted: Noted, depth: number): void => {
    if (depth > MAX_DEPTH) refuse("MALFORMED", "nested too deep");
    const cursor = new Cursor(data);
    while (!cursor.done) {
      const { number, wire } = cursor.tag();
      const value = cursor.value(wire, number, depth);
      const known = byNumber.get(number);
      const taken = known?.[1].take(value, into[known[0]], noted, depth + 1);
      if (known === undefined || taken === undefined) noted.unknown = true;
      else into[known[0]] = taken;
    }
  };
  const write = (value: T): Bytes =>
    concat(...ordered.map(([name, field]) => field.put((value as Record<string, unknown>)[name])));
  return {
    read(data) {
      const [noted, into] = [{ unknown: false }, fresh()];
      decode(data, into, noted, 0);
      return { value: into as T, unknown: noted.unknown };
    },
    write,
    codec: {
      wire: 2, empty: undefined, packed: false,
      decode(value, before, noted, depth) {
        const into = (before as Record<string, unknown> | undefined) ?? fresh();
        decode(value.bytes, into, noted, depth);
        return into as T;
      },
      encode: (value) => lengthed(value === undefined ? new Uint8Array(0) : write(value)),
      isDefault: (value) => value === undefined,
    },
  };
}

export function sub<T>(n: number, inner: Message<T>): Field<T | undefined> {
  return single(n, inner.codec);
}

export function manySub<T>(n: number, inner: Message<T>): Field<readonly T[]> {
  return repeated(n, inner.codec) as unknown as Field<readonly T[]>;
}
