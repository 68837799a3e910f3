// The sessions of a prover: replayed from the journal, advanced in transactions, counted against the budget.
import { type Bytes, equal, hex } from "../bytes.js";
import { blobDigest } from "../commitments.js";
import { Refusal } from "../errors.js";
import type { Machine, Pending } from "../machine.js";
import type { Blob, Session } from "../session.js";
import type { Options } from "../turns.js";
import type { Config } from "./config.js";
import { type CoinPair, Journal, type StoredTurn, type Transaction } from "./journal.js";

export const MAX_SIDES = 64;

export function blobOf(bytes: Bytes): Blob {
  return { bytes, digest: blobDigest(bytes), size: BigInt(bytes.length) };
}

export interface Kept {
  readonly id: string;
  readonly machine: Machine;
  readonly turns: StoredTurn[];
  readonly peerTls: Bytes;
  readonly peerRoot: Bytes;
  coin: CoinPair | null;
  sides: number;
  faulted: boolean;
  superseded: boolean;
}

export type MakeMachine = (options: Options) => Machine;

function settled(s: Session): boolean {
  return s.turn === null || s.counts.length > 0;
}

export class Store {
  private readonly journal: Journal;
  private readonly sessions = new Map<string, Kept>();
  private readonly byExercise = new Map<string, Kept>();

  constructor(private readonly config: Config, private readonly makeMachine: MakeMachine) {
    const { journal, transactions } = Journal.open(config.journal);
    this.journal = journal;
    for (const transaction of transactions) this.replay(transaction);
  }

  close(): void {
    this.journal.close();
  }

  /** A machine for a new session over a channel with these certificates. */
  fresh(peerTls: Bytes, peerRoot: Bytes): Machine {
    const { identity } = this.config;
    return this.makeMachine({
      earlier: (exercise) => this.byExercise.get(hex(exercise))?.machine.session ?? null, modes: ["open"],
      pinned: (role, fingerprint) => equal(fingerprint, role === "prover" ? identity.root : peerRoot),
      tls: { verifier: peerTls, prover: identity.tlsDigest },
    });
  }

  find(sessionId: Bytes): Kept | undefined {
    return this.sessions.get(hex(sessionId));
  }

  findByHello(head: Bytes): Kept | undefined {
    for (const kept of this.sessions.values()) {
      const first = kept.machine.session.slots[0];
      if (first !== undefined && equal(first.head, head)) return kept;
    }
    return undefined;
  }

  /** The coin of an exercise that an earlier attempt committed to. */
  coinOf(exercise: Bytes): CoinPair | null {
    return this.byExercise.get(hex(exercise))?.coin ?? null;
  }

  keep(machine: Machine, turns: readonly StoredTurn[], peerTls: Bytes, peerRoot: Bytes): Kept {
    const id = hex(machine.session.sessionId);
    this.journal.append({ kind: "turns", session: id, turns, coin: null });
    const kept = this.entry(id, machine, peerTls, peerRoot);
    kept.turns.push(...turns);
    return kept;
  }

  /** Stores turns that the machine has already taken. */
  add(kept: Kept, turns: readonly StoredTurn[], coin: CoinPair | null): void {
    this.journal.append({ kind: "turns", session: kept.id, turns, coin });
    kept.turns.push(...turns);
    if (coin !== null) kept.coin = coin;
    this.index(kept);
  }

  addSide(kept: Kept, sealed: Bytes): void {
    this.journal.append({ kind: "side", session: kept.id, sealed });
    kept.sides++;
  }

  addFault(kept: Kept, turn: StoredTurn): void {
    this.journal.append({ kind: "fault", session: kept.id, turns: [turn], coin: null });
    kept.faulted = true;
  }

  /** What a counterparty drew, or may yet draw, over all its exercises but one. */
  drawn(root: Bytes, but: Bytes | null): { answers: number; outputBytes: number } {
    let [answers, outputBytes] = [0, 0];
    for (const kept of this.byExercise.values()) {
      const s = kept.machine.session;
      if (!equal(kept.peerRoot, root) || s.terms === null || s.declared === null) continue;
      if (but !== null && equal(s.terms.exercise, but)) continue;
      if (settled(s) || kept.faulted) {
        for (const { answer } of s.challenged) {
          answers += answer === null ? 0 : 1;
          outputBytes += answer?.output?.length ?? 0;
        }
      } else {
        const units = s.terms.budgets.reduce((sum, b) => sum + b.units, 0);
        answers += units;
        outputBytes += units * s.terms.caps.output;
      }
    }
    return { answers, outputBytes };
  }

  private entry(id: string, machine: Machine, peerTls: Bytes, peerRoot: Bytes): Kept {
    const kept: Kept = { id, machine, turns: [], peerTls, peerRoot, coin: null, sides: 0, faulted: false, superseded: false };
    this.sessions.set(id, kept);
    return kept;
  }

  private index(kept: Kept): void {
    const { terms } = kept.machine.session;
    if (terms === null) return;
    const name = hex(terms.exercise);
    const before = this.byExercise.get(name);
    if (before === kept) return;
    if (before !== undefined) before.superseded = true;
    this.byExercise.set(name, kept);
  }

  private replay(transaction: Transaction): void {
    const kept = this.sessions.get(transaction.session);
    if (transaction.kind === "side") {
      if (kept !== undefined) kept.sides++;
    } else if (transaction.kind === "fault") {
      if (kept !== undefined) kept.faulted = true;
    } else {
      const machine = kept?.machine ?? this.forReplay();
      for (const turn of transaction.turns) this.step(machine, turn);
      const greeting = machine.session.verifier;
      if (greeting === null) throw new Error("CORRUPT: a session without a verifier");
      const entry = kept ?? this.entry(transaction.session, machine, greeting.verifierTls, greeting.history.fingerprint);
      entry.turns.push(...transaction.turns);
      if (transaction.coin !== null) entry.coin = transaction.coin;
      this.index(entry);
    }
  }

  private forReplay(): Machine {
    return this.makeMachine({
      earlier: (exercise) => this.byExercise.get(hex(exercise))?.machine.session ?? null, modes: ["open"], pinned: () => true, tls: null,
    });
  }

  private step(machine: Machine, turn: StoredTurn): void {
    const admitted = machine.admit(turn.envelope);
    if (admitted.duplicate) throw new Error("CORRUPT: a turn that stands twice");
    machine.complete(admitted.pending, turn.blobs.map(blobOf));
  }
}

/** Lets the machine take a turn; where content is wrong the refusal comes back to be stored. */
export function take(machine: Machine, pending: Pending, blobs: readonly Bytes[]): Refusal | null {
  try {
    machine.complete(pending, blobs.map(blobOf));
    return null;
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
}
