// One stream of a verifier: opening or continuing a session, taking turns, answering them.
import { type Bytes, equal } from "../bytes.js";
import { checkBounds, type Envelope, fromJson, head } from "../envelope.js";
import { demand, refuse, Refusal } from "../errors.js";
import type { Machine } from "../machine.js";
import * as M from "../messages.js";
import { Incoming, type Complete } from "./incoming.js";
import type { StoredTurn } from "./journal.js";
import type { Speaker } from "./speaker.js";
import { type Kept, MAX_SIDES, type Store, take } from "./store.js";
import { envelopeOf, framesOf, pong, readFrame, resumeFrame } from "./wire.js";

/** What a dialogue needs of the world around it. */
export interface Surroundings {
  readonly store: Store;
  readonly speaker: Speaker;
  readonly peerTls: Bytes;
  readonly peerRoot: Bytes;
  readonly incoming: Incoming;
  send(frame: Bytes): void;
  /** Takes one of the places for sessions, or refuses. */
  reserve(): void;
  /** This stream speaks for the session from now on; an older one ends. */
  attach(id: string): void;
}

export class Dialogue {
  protected kept: Kept | null = null;
  private machine: Machine | null = null;
  private began = false;
  /** Slots that the verifier's Resume names and this side still lacks. */
  private awaited = 0;

  constructor(protected readonly around: Surroundings) {}

  get over(): boolean {
    return this.kept !== null && this.kept.machine.session.turn === null;
  }

  /** Messages of the session so far: only where this grows has a turn come, whatever else did. */
  get length(): number {
    return this.machine?.session.length ?? 0;
  }

  frame(data: Bytes): void {
    const frame = readFrame(data, !this.began);
    if (frame.ping !== undefined) {
      if (!frame.ping.reply) this.around.send(pong());
    } else if (frame.resume !== undefined) this.resume(frame.resume);
    else if (frame.side !== undefined) this.side(frame.side.sealed);
    else if (frame.chunk !== undefined) this.done(this.around.incoming.chunk(frame.chunk.offset, frame.chunk.data));
    else if (frame.envelope !== undefined) this.envelope(envelopeOf(frame.envelope));
  }

  private envelope(envelope: Envelope): void {
    demand(!this.around.incoming.busy, "OUT_OF_ORDER", "an envelope before the content of the last one");
    if (!this.began) {
      this.began = true;
      checkBounds(envelope);
      const known = this.around.store.findByHello(head(envelope));
      if (known !== undefined) {
        this.around.incoming.ignore();
        return this.again(known, 1, false);
      }
      this.around.reserve();
      this.machine = this.around.store.fresh(this.around.peerTls, this.around.peerRoot);
    }
    const machine = this.machine ?? refuse("OUT_OF_ORDER", "no session");
    const admitted = this.guarded(envelope, () => machine.admit(envelope));
    if (admitted.duplicate) return this.around.incoming.ignore();
    this.done(this.around.incoming.begin(envelope, admitted.pending));
  }

  /** A refusal that blames the verifier ends the session for good: the message is kept as evidence. */
  private guarded<T>(envelope: Envelope, run: () => T): T {
    try {
      return run();
    } catch (error) {
      if (error instanceof Refusal && error.blamed === "verifier" && this.kept !== null) {
        this.around.store.addFault(this.kept, { envelope, blobs: [] });
      }
      throw error;
    }
  }

  private done(complete: Complete | null): void {
    if (complete === null || this.machine === null) return;
    const turn: StoredTurn = { envelope: complete.envelope, blobs: complete.blobs };
    const refusal = take(this.machine, complete.pending, complete.blobs);
    if (refusal !== null) {
      if (refusal.blamed === "verifier" && this.kept !== null) this.around.store.addFault(this.kept, turn);
      throw refusal;
    }
    if (this.awaited > 0) this.awaited--;
    this.answer(this.machine, [turn]);
  }

