// Open, Binding, Acknowledge and Dissent: references, re-execution, and whether both derive one verdict.
import { type Bytes, codePoints, concat, equal, hex, u64 } from "./bytes.js";
import { boundsResults, checkResults } from "./audit.js";
import { boundsSizes, checkCaps } from "./ask.js";
import { itemCommitment, resultRoot } from "./commitments.js";
import { demand, type Party, Refusal } from "./errors.js";
import { digest } from "./framing.js";
import { usable } from "./graders.js";
import type { Acknowledge, Binding, Dissent, Open } from "./messages.js";
import { bitCount, checkCounts, claimsOver, derive, gradedPart, type Results, sameBits, splitBits } from "./results.js";
import { type Blob, type BindingFact, type Challenged, known, type Session } from "./session.js";
import { Fields } from "./schema.js";
import { demandType, hasSubject, openStatement, type Statement } from "./statement.js";
import { deriveSealedVerdict, sealedRoot } from "./sealedverdict.js";
import { counted, parts, same, silent, sized, type Turn } from "./turns.js";
import type { Verdict } from "./levels.js";
import { deriveVerdict } from "./verdict.js";

export function boundsOpen(m: Open): void {
  boundsSizes(m.sizes);
  sized(m.stream_digest);
  boundsResults(m.results);
}

export function boundsBinding(m: Binding): void {
  counted(m.statement.length, 1, 1048576);
}

export function boundsAcknowledge(m: Acknowledge): void {
  sized(m.verdict_digest);
  sized(m.result_root);
  sized(m.stream_digest);
}

export function boundsDissent(m: Dissent): void {
  sized(m.verdict_digest);
  counted(codePoints(m.detail), 0, 1000);
}

function opened(s: Session, unit: Challenged, blob: Blob | undefined): Bytes | null {
  const found = parts(blob);
  if (found === null) return null;
  const set = known(s.testSet);
  const commitment = itemCommitment(found.key, set.owner, set.setId, unit.item, "reference", found.content);
  demand(equal(commitment, unit.referenceCommitment), "BAD_OPENING", "a reference that does not open its commitment");
  demand(set.members === null || (found.content[0] ?? 2) <= 1, "BAD_REGISTRATION", "a reference that names no member");
  for (const { claim } of claimsOver(s, unit.population)) {
    demand(usable(claim.grader, gradedPart(s, found.content)), "BAD_REGISTRATION", "a reference that its grader cannot use");
  }
  return found.content;
}

/** The two items of a pair name different members. */
function checkMembers(s: Session, references: readonly (Bytes | null)[]): void {
  if (s.width === 1) return;
  const at = (n: number): Bytes | null | undefined => (n < s.shown ? s.challenged[n]?.reference : references[n - s.shown]);
  for (let n = s.shown - (s.shown % 2); n + 1 < s.shown + references.length; n += 2) {
    const [one, other] = [at(n), at(n + 1)];
    if (one && other) demand(one[0] !== other[0], "BAD_REGISTRATION", "a pair of one member twice");
  }
}

export function open(s: Session, m: Open): Turn {
  const terms = known(s.terms);
  const units = s.challenged.slice(s.shown, s.shown + m.sizes.length);
  demand(m.sizes.length <= s.challenged.length - s.shown, "WRONG_UNITS", "more references than units are left");
  checkResults(s, units, m.sizes.length, m.results);
  checkCaps(m.sizes, terms.caps.reference, terms.caps.turn);
  let results: Results | null = null;
  return {
    sizes: m.sizes.map((size) => size + 32n),
    stream: m.stream_digest,
    content(blobs) {
      const references = units.map((unit, i) => opened(s, unit, blobs[i]));
      checkMembers(s, references);
      const last = s.shown + units.length === s.challenged.length;
      if (!last || s.withheld.size > 0 || references.includes(null)) return;
      const all = s.challenged.map((unit, n): Challenged =>
        (n < s.shown ? unit : { ...unit, reference: references[n - s.shown] ?? null, claimed: m.results[n - s.shown]?.codes ?? null }));
      results = derive(s, all);
      checkCounts(s, results);
    },
    apply(blobs) {
      units.forEach((unit, i) => {
        unit.reference = parts(blobs[i])?.content ?? null;
        unit.claimed = m.results[i]?.codes ?? null;
        if (unit.reference === null) s.withheld.add(unit.item);
      });
      s.shown += units.length;
      s.results = results;
    },
  };
}

export function allShown(s: Session): boolean {
  return s.shown === s.challenged.length;
}

function unitsDigest(s: Session): Bytes {
  const units = s.challenged.map((u) => concat(u64(u.item), u64(u.sample), u.answer?.commitment ?? new Uint8Array(0)));
  return digest("binding", known(s.terms).exercise, ...units);
}

