// Contradictions within compute records; one function a problem of the draft's table, or two that read alike.
import type { Close, ComputeRecord, Declaration, Snapshot, Window } from "./records.js";

export interface Fault { readonly sequence: number; readonly problem: string }

type Note = (problem: string, at: { readonly sequence: number }) => void;

/** A snapshot with the one before it; before the first every count is 0 at the declaration. */
interface Step {
  readonly origin: Declaration;
  readonly before: Pick<Snapshot, "step" | "tokens" | "flop" | "dataEnd" | "seconds" | "at">;
  readonly after: Snapshot;
}

function secondsOf(counts: ReadonlyMap<string, number>, device: string): number {
  return counts.get(device) ?? 0;
}

function checkStep({ origin, before, after }: Step, note: Note): void {
  const wall = after.at - before.at;
  const spent = (device: string): number => secondsOf(after.seconds, device) - secondsOf(before.seconds, device);
  const grows = after.step > before.step && after.tokens > before.tokens && after.dataEnd > before.dataEnd;
  const falls = [...origin.devices.keys()].some((device) => spent(device) < 0);
  if (!grows || falls) note("NOT_CUMULATIVE", after);
  if (wall > origin.maxGap) note("SNAPSHOT_GAP", after);
  if (after.flop !== origin.factor * origin.parameters * after.tokens) note("FLOP_FORMULA", after);
  let possible = 0n;
  for (const [device, peak] of origin.devices) possible += peak * BigInt(Math.max(0, spent(device)));
  const growth = after.flop - before.flop;
  if (growth <= 0n || growth > possible) note("UTILISATION", after);
  if ([...origin.devices.keys()].some((device) => spent(device) > wall)) note("DEVICE_SECONDS", after);
  if ([...after.seconds.keys()].some((device) => !origin.devices.has(device))) note("UNKNOWN_DEVICE", after);
  if (after.flop > origin.budget) note("OVER_BUDGET", after);
}

/** What the whole chain says of each run: its first declaration and its last snapshot, wherever they stand. */
interface Runs { readonly origins: ReadonlyMap<string, Declaration>; readonly lasts: ReadonlyMap<string, Snapshot> }

function runsOf(records: readonly ComputeRecord[]): Runs {
  const origins = new Map<string, Declaration>();
  const lasts = new Map<string, Snapshot>();
  for (const record of records) {
    if (record.kind === "declaration" && !origins.has(record.run)) origins.set(record.run, record);
    if (record.kind === "snapshot") lasts.set(record.run, record);
  }
  return { origins, lasts };
}

class Walk {
  private readonly declared = new Set<string>();
  private readonly closed = new Set<string>();
  private readonly before = new Map<string, Snapshot>();

  constructor(private readonly runs: Runs, private readonly note: Note) {}

  take(record: ComputeRecord): void {
    switch (record.kind) {
      case "declaration":
        if (this.declared.has(record.run)) this.note("RUN_DECLARED_TWICE", record);
        this.declared.add(record.run);
        return;
      case "window": return this.window(record);
      case "snapshot": return this.snapshot(record);
      case "close": return this.close(record);
    }
  }

  notClosed(): boolean {
    return [...this.declared].some((run) => !this.closed.has(run));
  }

  private window(w: Window): void {
    if (!(w.start < w.end && w.end <= w.at)) this.note("BAD_WINDOW", w);
    if (w.run === null) return;
    if (!this.declared.has(w.run)) this.note("RUN_NOT_DECLARED", w);
    const origin = this.runs.origins.get(w.run);
    if (origin === undefined) return;
    if (!origin.devices.has(w.device)) this.note("UNKNOWN_DEVICE", w);
    if (w.start < origin.at) this.note("DECLARED_LATE", w);
  }

  private ofRun(record: Snapshot | Close): void {
    if (this.closed.has(record.run)) this.note("RECORD_AFTER_CLOSE", record);
    if (!this.declared.has(record.run)) this.note("RUN_NOT_DECLARED", record);
  }

  private snapshot(after: Snapshot): void {
    this.ofRun(after);
    const origin = this.runs.origins.get(after.run);
    if (origin !== undefined) {
      const before = this.before.get(after.run) ?? { step: 0, tokens: 0n, flop: 0n, dataEnd: 0, seconds: new Map<string, number>(), at: origin.at };
      checkStep({ origin, before, after }, this.note);
    }
    this.before.set(after.run, after);
  }

  private close(c: Close): void {
    this.ofRun(c);
    const last = this.runs.lasts.get(c.run);
    const same = last !== undefined && c.tokens === last.tokens && c.flop === last.flop && c.weights === last.weights;
    if (!same) this.note("CLOSE_MISMATCH", c);
    if (c.missing > 0) this.note("MISSING_RECORDS", c);
    this.closed.add(c.run);
  }
}

function checkOverlaps(windows: readonly Window[], note: Note): void {
  const devices = new Set(windows.map((w) => w.device));
  for (const device of devices) {
    const own = windows.filter((w) => w.device === device);
    own.sort((a, b) => a.start - b.start || a.end - b.end || a.sequence - b.sequence);
    own.forEach((w, i) => {
      const before = own[i - 1];
      if (before !== undefined && w.start < before.end) note("DEVICE_OVERLAP", w);
    });
  }
}

/** Each distinct pair of sequence number and problem, ascending. */
export function recordFaults(records: readonly ComputeRecord[]): Fault[] {
  const found = new Map<string, Fault>();
  const note: Note = (problem, { sequence }) => void found.set(`${sequence} ${problem}`, { sequence, problem });
  const walk = new Walk(runsOf(records), note);
  records.forEach((record, i) => {
    const before = records[i - 1];
    if (before !== undefined && record.at < before.at) note("TIME_NOT_MONOTONIC", record);
    walk.take(record);
  });
  checkOverlaps(records.filter((r) => r.kind === "window"), note);
  const last = records[records.length - 1];
  if (last !== undefined && walk.notClosed()) note("RUN_NOT_CLOSED", last);
  return [...found.values()].sort((a, b) => a.sequence - b.sequence || (a.problem < b.problem ? -1 : 1));
}
