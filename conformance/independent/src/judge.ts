// The judge: a record and pinned fingerprints in, validity, fault and verdict out.
import { type Bytes, equal, hex } from "./bytes.js";
import { type Party, Refusal } from "./errors.js";
import { validAt } from "./keys.js";
import { Machine } from "./machine.js";
import { type Entry, readRecord } from "./record.js";
import { type Blob, MODES, type Session } from "./session.js";
import { verdictOf } from "./show.js";
import type { Options } from "./turns.js";
import type { Verdict } from "./levels.js";
import { UNWEIGHED, weigh, type Weighed } from "./witnesses.js";

/** The message that names the first party, and stands for faults of the record as a whole. */
const GREETING = 1;
/** The message that accepts or declines; its witnessed time is that at which keys are judged. */
const DECISION = 4;

export interface Fault { readonly reason: string; readonly blamed: Party | null; readonly sequence: number; readonly detail: string }

export interface Judgement {
  readonly session: Session;
  readonly fault: Fault | null;
  readonly known: boolean;
  readonly verdict: Verdict | null;
  readonly withheld: readonly number[];
  readonly sides: readonly Bytes[];
  readonly witnessed: Weighed;
}

function machineAfter(earlier: Session | null): Machine {
  const options: Options = {
    earlier: (exercise) => (earlier?.terms != null && equal(earlier.terms.exercise, exercise) ? earlier : null), modes: MODES, pinned: () => true, tls: null,
  };
  return new Machine(options);
}

class Judge {
  machine = machineAfter(null);
  fault: Fault | null = null;
  readonly sides: Bytes[] = [];
  readonly withheld = new Set<number>();

  run(entries: readonly Entry[]): void {
    for (let i = 0; i < entries.length && this.fault === null;) {
      try {
        i += this.entry(entries, i);
      } catch (error) {
        if (!(error instanceof Refusal)) throw error;
        this.fault = {
          reason: error.reason, blamed: error.blamed, sequence: this.machine.session.length + 1, detail: error.detail,
        };
      }
    }
    this.note();
  }

  private note(): void {
    for (const item of this.machine.session.withheld) this.withheld.add(Number(item));
  }

  /** Judges one entry and what belongs to it; gives the number of entries that it took. */
  private entry(entries: readonly Entry[], at: number): number {
    const entry = entries[at] as Entry;
    switch (entry.kind) {
      case "envelope": {
        const admitted = this.machine.admit(entry.envelope);
        if (admitted.duplicate) throw new Refusal("MALFORMED", "a message that stands twice");
        const blobs: Blob[] = [];
        while (blobs.length < admitted.pending.turn.sizes.length) {
          const next = entries[at + 1 + blobs.length];
          if (next?.kind !== "blob") break;
          blobs.push(next.blob);
        }
        this.machine.complete(admitted.pending, blobs);
        return 1 + blobs.length;
      }
      case "blob": throw new Refusal("MALFORMED", "content that no message announces");
      case "attempt": {
        const before = this.machine.session;
        if (before.terms === null) throw new Refusal("MALFORMED", "an attempt after one that proposed nothing");
        this.note();
        this.machine = machineAfter(before);
        return 1;
      }
      case "evidence":
        this.machine.admit(entry.envelope);
        throw new Refusal("MALFORMED", "evidence of nothing");
      case "side":
        this.sides.push(entry.sealed);
        return 1;
    }
  }
}

function keysValid(s: Session, time: number): boolean {
  return (["verifier", "prover"] as const).every((party) => {
    const greeting = s[party];
    return greeting === null || validAt(greeting.history, greeting.key, party, time);
  });
}

export function judge(file: Bytes, pins: readonly Bytes[]): Judgement {
  const judge = new Judge();
  judge.run(readRecord(file));
  const s = judge.machine.session;
  let { fault } = judge;
  const pinned = (fingerprint: Bytes | undefined): boolean =>
    fingerprint !== undefined && pins.some((pin) => equal(pin, fingerprint));
  const roots = [s.verifier?.history.fingerprint, s.prover?.history.fingerprint];
  const about = (reason: string, detail: string, sequence = GREETING): Fault => ({ reason, blamed: null, sequence, detail });
  if (fault === null && pins.length > 0) {
    const stranger = roots.find((root) => root !== undefined && !pinned(root));
    if (stranger !== undefined) fault = about("UNKNOWN_PARTY", `root ${hex(stranger)} is not pinned`);
  }
  const witnessed = fault === null ? weigh(s, judge.sides) : UNWEIGHED;
  if (fault === null && witnessed.opening > 0 && !keysValid(s, witnessed.opening)) {
    fault = about("KEY_NOT_CERTIFIED", "a session key that was not valid when the exercise was decided", DECISION);
  }
  if (fault === null && s.length === 0) fault = about("MALFORMED", "a record without any message");
  return {
    session: s, fault, known: pins.length > 0 && roots.every(pinned),
    verdict: fault === null ? verdictOf(s) : null,
    withheld: [...judge.withheld].sort((a, b) => a - b), sides: judge.sides, witnessed,
  };
}
