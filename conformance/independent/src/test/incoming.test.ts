// Chunks of a turn, and of a turn that came again; what stops the time of a turn.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bytes } from "../bytes.js";
import type { Pending } from "../machine.js";
import * as M from "../messages.js";
import { Dialogue, type Surroundings } from "../prover/dialogue.js";
import { Incoming } from "../prover/incoming.js";
import { framesOf, pong } from "../prover/wire.js";
import { reason } from "../testing.js";

const envelope = { payloadType: "any", payload: new Uint8Array(0), signatures: [] };
const turn = (...sizes: readonly bigint[]): Pending => ({ turn: { sizes } }) as unknown as Pending;
const bytes = (n: number): Bytes => new Uint8Array(n);

test("a turn is whole when its announced content is there, however it was cut", () => {
  const incoming = new Incoming();
  assert.equal(incoming.begin(envelope, turn(3n, 0n, 2n)), null);
  assert.equal(incoming.chunk(0n, bytes(4)), null);
  assert.deepEqual(incoming.chunk(4n, bytes(1))?.blobs.map((b) => b.length), [3, 0, 2]);
  assert.equal(reason(() => incoming.chunk(5n, bytes(1))), "BLOB_MISMATCH");
});

test("a chunk at another offset, an empty one, one too long and one too many are refused", () => {
  for (const [offset, size] of [[1n, 1], [0n, 0], [0n, 262145], [0n, 4]] as const) {
    const incoming = new Incoming();
    incoming.begin(envelope, turn(3n));
    assert.equal(reason(() => incoming.chunk(offset, bytes(size))), "BLOB_MISMATCH");
  }
  assert.equal(reason(() => new Incoming().chunk(0n, bytes(1))), "BLOB_MISMATCH");
});

test("chunks behind a message that came again are ignored up to the next envelope, whatever they are", () => {
  const incoming = new Incoming();
  incoming.ignore();
  for (const [offset, size] of [[0n, 5], [9n, 1], [0n, 0]] as const) assert.equal(incoming.chunk(offset, bytes(size)), null);
  assert.equal(incoming.begin(envelope, turn(1n)), null);
  assert.equal(reason(() => incoming.chunk(7n, bytes(1))), "BLOB_MISMATCH");
});

test("neither a ping nor the content of a turn that came again is progress of the session", () => {
  const machine = { session: { length: 2, turn: "verifier" } };
  const kept = { machine, turns: [], peerTls: bytes(32), faulted: false, superseded: false };
  const sent: Bytes[] = [];
  const dialogue = new Dialogue({
    store: { findByHello: () => kept }, peerTls: bytes(32), incoming: new Incoming(), send: (frame: Bytes) => sent.push(frame),
    reserve: () => undefined, attach: () => undefined,
  } as unknown as Surroundings);
  const [hello, chunk] = [...framesOf({ envelope: { ...envelope, signatures: [{ key: bytes(32), value: bytes(64) }] }, blobs: [bytes(3)] })] as [Bytes, Bytes];
  assert.equal(dialogue.length, 0);
  dialogue.frame(hello);
  assert.equal(dialogue.length, 2);
  const ping = M.FrameCarrier.write({ frame: { envelope: undefined, chunk: undefined, resume: undefined, side: undefined, ping: { reply: false } } });
  for (const frame of [chunk, ping, chunk]) dialogue.frame(frame);
  assert.equal(dialogue.length, 2);
  assert.deepEqual(sent, [pong()]);
});
