// Key histories: which session keys a root certifies, for which role and time.
import { type Bytes, equal } from "./bytes.js";
import { fingerprint } from "./commitments.js";
import { demand, type Party } from "./errors.js";
import { Fields } from "./schema.js";
import { openSigned, openStatement, predicateType } from "./statement.js";

const LATEST = 2 ** 42;
const MAX_HISTORY = 64;
const ROLES = ["prover", "verifier", "chamber", "witness"] as const;

interface Certificate {
  readonly key: Bytes;
  readonly role: (typeof ROLES)[number];
  readonly notBefore: number;
  readonly notAfter: number;
}

interface Revocation { readonly key: Bytes; readonly since: number }

export interface History {
  readonly root: Bytes;
  readonly fingerprint: Bytes;
  readonly certificates: readonly Certificate[];
  readonly revocations: readonly Revocation[];
}

export function readHistory(entries: readonly Bytes[]): History {
  const [first] = entries;
  demand(first !== undefined && entries.length <= MAX_HISTORY, "TOO_LARGE", "a key history of another length");
  const root = openSigned(first).signer;
  const certificates: Certificate[] = [];
  const revocations: Revocation[] = [];
  const f = new Fields("BAD_KEY");
  for (const entry of entries) {
    const statement = openStatement(entry, [root]);
    let named: Bytes;
    if (statement.type === predicateType("key-certificate")) {
      const p = f.object(statement.predicate, ["root", "key", "role", "not_before", "not_after"]);
      named = f.digest(p["root"]);
      certificates.push({
        key: f.digest(p["key"]),
        role: f.oneOf(p["role"], ROLES),
        notBefore: f.integer(p["not_before"], 0, LATEST),
        notAfter: f.integer(p["not_after"], 0, LATEST),
      });
    } else {
      demand(statement.type === predicateType("key-revocation"), "BAD_KEY", "no statement about a key");
      const p = f.object(statement.predicate, ["root", "key", "since"]);
      named = f.digest(p["root"]);
      revocations.push({ key: f.digest(p["key"]), since: f.integer(p["since"], 0, LATEST) });
    }
    demand(equal(named, root), "BAD_KEY", "a statement that names another root");
  }
  return { root, fingerprint: fingerprint(root), certificates, revocations };
}

/** Whether the history certifies the key for the role at all, whatever the time. */
export function certifies(history: History, key: Bytes, role: Party): boolean {
  return history.certificates.some((c) => c.role === role && equal(c.key, key));
}

export function validAt(history: History, key: Bytes, role: Party, time: number): boolean {
  return history.certificates.some((c) =>
    c.role === role && equal(c.key, key) && c.notBefore <= time && time <= c.notAfter)
    && !history.revocations.some((r) => equal(r.key, key) && r.since <= time);
}
