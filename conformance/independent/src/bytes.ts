// Byte strings: joining, comparing, hexadecimal, base64 in its one spelling, big-endian integers.

export type Bytes = Uint8Array;

export const EMPTY: Bytes = new Uint8Array(0);

export function concat(...parts: readonly Bytes[]): Bytes {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function equal(a: Bytes, b: Bytes): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

export function compare(a: Bytes, b: Bytes): number {
  return Buffer.compare(a, b);
}

export function u64(n: number | bigint): Bytes {
  const value = BigInt(n);
  if (value < 0n || value >= 1n << 64n) throw new RangeError("not a 64-bit number");
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, value);
  return out;
}

export function readU64(bytes: Bytes, at: number): bigint {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(at);
}

export function hex(bytes: Bytes): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex");
}

/** Lower-case hexadecimal of any even length; null for anything else. */
export function fromHex(text: string): Bytes | null {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) return null;
  return new Uint8Array(Buffer.from(text, "hex"));
}

export function base64(bytes: Bytes): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("base64");
}

/** Padded standard base64 in its canonical spelling; null for anything else. */
export function fromBase64(text: string): Bytes | null {
  if (text.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return null;
  const out = new Uint8Array(Buffer.from(text, "base64"));
  return base64(out) === text ? out : null;
}

export function utf8(text: string): Bytes {
  return new TextEncoder().encode(text);
}

/** Text of valid UTF-8, byte order mark kept; null for anything else. */
export function fromUtf8(bytes: Bytes): string | null {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** No control characters and none that turn the direction of text or hide in it. */
export function isPlain(text: string): boolean {
  return !/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069\ufeff]/.test(text);
}

/** Number of Unicode code points. */
export function codePoints(text: string): number {
  let n = 0;
  for (const _ of text) n++;
  return n;
}

/** The order of code points, which is that of UTF-8 bytes. */
export function byCodePoints(a: string, b: string): number {
  return compare(utf8(a), utf8(b));
}
