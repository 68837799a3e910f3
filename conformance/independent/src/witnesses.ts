// Weighs what the terms' witnesses signed: when events took place, and whether a claim of silence stands.
import { type Bytes, hex } from "./bytes.js";
import { type Party, Refusal } from "./errors.js";
import type { JsonObject } from "./json.js";
import { Fields } from "./schema.js";
import type { Session } from "./session.js";
import { hasSubject, openSigned, predicateType, type Statement } from "./statement.js";

const LATEST = 2 ** 42;
const MOST_WEIGHED = 256;
const EVENTS = ["accepted", "decline", "posted", "relayed", "default", "end", "late"] as const;
type Event = (typeof EVENTS)[number];
const ENDS: readonly Event[] = ["accepted", "decline", "end"];
const OPENS: readonly Event[] = ["accepted", "decline"];

interface Common { readonly id: string; readonly time: number; readonly number: number }

interface Cosignature extends Common {
  readonly kind: "cosignature";
  readonly exercise: string;
  readonly attempt: number;
  readonly session: string;
  readonly sequence: number;
  readonly head: string;
  readonly event: Event;
  readonly requester: Party;
}

interface Receipt extends Common { readonly kind: "receipt"; readonly statement: string }

type Signed = Cosignature | Receipt;

export interface Weighed {
  /** Seconds at which message 4 was accepted or declined; 0 where that is not established. */
  readonly opening: number;
  /** Seconds at which the record ended; 0 where that is not established. */
  readonly ended: number;
  readonly standing: "" | "PROVER-DEFAULT" | "VERIFIER-DEFAULT";
  /** Why a claim that enough witnesses signed does not stand. */
  readonly fails: "" | "CLAIM_VOID" | "CLAIM_EARLY";
  /** Witnesses that contradicted themselves and count for nothing. */
  readonly discarded: readonly string[];
}

export const UNWEIGHED: Weighed = { opening: 0, ended: 0, standing: "", fails: "", discarded: [] };

const f = new Fields("BAD_COSIGNATURE");

function readCommon(statement: Statement, p: JsonObject): Common {
  f.text(p["witness"], 1, 128);
  return { id: hex(statement.digest), time: f.integer(p["time"], 0, LATEST), number: f.integer(p["number"], 1, Number.MAX_SAFE_INTEGER) };
}

function readReceipt(statement: Statement): Receipt | null {
  const p = f.object(statement.predicate, ["statement", "time", "number", "witness"]);
  const named = f.digest(p["statement"]);
  return hasSubject(statement, "statement", named) ? { kind: "receipt", statement: hex(named), ...readCommon(statement, p) } : null;
}

function readCosignature(statement: Statement): Cosignature | null {
  const p = f.object(statement.predicate, [
    "exercise", "attempt", "session", "sequence", "head", "event", "requester", "time", "number", "witness",
  ]);
  const head = f.digest(p["head"]);
  if (!hasSubject(statement, "head", head)) return null;
  return {
    kind: "cosignature", exercise: hex(f.digest(p["exercise"])), attempt: f.integer(p["attempt"], 1, 64),
    session: hex(f.digest(p["session"])), sequence: f.integer(p["sequence"], 1, 2 ** 32), head: hex(head),
    event: f.oneOf(p["event"], EVENTS), requester: f.oneOf(p["requester"], ["prover", "verifier"]), ...readCommon(statement, p),
  };
}

/** What one key signed first, whoever else signed it too; null where it is nothing that witnesses sign. */
function readSigned(sealed: Bytes): { readonly by: string; readonly signed: Signed } | null {
  try {
    const { statement, signer } = openSigned(sealed);
    const read = statement.type === predicateType("registration-receipt") ? readReceipt
      : statement.type === predicateType("cosignature") ? readCosignature : null;
    const signed = read === null ? null : read(statement);
    return signed === null ? null : { by: hex(signer), signed };
  } catch (error) {
    if (error instanceof Refusal) return null;
    throw error;
  }
}

function sameAttempt(a: Cosignature, b: Cosignature): boolean {
  return a.exercise === b.exercise && a.attempt === b.attempt;
}

/** Whether `claim` was void when it was signed, by what its witness had signed before. */
function voids(shown: Signed, claim: Signed): boolean {
  return shown.kind === "cosignature" && claim.kind === "cosignature" && claim.event === "default" && sameAttempt(shown, claim)
    && (shown.event === "posted" || shown.event === "late") && shown.requester !== claim.requester && shown.sequence > claim.sequence;
}

/** Two heads for one place, where that is not free. */
function splits(a: Cosignature, b: Cosignature): boolean {
  if (a.sequence !== b.sequence || a.head === b.head || a.event === "relayed" || b.event === "relayed") return false;
  return a.requester === b.requester || (ENDS.includes(a.event) && ENDS.includes(b.event));
}

function repeats(a: Cosignature, b: Cosignature): boolean {
  const once = a.session === b.session && a.sequence === b.sequence && a.head === b.head && a.event === b.event;
  return once && (OPENS.includes(a.event) || a.requester === b.requester);
}

