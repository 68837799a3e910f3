// The journal: what was appended is read again, and a transaction that a crash cut off is as if it had never been.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { utf8 } from "../bytes.js";
import { Journal, type Transaction } from "../prover/journal.js";

const envelope = { payloadType: "x", payload: utf8("payload"), signatures: [{ key: new Uint8Array(32), value: new Uint8Array(64) }] };
const written: Transaction[] = [
  { kind: "turns", session: "s", turns: [{ envelope, blobs: [utf8("blob"), new Uint8Array(0)] }], coin: { coin: new Uint8Array(32).fill(1), key: new Uint8Array(32).fill(2) } },
  { kind: "side", session: "s", sealed: utf8("{}") },
  { kind: "fault", session: "s", turns: [{ envelope, blobs: [] }], coin: null },
];

test("journal", () => {
  const folder = mkdtempSync(join(tmpdir(), "journal-"));
  const path = join(folder, "journal");
  try {
    const first = Journal.open(path).journal;
    for (const transaction of written) first.append(transaction);
    first.close();
    const whole = readFileSync(path);
    const plain = (list: readonly Transaction[]): unknown => JSON.parse(JSON.stringify(list));
    for (let cut = whole.length; cut >= 0; cut -= 7) {
      writeFileSync(path, whole.subarray(0, cut));
      const { journal, transactions } = Journal.open(path);
      assert.deepEqual(plain(transactions), plain(written.slice(0, transactions.length)));
      assert.ok(cut < whole.length || transactions.length === 3);
      journal.append({ kind: "side", session: "t", sealed: utf8("later") });
      journal.close();
      const again = Journal.open(path);
      assert.equal(again.transactions.length, transactions.length + 1);
      again.journal.close();
    }
    writeFileSync(path, "something else altogether, long enough");
    assert.throws(() => Journal.open(path), /CORRUPT/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
