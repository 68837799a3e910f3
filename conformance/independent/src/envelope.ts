// DSSE envelopes: what is signed, the head, and the JSON form of durable statements.
import { type Bytes, base64, concat, equal, fromBase64, fromHex, hex, utf8 } from "./bytes.js";
import { sign, verify, publicKey } from "./ed25519.js";
import { demand, refuse } from "./errors.js";
import { sha256 } from "./framing.js";
import { canonical, isObject, type Json, parse } from "./json.js";
import { object } from "./schema.js";

export const MAX_PAYLOAD = 1048576;
export const MAX_JSON_ENVELOPE = 1048576;

export interface Signature { readonly key: Bytes; readonly value: Bytes }

export interface Envelope {
  readonly payloadType: string;
  readonly payload: Bytes;
  readonly signatures: readonly Signature[];
}

export function pae(type: string, payload: Bytes): Bytes {
  const name = utf8(type);
  return concat(utf8(`DSSEv1 ${name.length} ${type} ${payload.length} `), payload);
}

export function head(envelope: Envelope): Bytes {
  return sha256(pae(envelope.payloadType, envelope.payload));
}

/** Bounds on an envelope from outside. */
export function checkBounds(envelope: Envelope): void {
  demand(envelope.payload.length <= MAX_PAYLOAD, "TOO_LARGE", "a payload above 1 MiB");
  demand(/^[\x00-\x7f]{1,128}$/.test(envelope.payloadType), "MALFORMED", "a payload type out of bounds");
  const count = envelope.signatures.length;
  demand(count >= 1 && count <= 8, "MALFORMED", "a count of signatures outside 1..8");
}

export function signEnvelope(secret: Bytes, payloadType: string, payload: Bytes): Envelope {
  const value = sign(secret, pae(payloadType, payload));
  return { payloadType, payload, signatures: [{ key: publicKey(secret), value }] };
}

/** Whether the first signature under the key is valid. */
export function signedBy(envelope: Envelope, key: Bytes): boolean {
  const found = envelope.signatures.find((s) => equal(s.key, key));
  return found !== undefined && verify(key, pae(envelope.payloadType, envelope.payload), found.value);
}

export function toJson(envelope: Envelope): Bytes {
  return canonical({
    payload: base64(envelope.payload),
    payloadType: envelope.payloadType,
    signatures: envelope.signatures.map((s) => ({ keyid: hex(s.key), sig: base64(s.value) })),
  });
}

/** Bytes of base64; other spellings of what is base64 are not canonical. */
function base64Of(text: string): Bytes | null {
  const bytes = fromBase64(text);
  const readable = text.length % 4 === 0 && /^[A-Za-z0-9+/]*={0,2}$/.test(text);
  demand(bytes !== null || !readable, "NOT_CANONICAL", "base64 in another spelling");
  return bytes;
}

function readSignature(value: Json): Signature {
  const fields = object(value, ["keyid", "sig"], "UNKNOWN_FIELD");
  const { keyid, sig } = fields;
  const key = typeof keyid === "string" ? fromHex(keyid) : null;
  const bytes = typeof sig === "string" ? base64Of(sig) : null;
  demand(key?.length === 32 && bytes?.length === 64, "MALFORMED", "a broken signature");
  return { key, value: bytes };
}

export function fromJson(bytes: Bytes): Envelope {
  const value = parse(bytes, MAX_JSON_ENVELOPE);
  if (!isObject(value)) refuse("MALFORMED", "an envelope that is no object");
  const fields = object(value, ["payload", "payloadType", "signatures"], "UNKNOWN_FIELD");
  const payload = typeof fields["payload"] === "string" ? base64Of(fields["payload"]) : null;
  const type = fields["payloadType"];
  const list = fields["signatures"];
  demand(payload !== null && typeof type === "string" && Array.isArray(list), "MALFORMED", "a broken envelope");
  demand(list.length >= 1 && list.length <= 8, "MALFORMED", "a count of signatures outside 1..8");
  const envelope = { payloadType: type, payload, signatures: list.map(readSignature) };
  checkBounds(envelope);
  return envelope;
}