function operatorOf(s: Session, sealed: Bytes): { statement: Statement; operator: BindingFact["operator"] } {
  for (const operator of known(s.terms).binding.operators) {
    try {
      return { statement: openStatement(sealed, [operator.key]), operator };
    } catch (error) {
      if (!(error instanceof Refusal) || error.reason !== "BAD_SIGNATURE") throw error;
    }
  }
  throw new Refusal("BAD_BINDING", "a binding that no operator of the terms signed");
}

export function binding(s: Session, m: Binding): Turn {
  const terms = known(s.terms);
  demand(allShown(s), "OUT_OF_ORDER", "a binding before every reference is shown");
  demand(terms.binding.kind === "chamber", "BAD_BINDING", "a binding that the terms do not name");
  const { statement, operator } = operatorOf(s, m.statement);
  const f = new Fields("BAD_BINDING");
  demandType(statement, "binding");
  demand(hasSubject(statement, "exercise", terms.exercise), f.reason, "another subject");
  const p = f.object(statement.predicate, [
    "session", "exercise", "terms", "model_claim", "runtime", "execution_class", "sandbox", "units", "reproduced",
  ]);
  const runtime = known(terms.binding.runtime);
  const names: readonly (readonly [string, Bytes])[] = [
    ["session", s.sessionId], ["exercise", terms.exercise], ["terms", terms.digest], ["model_claim", terms.modelClaim],
    ["runtime", runtime], ["units", unitsDigest(s)],
  ];
  for (const [name, value] of names) same(f.digest(p[name]), value, f.reason, `another ${name}`);
  const reproduced = f.text(p["reproduced"], s.challenged.length, s.challenged.length);
  demand(/^[01-]*$/.test(reproduced), f.reason, "an unknown result");
  s.challenged.forEach((unit, n) => {
    demand((reproduced[n] === "-") === (unit.answer === null), f.reason, "a result for another unit than the answered ones");
  });
  const fact: BindingFact = {
    digest: statement.digest, operator, runtime, reproduced,
    executionClass: f.oneOf(p["execution_class"], ["E0", "E1"]), sandbox: f.oneOf(p["sandbox"], ["bubblewrap", "none"]),
  };
  return silent(() => { s.binding = fact; });
}

/** The verdict where everything that it follows from is there, and is understood here. */
export function verdictOf(s: Session): Verdict | null {
  if (s.mode === "sealed") return s.outcomes.length === 0 || anyUnknown(s) ? null : deriveSealedVerdict(s);
  return s.results === null || s.withheld.size > 0 || anyUnknown(s) ? null : deriveVerdict(s);
}

/** Whether a verdict would hang on evidence of real hardware. */
export function anyUnknown(s: Session): boolean {
  const weighed = s.mode === "sealed" ? s.chambers.map((c) => c.appraised) : [s.appraised];
  return weighed.some((appraised) => appraised?.assurance === "unknown");
}

function checkComplete(s: Session): void {
  demand(allShown(s), "OUT_OF_ORDER", "an end before every reference is shown");
  demand(known(s.terms).binding.kind === "none" || s.binding !== null, "BAD_BINDING", "an end before the binding of the terms");
}

export function acknowledge(s: Session, sender: Party, m: Acknowledge): Turn {
  if (s.mode === "open") checkComplete(s);
  const verdict = verdictOf(s);
  if (verdict !== null) same(m.verdict_digest, verdict.digest, "WRONG_VERDICT", `another verdict than ${hex(verdict.digest)}`);
  if (s.mode === "sealed") {
    same(m.result_root, sealedRoot(s), "WRONG_RESULT_BITS", "another root than the receipt's");
    return { ...silent(() => { s.acknowledged.set(sender, m.verdict_digest); }), stream: m.stream_digest };
  }
  return {
    sizes: [BigInt(32 + bitCount(s))],
    stream: m.stream_digest,
    content(blobs) {
      const found = parts(blobs[0]);
      if (found === null) return;
      const bits = splitBits(s, found.content);
      if (s.results !== null) demand(sameBits(bits, s.results.bits), "WRONG_RESULT_BITS", "other result bits than the derived ones");
      const root = resultRoot(found.key, known(s.terms).exercise, bits);
      same(root, m.result_root, "WRONG_RESULT_BITS", "result bits of another root");
    },
    apply() { s.acknowledged.set(sender, m.verdict_digest); },
  };
}

export function dissent(s: Session, sender: Party, m: Dissent): Turn {
  demand(allShown(s), "OUT_OF_ORDER", "an end before every reference is shown");
  return silent(() => { s.dissented.set(sender, m.verdict_digest); });
}
