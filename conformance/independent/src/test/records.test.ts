// What the vectors of compute records do not reach: every problem of the draft's table, and every rule for claims.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ComputeClaim } from "../claims.js";
import { judgeCompute } from "../computeclaims.js";
import { recordFaults } from "../recordfaults.js";
import type { Close, ComputeRecord, Declaration, Snapshot, Window } from "../records.js";

const declaration: Declaration = {
  kind: "declaration", sequence: 0, at: 0, run: "r", parameters: 10n, factor: 6n, budget: 10_000n, devices: new Map([["a", 100n]]), maxGap: 100,
};
const window: Window = { kind: "window", sequence: 1, at: 100, device: "a", start: 0, end: 100, run: "r" };
const snapshot: Snapshot = {
  kind: "snapshot", sequence: 2, at: 100, run: "r", step: 1, tokens: 100n, flop: 6000n, weights: "w", dataEnd: 1, seconds: new Map([["a", 90]]),
};
const later: Snapshot = { ...snapshot, sequence: 3, at: 150, step: 2, tokens: 110n, flop: 6600n, dataEnd: 2, seconds: new Map([["a", 100]]) };
const close: Close = { kind: "close", sequence: 4, at: 150, run: "r", tokens: 110n, flop: 6600n, weights: "w", missing: 0 };
const GOOD: readonly ComputeRecord[] = [declaration, window, snapshot, later, close];

/** The good records with one replaced, left out where it is null. */
function changed(sequence: number, by: Partial<ComputeRecord> | null): ComputeRecord[] {
  return GOOD.flatMap((r) => (r.sequence !== sequence ? [r] : by === null ? [] : [{ ...r, ...by } as ComputeRecord]));
}

function problems(records: readonly ComputeRecord[]): string[] {
  return recordFaults(records).map((x) => `${x.sequence} ${x.problem}`);
}

test("records without contradiction have no fault", () => {
  assert.deepEqual(problems(GOOD), []);
});

test("every contradiction is found where it stands", () => {
  const cases: readonly (readonly [string, readonly ComputeRecord[]])[] = [
    ["3 TIME_NOT_MONOTONIC", changed(3, { at: 99 })],
    ["1 RUN_NOT_DECLARED", changed(1, { run: "other" })],
    ["5 RUN_DECLARED_TWICE", [...GOOD, { ...declaration, sequence: 5, at: 150 }]],
    ["1 DECLARED_LATE", changed(0, { at: 1 })],
    ["5 RECORD_AFTER_CLOSE", [...GOOD, { ...close, sequence: 5 }]],
    ["3 NOT_CUMULATIVE", changed(3, { step: 1 })],
    ["3 NOT_CUMULATIVE", changed(3, { dataEnd: 1 })],
    ["3 NOT_CUMULATIVE", changed(3, { seconds: new Map([["a", 89]]) })],
    ["2 SNAPSHOT_GAP", changed(0, { maxGap: 99 })],
    ["3 FLOP_FORMULA", changed(3, { flop: 6601n })],
    ["2 UTILISATION", changed(2, { seconds: new Map([["a", 59]]) })],
    ["3 DEVICE_SECONDS", changed(3, { seconds: new Map([["a", 141]]) })],
    ["3 UNKNOWN_DEVICE", changed(3, { seconds: new Map([["a", 100], ["b", 0]]) })],
    ["1 UNKNOWN_DEVICE", changed(1, { device: "b" })],
    ["5 DEVICE_OVERLAP", [...GOOD, { ...window, sequence: 5, start: 99, end: 120, at: 150 }]],
    ["1 BAD_WINDOW", changed(1, { start: 100 })],
    ["1 BAD_WINDOW", changed(1, { end: 101 })],
    ["4 CLOSE_MISMATCH", changed(4, { weights: "v" })],
    ["4 MISSING_RECORDS", changed(4, { missing: 1 })],
    ["3 OVER_BUDGET", changed(0, { budget: 6599n })],
    ["3 RUN_NOT_CLOSED", changed(4, null)],
  ];
  for (const [expected, records] of cases) assert.ok(problems(records).includes(expected), `${expected}: ${problems(records).join()}`);
});

