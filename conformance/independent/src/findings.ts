// What a judge says beside validity: who vouches for the test set, who dissented, what is not read here.
import { type Bytes, equal, hex } from "./bytes.js";
import { fingerprint } from "./commitments.js";
import { type Party, Refusal } from "./errors.js";
import type { Judgement } from "./judge.js";
import { Fields } from "./schema.js";
import { anyUnknown } from "./show.js";
import type { Session } from "./session.js";
import { hasSubject, openSigned, predicateType } from "./statement.js";

/** The fingerprint of the qualifier, where the side record is a qualification that the terms count. */
function qualifier(s: Session, sealed: Bytes): string | null {
  try {
    if (s.terms === null) return null;
    const { statement, signer } = openSigned(sealed);
    if (statement.type !== predicateType("qualification")) return null;
    const f = new Fields("BAD_STATEMENT");
    const p = f.object(statement.predicate, ["qualifier", "basis"]);
    f.text(p["basis"], 1, 4096);
    const named = f.digest(p["qualifier"]);
    const counts = equal(named, fingerprint(signer)) && s.terms.qualifiers.some((q) => equal(q, named));
    return counts && hasSubject(statement, "test-set", s.terms.set.root) ? hex(named) : null;
  } catch (error) {
    if (error instanceof Refusal) return null;
    throw error;
  }
}

/** Parties that dissented in the name of another verdict than the derived one. */
export function differing({ session, verdict }: Judgement): Party[] {
  if (verdict === null) return [];
  return [...session.dissented].filter(([, digest]) => !equal(digest, verdict.digest)).map(([party]) => party);
}

export function findings(judged: Judgement): string[] {
  const { session, verdict, fault, sides, known, withheld } = judged;
  const out: string[] = [];
  if (!known) out.push("self-consistent only: the parties are unknown");
  const qualifiers = sides.map((sealed) => qualifier(session, sealed)).filter((q) => q !== null);
  for (const q of new Set(qualifiers)) out.push(`qualified test set: ${q}`);
  if (verdict?.overall === "VIOLATION" && qualifiers.length === 0) out.push("unqualified test set");
  for (const [party, digest] of session.dissented) {
    const same = verdict === null || equal(digest, verdict.digest);
    out.push(same ? `the ${party} dissents` : `the ${party} dissents and derives another verdict: ${hex(digest)}`);
  }
  if (withheld.length > 0) {
    for (const [party, digest] of session.acknowledged) out.push(`acknowledged by the ${party} and not recomputed: ${hex(digest)}`);
  }
  if (anyUnknown(session)) out.push("evidence of real hardware is not appraised here: no verdict is derived");
  const { opening, ended, standing, fails, discarded } = judged.witnessed;
  if (opening > 0) out.push(`witnesses saw the decision at ${opening}`);
  if (ended > 0) out.push(`witnesses saw the end at ${ended}`);
  if (standing !== "") out.push(`a claim of silence stands: ${standing}`);
  if (fails !== "") out.push(`a claim of silence does not stand: ${fails}`);
  for (const key of discarded) out.push(`witness ${key} contradicts itself and counts for nothing`);
  if (fault === null && session.turn !== null) out.push(`incomplete: the ${session.turn} is due in state ${session.state}`);
  return out;
}
