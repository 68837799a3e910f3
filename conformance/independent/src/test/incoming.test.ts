// Chunks of a turn, and of a turn that came again.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Bytes } from "../bytes.js";
import type { Pending } from "../machine.js";
import { Incoming } from "../prover/incoming.js";
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