test("a close is compared with the run's last snapshot, wherever that stands, and seconds with those of declared devices", () => {
  const after: Snapshot = { ...later, sequence: 5, at: 160, step: 3, tokens: 120n, flop: 7200n, dataEnd: 3, seconds: new Map([["a", 110]]) };
  assert.deepEqual(problems([...GOOD, after]), ["4 CLOSE_MISMATCH", "5 RECORD_AFTER_CLOSE"]);
  const stranger = changed(2, { seconds: new Map([["a", 90], ["b", 5]]) });
  assert.deepEqual(problems(stranger), ["2 UNKNOWN_DEVICE"]);
});

test("a snapshot before its run's declaration is a step from there all the same", () => {
  const early: Snapshot = { ...snapshot, sequence: 0, at: 10, flop: 6001n };
  const found = problems([early, { ...declaration, sequence: 1, at: 20 }, { ...close, sequence: 2, at: 20 }]);
  assert.deepEqual(found.filter((p) => p.startsWith("0 ")), ["0 DEVICE_SECONDS", "0 FLOP_FORMULA", "0 RUN_NOT_DECLARED"]);
});

test("a window before its run's declaration is late, and of a run not declared", () => {
  const early: Window = { ...window, sequence: 0, at: 10, start: 0, end: 10 };
  const rest = GOOD.slice(2).map((r) => ({ ...r }) as ComputeRecord);
  const found = problems([early, { ...declaration, sequence: 1, at: 20 }, ...rest]);
  assert.deepEqual(found.filter((p) => p.startsWith("0 ")), ["0 DECLARED_LATE", "0 RUN_NOT_DECLARED"]);
  const same = problems([{ ...early, start: 5 }, { ...declaration, sequence: 1, at: 5 }, ...rest]);
  assert.deepEqual(same.filter((p) => p.startsWith("0 ")), ["0 RUN_NOT_DECLARED"]);
});

const ATTESTED = { assurance: "attested", roots: ["amd"] } as const;
const INVENTORY = { devices: ["a"], start: 0, end: 100 };
const claim: ComputeClaim = { type: "compute", id: "c", minAssurance: "declared", kind: "at-most", flop: 6600n, devices: ["a"], run: "r" };

function ruled(by: Partial<ComputeClaim>, records: readonly ComputeRecord[] = GOOD, appraised: typeof ATTESTED | null = ATTESTED): string {
  const { verdict, because } = judgeCompute({ ...claim, ...by }, records, appraised, INVENTORY);
  return `${verdict}: ${because.join("; ")}`;
}

test("each kind of compute claim is ruled by its row", () => {
  assert.match(ruled({}), /^COMPLIANT: 6600 FLOP on record over all/);
  assert.match(ruled({ flop: 6599n }), /^VIOLATION: 6600 FLOP on record, at most 6599/);
  assert.match(ruled({}, GOOD, null), /^INCONCLUSIVE: records never show absence; no appraised/);
  assert.match(ruled({ kind: "at-least" }), /^COMPLIANT: attested code/);
  assert.match(ruled({ kind: "at-least", flop: 6601n }), /^VIOLATION: 6600 FLOP over all/);
  assert.match(ruled({ kind: "at-least", flop: 6601n }, GOOD, null), /^INCONCLUSIVE: 6600 FLOP on record; work/);
  assert.match(ruled({ kind: "exclusive" }), /^COMPLIANT: every second/);
  assert.match(ruled({ kind: "exclusive", run: "s" }), /^VIOLATION: device a served another run$/);
  assert.match(ruled({ kind: "exclusive", devices: [] }), /^INCONCLUSIVE: records never show absence$/);
  assert.match(ruled({ kind: "devices" }), /^COMPLIANT: 1 runs on record/);
  assert.match(ruled({ kind: "devices", devices: ["b"] }), /^VIOLATION: device a is not among/);
  assert.match(ruled({}, changed(4, { missing: 1 })), /^INCONCLUSIVE: the records contradict themselves; record 4: MISSING_RECORDS$/);
});

test("time that no window covers, and seconds that no window holds, leave an upper bound open", () => {
  assert.match(ruled({}, changed(1, { end: 99 })), /device a is unaccounted for from 99; device a: more seconds counted/);
  assert.match(ruled({ devices: ["a", "b"] }), /device b is claimed but not in the inventory/);
});
