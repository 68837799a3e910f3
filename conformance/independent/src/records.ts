// Compute records in Accept: reading the chain of statements that a prover keeps about its training runs.
import { type Bytes, equal, hex, u64 } from "./bytes.js";
import { demand } from "./errors.js";
import { digest } from "./framing.js";
import type { Json, JsonObject } from "./json.js";
import { Fields } from "./schema.js";
import { demandType, hasSubject, type Statement } from "./statement.js";

const LATEST = 2 ** 42;
const GREATEST = 10n ** 32n;
const MOST = 1024;
const IDLE = "idle";
const f = new Fields("BAD_EVIDENCE");

interface Common { readonly sequence: number; readonly at: number }

export interface Declaration extends Common {
  readonly kind: "declaration";
  readonly run: string;
  readonly parameters: bigint;
  /** FLOP for each parameter and token. */
  readonly factor: bigint;
  readonly budget: bigint;
  readonly devices: ReadonlyMap<string, bigint>;
  readonly maxGap: number;
}

export interface Window extends Common {
  readonly kind: "window";
  readonly device: string;
  readonly start: number;
  readonly end: number;
  /** Null where the device was idle. */
  readonly run: string | null;
}

export interface Snapshot extends Common {
  readonly kind: "snapshot";
  readonly run: string;
  readonly step: number;
  readonly tokens: bigint;
  readonly flop: bigint;
  readonly weights: string;
  readonly dataEnd: number;
  readonly seconds: ReadonlyMap<string, number>;
}

export interface Close extends Common {
  readonly kind: "close";
  readonly run: string;
  readonly tokens: bigint;
  readonly flop: bigint;
  readonly weights: string;
  readonly missing: number;
}

export type ComputeRecord = Declaration | Window | Snapshot | Close;

export function wholeNumber(value: Json | undefined): bigint {
  const text = f.text(value, 1, 33);
  demand(/^(0|[1-9][0-9]*)$/.test(text) && BigInt(text) <= GREATEST, "BAD_EVIDENCE", "no whole number");
  return BigInt(text);
}

function name(value: Json | undefined): string {
  return f.text(value, 1, 200);
}

function digestHex(value: Json | undefined): string {
  return hex(f.digest(value));
}

function time(value: Json | undefined): number {
  return f.integer(value, 0, LATEST);
}

function count(value: Json | undefined): number {
  return f.integer(value, 0, Number.MAX_SAFE_INTEGER);
}

function declaration(common: Common, body: Json | undefined): Declaration {
  const b = f.object(body, ["run", "parameters", "formula", "budget", "precision", "devices", "data", "seed", "code", "max_gap"]);
  const devices = f.list(b["devices"], 1, MOST).map((value) => {
    const d = f.object(value, ["name", "peak"]);
    return [name(d["name"]), wholeNumber(d["peak"])] as const;
  });
  f.text(b["precision"], 1, 64);
  for (const field of ["data", "seed", "code"]) f.digest(b[field]);
  return {
    ...common, kind: "declaration", run: digestHex(b["run"]), parameters: wholeNumber(b["parameters"]),
    factor: f.oneOf(b["formula"], ["6ND", "2ND"]) === "6ND" ? 6n : 2n, budget: wholeNumber(b["budget"]),
    devices: new Map(devices), maxGap: f.integer(b["max_gap"], 1, LATEST),
  };
}

function window(common: Common, body: Json | undefined): Window {
  const b = f.object(body, ["device", "boot", "start", "end", "run"]);
  name(b["boot"]);
  return {
    ...common, kind: "window", device: name(b["device"]), start: time(b["start"]), end: time(b["end"]),
    run: b["run"] === IDLE ? null : digestHex(b["run"]),
  };
}

function snapshot(common: Common, body: Json | undefined): Snapshot {
  const b = f.object(body, ["run", "step", "tokens", "flop", "weights", "data_end", "seconds"]);
  const seconds = f.list(b["seconds"], 0, MOST).map((value) => {
    const d = f.object(value, ["device", "seconds"]);
    return [name(d["device"]), time(d["seconds"])] as const;
  });
  f.ascending(seconds.map(([device]) => device));
  return {
    ...common, kind: "snapshot", run: digestHex(b["run"]), step: count(b["step"]), tokens: wholeNumber(b["tokens"]),
    flop: wholeNumber(b["flop"]), weights: digestHex(b["weights"]), dataEnd: count(b["data_end"]), seconds: new Map(seconds),
  };
}

function close(common: Common, body: Json | undefined): Close {
  const b = f.object(body, ["run", "tokens", "flop", "weights", "missing"]);
  const missing = f.list(b["missing"], 0, Number.MAX_SAFE_INTEGER).map(count);
  return {
    ...common, kind: "close", run: digestHex(b["run"]), tokens: wholeNumber(b["tokens"]), flop: wholeNumber(b["flop"]),
    weights: digestHex(b["weights"]), missing: missing.length,
  };
}

const KINDS = { declaration, window, snapshot, close } as const;

function readRecord(statement: Statement, sequence: number, before: Bytes): ComputeRecord {
  demandType(statement, "compute-record", f.reason);
  demand(hasSubject(statement, "compute-record", digest("compute", before, u64(sequence))), f.reason, "another subject");
  const p: JsonObject = f.object(statement.predicate, ["sequence", "prev", "at", "kind", "body"]);
  demand(p["sequence"] === sequence && equal(f.digest(p["prev"]), before), f.reason, "a record out of its chain");
  const kind = f.oneOf(p["kind"], ["declaration", "window", "snapshot", "close"]);
  return KINDS[kind]({ sequence, at: time(p["at"]) }, p["body"]);
}

/** Reads one unbroken chain, in its order; there is none without a record. */
export function readRecords(statements: readonly Statement[]): ComputeRecord[] {
  demand(statements.length > 0, f.reason, "a chain without records");
  let before: Bytes = new Uint8Array(32);
  return statements.map((statement, n) => {
    const record = readRecord(statement, n, before);
    before = statement.digest;
    return record;
  });
}
