// One incoming turn at a time: its announced content, collected chunk by chunk under the rules of the wire.
import type { Bytes } from "../bytes.js";
import type { Envelope } from "../envelope.js";
import { demand, refuse } from "../errors.js";
import type { Pending } from "../machine.js";
import { CHUNK } from "./wire.js";

export interface Complete { readonly envelope: Envelope; readonly pending: Pending; readonly blobs: readonly Bytes[] }

export class Incoming {
  protected current: { envelope: Envelope; pending: Pending; total: number; received: number; pieces: Bytes[] } | null = null;
  /** Whether chunks are the content of a turn that came again: nothing of it is kept. */
  private ignoring = false;

  /** Begins a turn; gives it back at once where it announces no content. */
  begin(envelope: Envelope, pending: Pending): Complete | null {
    const total = Number(pending.turn.sizes.reduce((sum, size) => sum + size, 0n));
    this.ignoring = false;
    this.current = { envelope, pending, total, received: 0, pieces: [] };
    return total === 0 ? this.finish() : null;
  }

  /** Ignores chunks up to the next envelope. */
  ignore(): void {
    this.ignoring = true;
  }

  get busy(): boolean {
    return this.current !== null;
  }

  protected placed(offset: bigint, received: number): boolean {
    return offset === BigInt(received);
  }

  chunk(offset: bigint, data: Bytes): Complete | null {
    if (this.ignoring) return null;
    const turn = this.current;
    demand(turn !== null, "BLOB_MISMATCH", "a chunk that no envelope announced");
    demand(data.length >= 1 && data.length <= CHUNK, "BLOB_MISMATCH", "a chunk of another size");
    demand(this.placed(offset, turn.received), "BLOB_MISMATCH", "a chunk at another offset");
    demand(turn.received + data.length <= turn.total, "BLOB_MISMATCH", "more content than announced");
    turn.pieces.push(data);
    turn.received += data.length;
    return turn.received === turn.total ? this.finish() : null;
  }

  private finish(): Complete {
    const turn = this.current ?? refuse("OUT_OF_ORDER", "no turn");
    this.current = null;
    const content = new Uint8Array(Buffer.concat(turn.pieces));
    let at = 0;
    const blobs = turn.pending.turn.sizes.map((size) => content.subarray(at, (at += Number(size))));
    return { envelope: turn.envelope, pending: turn.pending, blobs };
  }
}