  /** Stores what came together with the prover's next message, then sends that. */
  private answer(machine: Machine, came: readonly StoredTurn[]): void {
    const { store, speaker, peerTls, peerRoot } = this.around;
    const s = machine.session;
    if (s.turn !== "prover" || this.awaited > 0) {
      if (came.length > 0 && this.kept !== null) store.add(this.kept, came, null);
      return;
    }
    const { terms } = s;
    const coin = this.kept?.coin ?? (terms === null ? null : store.coinOf(terms.exercise));
    let said;
    try {
      said = speaker.next(s, coin, store.drawn(peerRoot, terms?.exercise ?? null));
    } catch (error) {
      // The verifier's turn is good and stays; the answer is tried again when it resumes.
      if (this.kept !== null && came.length > 0) store.add(this.kept, came, null);
      throw error;
    }
    const own = this.own(machine, said.turn);
    if (this.kept === null) {
      this.kept = store.keep(machine, [...came, own], peerTls, peerRoot);
      this.around.attach(this.kept.id);
    } else store.add(this.kept, [...came, own], said.coin);
    this.sendTurn(own);
  }

  /** The prover's own machine takes its own message first: it never says what it would refuse. */
  protected own(machine: Machine, turn: StoredTurn): StoredTurn {
    const admitted = machine.admit(turn.envelope);
    if (admitted.duplicate) throw new Error("a message of its own that stands twice");
    const refusal = take(machine, admitted.pending, turn.blobs);
    if (refusal !== null) throw new Error(`a message of its own that is refused: ${refusal.reason}`);
    return turn;
  }

  protected sendTurn(turn: StoredTurn): void {
    for (const frame of framesOf(turn)) this.around.send(frame);
  }

  /** Continues a session: everything after the verifier's last message goes out again. */
  private again(kept: Kept, after: number, resumed: boolean): void {
    demand(equal(kept.peerTls, this.around.peerTls), "WRONG_SESSION", "a session of another party");
    demand(!kept.faulted && !kept.superseded, "ABORTED", "a session that is over");
    this.kept = kept;
    this.machine = kept.machine;
    this.around.attach(kept.id);
    this.around.reserve();
    const s = kept.machine.session;
    if (resumed) this.around.send(resumeFrame({ session_id: s.sessionId, sequence: BigInt(s.length), head: s.head }));
    for (const turn of kept.turns.slice(after)) this.sendTurn(turn);
    this.answer(kept.machine, []);
  }

  protected checkHead(kept: Kept, m: M.Resume): void {
    const slot = kept.machine.session.slots[Number(m.sequence) - 1];
    demand(slot === undefined || equal(slot.head, m.head), "HEAD_MISMATCH", "another message in a slot that both fill");
  }

  protected lookUp(m: M.Resume): Kept {
    return this.around.store.find(m.session_id) ?? refuse("WRONG_SESSION", "no such session");
  }

  private resume(m: M.Resume): void {
    demand(!this.began, "OUT_OF_ORDER", "a resumption in the middle of a stream");
    this.began = true;
    demand(m.session_id.length === 32 && m.head.length === 32, "MALFORMED", "a digest of another size");
    demand(m.sequence >= 1n && m.sequence <= 2n ** 32n, "MALFORMED", "a number out of bounds");
    const kept = this.lookUp(m);
    demand(equal(kept.peerTls, this.around.peerTls), "WRONG_SESSION", "a session of another party");
    this.checkHead(kept, m);
    this.awaited = Math.max(0, Number(m.sequence) - kept.machine.session.length);
    this.again(kept, Number(m.sequence), true);
  }

  protected mostSides(): number {
    return MAX_SIDES;
  }

  private side(sealed: Bytes): void {
    const kept = this.kept ?? refuse("OUT_OF_ORDER", "a side record of no session");
    demand(kept.sides < this.mostSides(), "TOO_LARGE", "too many side records");
    fromJson(sealed);
    this.around.store.addSide(kept, sealed);
  }
}
