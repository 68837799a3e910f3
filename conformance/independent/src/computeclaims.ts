// Compute claims, judged from the records by the draft's numbered steps.
import type { Appraised } from "./appraisal.js";
import { byCodePoints } from "./bytes.js";
import type { ComputeClaim } from "./claims.js";
import type { Decision } from "./metric.js";
import { recordFaults } from "./recordfaults.js";
import type { ComputeRecord, Snapshot, Window } from "./records.js";
import type { Inventory } from "./terms.js";

const MOST_SENTENCES = 20;

export interface ComputeJudged { readonly verdict: Decision; readonly because: readonly string[]; readonly flop: bigint }

export const NO_RECORDS: ComputeJudged = { verdict: "INCONCLUSIVE", because: ["the prover showed no compute records"], flop: 0n };

/** What the records say, once they are read. */
class Evidence {
  readonly windows: readonly Window[];
  readonly lasts: readonly Snapshot[];
  readonly flop: bigint;
  readonly used: readonly string[];
  readonly closes: number;

  constructor(readonly records: readonly ComputeRecord[]) {
    this.windows = records.filter((r) => r.kind === "window");
    const lasts = new Map<string, Snapshot>();
    for (const r of records) if (r.kind === "snapshot") lasts.set(r.run, r);
    this.lasts = [...lasts.values()];
    this.flop = this.lasts.reduce((sum, s) => sum + s.flop, 0n);
    const counted = records.flatMap((r) => (r.kind === "snapshot" ? [...r.seconds].filter(([, n]) => n > 0).map(([device]) => device) : []));
    this.used = ascending([...counted, ...this.windows.filter((w) => w.run !== null).map((w) => w.device)]);
    this.closes = records.filter((r) => r.kind === "close").length;
  }

  /** The first second of the span that no window of the device covers; null where all are. */
  uncovered(device: string, start: number, end: number): number | null {
    const own = this.windows.filter((w) => w.device === device).sort((a, b) => a.start - b.start);
    let at = start;
    for (const w of own) if (w.start <= at && w.end > at) at = w.end;
    return at < end ? at : null;
  }

  overcounted(device: string): boolean {
    const seconds = this.lasts.reduce((sum, s) => sum + (s.seconds.get(device) ?? 0), 0);
    const length = this.windows.filter((w) => w.device === device && w.run !== null).reduce((sum, w) => sum + w.end - w.start, 0);
    return seconds > length;
  }

  devices(): string[] {
    return ascending([...this.windows.map((w) => w.device), ...this.lasts.flatMap((s) => [...s.seconds.keys()])]);
  }
}

function ascending(devices: readonly string[]): string[] {
  return [...new Set(devices)].sort(byCodePoints);
}

function words(appraised: Appraised | null): string[] {
  if (appraised === null) return ["no appraised evidence stands behind the records key: the records are the owner's word"];
  if (appraised.assurance === "attested") return [];
  return [`the evidence behind the records key is ${appraised.assurance}, not attested`];
}

function gaps(e: Evidence, claim: ComputeClaim, inventory: Inventory | null): string[] {
  if (inventory === null) return ["no complete chip-time inventory in the terms"];
  const named = new Set(inventory.devices);
  const strangers = ascending([...e.used, ...e.windows.map((w) => w.device)]).filter((device) => !named.has(device));
  const uncovered = ascending(inventory.devices).flatMap((device) => {
    const from = e.uncovered(device, inventory.start, inventory.end);
    return from === null ? [] : [`device ${device} is unaccounted for from ${from}`];
  });
  return [
    ...strangers.map((device) => `device ${device} is on record but not in the inventory`), ...uncovered,
    ...e.devices().filter((device) => e.overcounted(device)).map((device) => `device ${device}: more seconds counted than its windows hold`),
    ...ascending(claim.devices).filter((device) => !named.has(device)).map((device) => `device ${device} is claimed but not in the inventory`),
  ];
}

const ABSENCE = "records never show absence";

interface Ruling { readonly verdict: Decision; readonly because: readonly string[] }

function rule(e: Evidence, claim: ComputeClaim, w: readonly string[], g: readonly string[]): Ruling {
  const flop = `${e.flop} FLOP`;
  const bound = claim.flop;
  const open = (...because: readonly string[]): Ruling => ({ verdict: "INCONCLUSIVE", because });
  const broken = (...because: readonly string[]): Ruling => ({ verdict: "VIOLATION", because });
  const held = (because: string): Ruling => ({ verdict: "COMPLIANT", because: [because] });
  switch (claim.kind) {
    case "at-most":
      if (e.flop > bound) return broken(`${flop} on record, at most ${bound} claimed`);
      return g.length > 0 ? open(ABSENCE, ...g) : held(`${flop} on record over all chip time of the inventory`);
    case "at-least":
      if (e.flop < bound) {
        return g.length > 0 ? open(`${flop} on record; work without a record may exist`, ...g)
          : broken(`${flop} over all chip time of the inventory, ${bound} claimed`);
      }
      return w.length > 0 ? open(...w) : held(`attested code counted ${flop}, at least ${bound} claimed`);
    case "exclusive": {
      const others = ascending(claim.devices).filter((device) =>
        e.windows.some((x) => x.device === device && x.run !== null && x.run !== claim.run));
      if (others.length > 0) return broken(...others.map((device) => `device ${device} served another run`));
      return g.length > 0 || claim.devices.length === 0 ? open(ABSENCE, ...g) : held("every second of the devices is accounted for");
    }
    case "devices": {
      const others = e.used.filter((device) => !claim.devices.includes(device));
      if (others.length > 0) return broken(...others.map((device) => `device ${device} is not among those claimed`));
      if (w.length > 0) return open(...w);
      return e.used.length === 0 ? open("no device is on record") : held(`${e.closes} runs on record, all on the devices claimed`);
    }
  }
}

/** Steps 1 to 4; the level of assurance is the caller's. */
export function judgeCompute(
  claim: ComputeClaim, records: readonly ComputeRecord[], appraised: Appraised | null, inventory: Inventory | null,
): ComputeJudged {
  if (records.length === 0) return NO_RECORDS;
  const e = new Evidence(records);
  const faults = recordFaults(records);
  if (faults.length > 0) {
    const because = ["the records contradict themselves", ...faults.map((x) => `record ${x.sequence}: ${x.problem}`)];
    return { verdict: "INCONCLUSIVE", because: because.slice(0, MOST_SENTENCES), flop: e.flop };
  }
  const w = words(appraised);
  const { verdict, because } = rule(e, claim, w, [...w, ...gaps(e, claim, inventory)]);
  return { verdict, because: because.slice(0, MOST_SENTENCES), flop: e.flop };
}