/** Whether no honest witness signs both; `a` has the number that is not higher. */
function contradict(a: Signed, b: Signed): boolean {
  if (a.number === b.number || a.time > b.time || voids(a, b)) return true;
  if (a.kind === "receipt" || b.kind === "receipt") {
    return a.kind === "receipt" && b.kind === "receipt" && a.statement === b.statement && a.time !== b.time;
  }
  return sameAttempt(a, b) && (a.session !== b.session || splits(a, b) || repeats(a, b));
}

/** The statements of one witness in their order; null where it contradicted itself. */
function consistent(signed: readonly Signed[]): readonly Signed[] | null {
  const all = [...new Map(signed.map((s) => [s.id, s])).values()].sort((a, b) => a.number - b.number);
  for (const [i, a] of all.entries()) {
    for (const b of all.slice(i + 1)) if (contradict(a, b)) return null;
  }
  return all;
}

/** The threshold-th smallest time; 0 where there are not that many. */
function established(times: readonly number[], threshold: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[threshold - 1] ?? 0;
}

class Weighing {
  private readonly threshold: number;

  constructor(private readonly s: Session, private readonly witnesses: readonly (readonly Signed[])[], threshold: number) {
    this.threshold = Math.max(threshold, 1);
  }

  /** What one witness signed about the message of this number in this attempt. */
  private about(signed: readonly Signed[], sequence: number): Cosignature[] {
    const { s } = this;
    const slot = s.slots[sequence - 1];
    if (slot === undefined || s.terms === null) return [];
    const exercise = hex(s.terms.exercise);
    return signed.filter((c): c is Cosignature => c.kind === "cosignature" && c.exercise === exercise && c.attempt === s.attempt
      && c.session === hex(s.sessionId) && c.sequence === sequence && c.head === hex(slot.head));
  }

  event(sequence: number, event: Event): number {
    const times = this.witnesses.flatMap((signed) => {
      const own = this.about(signed, sequence).filter((c) => c.event === event).map((c) => c.time);
      return own.length === 0 ? [] : [Math.min(...own)];
    });
    return established(times, this.threshold);
  }

  /** The claim about the last message against the party whose turn it is. */
  claim(): Pick<Weighed, "standing" | "fails"> {
    const { s } = this;
    const accused = s.turn;
    const last = s.slots[s.length - 1];
    if (accused === null || s.terms === null || last === undefined) return { standing: "", fails: "" };
    const { deadlines } = s.terms;
    const deadline = last.kind === "challenge" ? deadlines.answer : deadlines.turn;
    const times: number[] = [];
    const others: (readonly Signed[])[] = [];
    let early = false;
    for (const signed of this.witnesses) {
      const about = this.about(signed, s.length);
      const claim = about.find((c) => c.event === "default" && c.requester !== accused);
      const shown = about.filter((c) => c.event !== "default" && c.event !== "late").map((c) => c.time);
      const ripe = claim !== undefined && shown.length > 0 && claim.time >= Math.min(...shown) + deadline;
      if (claim !== undefined && !ripe) early = true;
      if (ripe) times.push(claim.time);
      else others.push(signed);
    }
    const at = established(times, this.threshold);
    if (times.length < this.threshold) return { standing: "", fails: early ? "CLAIM_EARLY" : "" };
    if (others.some((signed) => signed.some((c) => c.time <= at && this.makesVoid(c, accused)))) return { standing: "", fails: "CLAIM_VOID" };
    return { standing: accused === "prover" ? "PROVER-DEFAULT" : "VERIFIER-DEFAULT", fails: "" };
  }

  private makesVoid(c: Signed, accused: Party): boolean {
    const { s } = this;
    return c.kind === "cosignature" && s.terms !== null && c.exercise === hex(s.terms.exercise) && c.attempt === s.attempt
      && (c.event === "posted" || c.event === "late") && c.requester === accused && c.sequence > s.length;
  }
}

/** What the side records of a record establish. */
export function weigh(s: Session, sides: readonly Bytes[]): Weighed {
  const terms = s.terms;
  if (terms === null || terms.witnesses.keys.length === 0) return UNWEIGHED;
  const read = sides.slice(-MOST_WEIGHED).map(readSigned).filter((r) => r !== null);
  const all = terms.witnesses.keys.map(hex).map((key) => ({ key, signed: consistent(read.flatMap((r) => (r.by === key ? [r.signed] : []))) }));
  const weighing = new Weighing(s, all.map((w) => w.signed ?? []), terms.witnesses.threshold);
  const fourth = s.slots[3]?.kind;
  const event = fourth === "accept" ? "accepted" : fourth === "decline" ? "decline" : null;
  return {
    opening: event === null ? 0 : weighing.event(4, event), ended: weighing.event(s.length, "end"), ...weighing.claim(),
    discarded: all.filter((w) => w.signed === null).map((w) => w.key),
  };
}
