// HPKE (RFC 9180) in base mode with X25519, HKDF-SHA256 and AES-256-GCM, one message a context.
import { createCipheriv, createDecipheriv, createHmac } from "node:crypto";
import { x25519 } from "@noble/curves/ed25519.js";
import { type Bytes, concat, EMPTY, utf8 } from "./bytes.js";

const KEM = Uint8Array.of(0x00, 0x20);
const SUITE = concat(KEM, Uint8Array.of(0x00, 0x01), Uint8Array.of(0x00, 0x02));
const KEM_ID = concat(utf8("KEM"), KEM);
const HPKE_ID = concat(utf8("HPKE"), SUITE);
const BASE = Uint8Array.of(0);
export const TAG = 16;

function hmac(key: Bytes, ...parts: readonly Bytes[]): Bytes {
  return new Uint8Array(createHmac("sha256", key).update(concat(...parts)).digest());
}

function extract(id: Bytes, salt: Bytes, label: string, secret: Bytes): Bytes {
  return hmac(salt, utf8("HPKE-v1"), id, utf8(label), secret);
}

function expand(id: Bytes, key: Bytes, label: string, info: Bytes, length: number): Bytes {
  const labelled = concat(Uint8Array.of(length >> 8, length & 0xff), utf8("HPKE-v1"), id, utf8(label), info);
  let block: Bytes = EMPTY;
  let out: Bytes = EMPTY;
  for (let i = 1; out.length < length; i++) {
    block = hmac(key, block, labelled, Uint8Array.of(i));
    out = concat(out, block);
  }
  return out.subarray(0, length);
}

function schedule(shared: Bytes, info: Bytes): { key: Bytes; nonce: Bytes } {
  const context = concat(BASE, extract(HPKE_ID, EMPTY, "psk_id_hash", EMPTY), extract(HPKE_ID, EMPTY, "info_hash", info));
  const secret = extract(HPKE_ID, shared, "secret", EMPTY);
  return { key: expand(HPKE_ID, secret, "key", context, 32), nonce: expand(HPKE_ID, secret, "base_nonce", context, 12) };
}

function sharedSecret(dh: Bytes, encapsulated: Bytes, recipient: Bytes): Bytes {
  const key = extract(KEM_ID, EMPTY, "eae_prk", dh);
  return expand(KEM_ID, key, "shared_secret", concat(encapsulated, recipient), 32);
}

/** AES-256-GCM with the tag behind the ciphertext; null where it does not hold. */
export function gcmOpen(key: Bytes, nonce: Bytes, sealed: Bytes, associated: Bytes): Bytes | null {
  if (sealed.length < TAG) return null;
  const cipher = createDecipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG });
  cipher.setAAD(associated);
  cipher.setAuthTag(sealed.subarray(sealed.length - TAG));
  try {
    return new Uint8Array(Buffer.concat([cipher.update(sealed.subarray(0, sealed.length - TAG)), cipher.final()]));
  } catch {
    return null;
  }
}

export function gcmSeal(key: Bytes, nonce: Bytes, plain: Bytes, associated: Bytes): Bytes {
  const cipher = createCipheriv("aes-256-gcm", key, nonce, { authTagLength: TAG });
  cipher.setAAD(associated);
  return concat(cipher.update(plain), cipher.final(), cipher.getAuthTag());
}

/** Opens what was sealed to a secret key; null where it does not open. */
export function hpkeOpen(secret: Bytes, encapsulated: Bytes, sealed: Bytes, info: Bytes): Bytes | null {
  let dh: Bytes;
  try {
    dh = x25519.getSharedSecret(secret, encapsulated);
  } catch {
    return null; // a point of small order
  }
  const { key, nonce } = schedule(sharedSecret(dh, encapsulated, x25519.getPublicKey(secret)), info);
  return gcmOpen(key, nonce, sealed, EMPTY);
}

/** Seals to a public key under an ephemeral secret key. */
export function hpkeSeal(ephemeral: Bytes, recipient: Bytes, plain: Bytes, info: Bytes): Bytes {
  const encapsulated = x25519.getPublicKey(ephemeral);
  const { key, nonce } = schedule(sharedSecret(x25519.getSharedSecret(ephemeral, recipient), encapsulated, recipient), info);
  return concat(encapsulated, gcmSeal(key, nonce, plain, EMPTY));
}
