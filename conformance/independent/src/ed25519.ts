// Ed25519 by the rule of the draft: cofactorless, byte equality of R, no small order, canonical key.
import { createHash } from "node:crypto";
import { ed25519 } from "@noble/curves/ed25519.js";
import { type Bytes, equal, fromHex } from "./bytes.js";

const P = (1n << 255n) - 19n;
const L = (1n << 252n) + 27742317777372353535851937790883648493n;
const { Point } = ed25519;

function littleEndian(bytes: Bytes): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i] ?? 0);
  return value;
}

const SMALL_ORDER: ReadonlySet<bigint> = new Set([
  0n, 1n, P - 1n, P, P + 1n,
  littleEndian(fromHex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05")!),
  littleEndian(fromHex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a")!),
]);

function y(encoding: Bytes): bigint {
  return littleEndian(encoding) & ((1n << 255n) - 1n);
}

/** Whether the 32 bytes encode a point of small order, in any spelling. */
export function isSmallOrder(encoding: Bytes): boolean {
  return SMALL_ORDER.has(y(encoding));
}

type CurvePoint = InstanceType<typeof Point>;

const decoded = new Map<string, CurvePoint | null>();

function decodeKey(key: Bytes): CurvePoint | null {
  const name = Buffer.from(key).toString("latin1");
  const known = decoded.get(name);
  if (known !== undefined) return known;
  let point: CurvePoint | null = null;
  if (key.length === 32 && y(key) < P && !isSmallOrder(key)) {
    try {
      point = Point.fromBytes(key);
      if (!equal(point.toBytes(), key)) point = null;
    } catch {
      point = null;
    }
  }
  if (decoded.size >= 256) decoded.clear();
  decoded.set(name, point);
  return point;
}

export function verify(key: Bytes, message: Bytes, signature: Bytes): boolean {
  if (key.length !== 32 || signature.length !== 64) return false;
  const r = signature.subarray(0, 32);
  const s = littleEndian(signature.subarray(32));
  if (s >= L || isSmallOrder(r)) return false;
  const a = decodeKey(key);
  if (a === null) return false;
  const k = littleEndian(createHash("sha512").update(r).update(key).update(message).digest()) % L;
  const left = Point.BASE.multiplyUnsafe(s);
  return equal(left.subtract(a.multiplyUnsafe(k)).toBytes(), r);
}

export function publicKey(secret: Bytes): Bytes {
  return ed25519.getPublicKey(secret);
}

export function sign(secret: Bytes, message: Bytes): Bytes {
  return ed25519.sign(message, secret);
}
