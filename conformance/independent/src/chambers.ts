// Chambers of sealed mode: their keys, their outcomes, and how many bits these may tell.
import type { Appraised } from "./appraisal.js";
import type { Bytes } from "./bytes.js";
import { demand, type Reason } from "./errors.js";
import type { Measured } from "./session.js";
import type { Terms } from "./terms.js";
import type { Operator } from "./treaty.js";

export interface Chamber {
  readonly keys: Bytes;
  readonly operator: Operator;
  readonly receipt: Bytes;
  readonly sandbox: string;
  readonly swap: string;
  readonly simulated: boolean;
  readonly appraised: Appraised | null;
}

export interface Count { readonly id: string; readonly population: number; readonly successes: number }

export type Outcome = { readonly run: number } & (
  | { readonly refused: Reason; readonly blamed: string }
  | {
    readonly refused: null;
    readonly runtime: Bytes;
    readonly executionClass: string;
    readonly begun: number;
    readonly roundTo: number;
    readonly counts: readonly Count[];
    readonly bits: number;
    readonly resultRoot: Bytes;
  }
);

export type Receipt = Outcome & { readonly refused: null };

const WAYS_TO_END = 3n;
const BITS_OF_A_RESULT = 3n;

/** Bits of one outcome: every combination of counts, and three ways to end without one. */
export function bitsOfOutcome(measured: readonly Measured[], roundTo: number): number {
  const combinations = measured.reduce((product, m) => product * (m.plan.population / BigInt(roundTo) + 1n), 1n);
  return (combinations + WAYS_TO_END - 1n).toString(2).length;
}

/** Results of all units that a chamber may hand over. */
export function unitsOfCounts(measured: readonly Measured[]): bigint {
  return measured.reduce((sum, m) => sum + m.plan.population, 0n);
}

export function bitsOfResults(units: bigint): bigint {
  return BITS_OF_A_RESULT * units;
}

/** Sealed terms allow what their outcomes can tell. */
export function checkBits(terms: Terms, measured: readonly Measured[]): void {
  const { sealed } = terms.binding;
  if (sealed === null) return;
  const outcomes = BigInt(sealed.quorum * bitsOfOutcome(measured, sealed.roundTo));
  const results = sealed.handOver ? bitsOfResults(unitsOfCounts(measured)) : 0n;
  demand(outcomes + results <= BigInt(sealed.bits), "BAD_TERMS", "outcomes that tell more bits than the terms allow");
}
