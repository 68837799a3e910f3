// in-toto statements in DSSE envelopes: reading with the keys that had to sign, and making them.
import { type Bytes, equal, hex } from "./bytes.js";
import { fromJson, signedBy, signEnvelope, toJson, type Envelope } from "./envelope.js";
import { demand, type Reason } from "./errors.js";
import { sha256 } from "./framing.js";
import { canonical, type Json, parse } from "./json.js";
import { Fields } from "./schema.js";

export const STATEMENT_TYPE = "application/vnd.in-toto+json";
const IN_TOTO = "https://in-toto.io/Statement/v1";
export const MAX_STATEMENT = 524288;

export interface Subject { readonly name: string; readonly sha256: Bytes }

export interface Statement {
  readonly digest: Bytes;
  readonly payload: Bytes;
  readonly type: string;
  readonly subjects: readonly Subject[];
  readonly predicate: Json;
  readonly envelope: Envelope;
}

export function predicateType(name: string): string {
  return `tag:parley,2026:${name}/v1`;
}

function readPayload(envelope: Envelope): Statement {
  const payload = envelope.payload;
  const f = new Fields("BAD_STATEMENT");
  const top = f.object(parse(payload, MAX_STATEMENT), ["_type", "subject", "predicateType", "predicate"]);
  demand(top["_type"] === IN_TOTO, "BAD_STATEMENT", "no in-toto statement");
  const subjects = f.list(top["subject"], 1, 64).map((value) => {
    const subject = f.object(value, ["name", "digest"]);
    const digests = f.object(subject["digest"], ["sha256"]);
    return { name: f.text(subject["name"], 1, 512), sha256: f.digest(digests["sha256"]) };
  });
  const type = f.text(top["predicateType"], 1, 256);
  return { digest: sha256(payload), payload, type, subjects, predicate: top["predicate"] ?? null, envelope };
}

/** Opens a sealed statement; with keys, each of them must have signed it. */
export function openStatement(sealed: Bytes, keys: readonly Bytes[]): Statement {
  const envelope = fromJson(sealed);
  demand(envelope.payloadType === STATEMENT_TYPE, "BAD_STATEMENT", "another payload type");
  for (const key of keys) {
    demand(signedBy(envelope, key), "BAD_SIGNATURE", "a statement without a valid signature of its signer");
  }
  return readPayload(envelope);
}

/** Opens a statement where nothing else says who must have signed: its signer is the key of its first signature. */
export function openSigned(sealed: Bytes): { readonly statement: Statement; readonly signer: Bytes } {
  const [first] = fromJson(sealed).signatures;
  demand(first !== undefined, "MALFORMED", "a statement without a signature");
  return { statement: openStatement(sealed, [first.key]), signer: first.key };
}

export function encodeStatement(
  type: string, subjects: readonly { name: string; sha256: Bytes }[], predicate: Json,
): Bytes {
  return canonical({
    _type: IN_TOTO,
    subject: subjects.map((s) => ({ name: s.name, digest: { sha256: hex(s.sha256) } })),
    predicateType: predicateType(type),
    predicate,
  });
}

export function sealStatement(secret: Bytes, payload: Bytes): Bytes {
  return toJson(signEnvelope(secret, STATEMENT_TYPE, payload));
}

/** Step 5 of reading: the predicate type that was expected here. */
export function demandType(statement: Statement, name: string, reason: Reason = "BAD_STATEMENT"): void {
  demand(statement.type === predicateType(name), reason, `no ${name}`);
}

/** The one subject must be this name with this digest. */
export function hasSubject(statement: Statement, name: string, digest: Bytes): boolean {
  const [only, more] = statement.subjects;
  return more === undefined && only?.name === name && equal(only.sha256, digest);
}

