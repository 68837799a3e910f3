// Typed, total reading of JSON values; every breach carries the reason of the statement being read.
import { byCodePoints, type Bytes, codePoints, fromHex } from "./bytes.js";
import { demand, type Reason } from "./errors.js";
import { isObject, type Json, type JsonObject } from "./json.js";

/** An object with exactly these fields, and the optional ones. */
export function object(
  value: Json | undefined, required: readonly string[], reason: Reason, optional: readonly string[] = [],
): JsonObject {
  demand(isObject(value), reason, "no object");
  for (const key of Object.keys(value)) {
    demand(required.includes(key) || optional.includes(key), reason, "a field that is not defined");
  }
  for (const key of required) demand(value[key] !== undefined, reason, `no field ${key}`);
  return value;
}

export class Fields {
  constructor(readonly reason: Reason) {}

  object(value: Json | undefined, required: readonly string[], optional: readonly string[] = []): JsonObject {
    return object(value, required, this.reason, optional);
  }

  text(value: Json | undefined, least: number, most: number): string {
    demand(typeof value === "string", this.reason, "no text");
    const n = codePoints(value);
    demand(n >= least && n <= most, this.reason, "a text of another length");
    return value;
  }

  integer(value: Json | undefined, least: number, most: number): number {
    demand(typeof value === "number" && value >= least && value <= most, this.reason, "a number out of bounds");
    return value;
  }

  boolean(value: Json | undefined): boolean {
    demand(typeof value === "boolean", this.reason, "neither true nor false");
    return value;
  }

  /** 32 bytes in hexadecimal. */
  digest(value: Json | undefined): Bytes {
    const bytes = typeof value === "string" ? fromHex(value) : null;
    demand(bytes?.length === 32, this.reason, "no 64 hexadecimal digits");
    return bytes;
  }

  list(value: Json | undefined, least: number, most: number): readonly Json[] {
    demand(Array.isArray(value), this.reason, "no list");
    demand(value.length >= least && value.length <= most, this.reason, "a list of another length");
    return value;
  }

  /** Texts that ascend by code points, each once. */
  ascending(texts: readonly string[]): readonly string[] {
    const sorted = texts.every((text, i) => i === 0 || byCodePoints(texts[i - 1] ?? "", text) < 0);
    demand(sorted, this.reason, "a list out of order");
    return texts;
  }

  oneOf<const T extends string>(value: Json | undefined, choices: readonly T[]): T {
    const found = choices.find((choice) => choice === value);
    demand(found !== undefined, this.reason, "an unknown choice");
    return found;
  }
}

export interface Ratio { readonly p: bigint; readonly q: bigint }

export function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a;
}

/** A ratio p/q in lowest terms; null for anything else. */
export function parseRatio(text: Json | undefined): Ratio | null {
  if (typeof text !== "string") return null;
  const found = /^(0|[1-9][0-9]{0,17})\/([1-9][0-9]{0,17})$/.exec(text);
  if (found === null) return null;
  const p = BigInt(found[1] ?? "0");
  const q = BigInt(found[2] ?? "1");
  return gcd(p, q) === 1n ? { p, q } : null;
}

export function isDecimal(text: string): boolean {
  return text.length <= 64 && /^(?:0|-?[1-9][0-9]*|-?(?:0|[1-9][0-9]*)\.[0-9]*[1-9])$/.test(text);
}
