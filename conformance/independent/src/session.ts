// What a session knows after its turns so far; changed by accepted turns and by nothing else.
import type { Bytes } from "./bytes.js";
import type { Appraised } from "./appraisal.js";
import type { GradedClaim, MetricClaim } from "./claims.js";
import type { Party } from "./errors.js";
import type { GradedPlan } from "./graded.js";
import type { Plan } from "./metric.js";
import type { Kind } from "./messages.js";
import type { History } from "./keys.js";
import type { Ranges, Unit } from "./population.js";
import type { ComputeRecord } from "./records.js";
import type { ModelClaim, TestSet } from "./registration.js";
import type { Terms } from "./terms.js";
import type { Operator } from "./treaty.js";
import type { Results } from "./results.js";
import type { Chamber, Outcome } from "./chambers.js";

export type State =
  | "start" | "greeted" | "ready" | "proposed" | "accepted" | "coin-shown" | "seeded" | "challenged" | "stopped"
  | "opened" | "bound" | "evidenced" | "released" | "running" | "received" | "confirmed" | "finished" | "aborted" | "declined" | "refused";

type Row = readonly [Party, Partial<Record<Kind, State>>] | null;
type Table = Readonly<Partial<Record<State, Row>>>;

const BOTH: Table = {
  start: ["verifier", { hello: "greeted" }],
  greeted: ["prover", { "hello-reply": "ready" }],
  ready: ["verifier", { propose: "proposed", abort: "aborted" }],
  proposed: ["prover", { accept: "accepted", decline: "declined", abort: "aborted" }],
  accepted: ["verifier", { coin: "coin-shown", abort: "aborted" }],
  "coin-shown": ["prover", { coin: "seeded", abort: "aborted" }],
  confirmed: ["prover", { acknowledge: "finished", dissent: "finished", abort: "aborted" }],
};

const OPEN: Table = {
  ...BOTH,
  seeded: ["verifier", { challenge: "challenged", stop: "stopped", abort: "aborted" }],
  challenged: ["prover", { answers: "seeded", abort: "aborted" }],
  stopped: ["verifier", { open: "opened", abort: "aborted" }],
  opened: ["verifier", { open: "opened", binding: "bound", acknowledge: "confirmed", dissent: "confirmed", abort: "aborted" }],
  bound: ["verifier", { acknowledge: "confirmed", dissent: "confirmed", abort: "aborted" }],
};

const SEALED: Table = {
  ...BOTH,
  seeded: ["verifier", { evidence: "evidenced", abort: "aborted" }],
  evidenced: ["verifier", { release: "released", refusal: "refused", abort: "aborted" }],
  released: ["prover", { release: "running", refusal: "refused", abort: "aborted" }],
  running: ["verifier", { receipt: "received", abort: "aborted" }],
  received: ["verifier", { acknowledge: "confirmed", dissent: "confirmed", abort: "aborted" }],
};

export const MODES = ["open", "sealed"] as const;

function rowOf(mode: string, state: State): Row {
  return (mode === "sealed" ? SEALED : OPEN)[state] ?? null;
}

export function turnOf(s: Session): Party | null {
  return rowOf(s.mode, s.state)?.[0] ?? null;
}

export function nextState(s: Session, kind: Kind): State | null {
  return rowOf(s.mode, s.state)?.[1][kind] ?? null;
}

/** A blob of a turn; bytes are null where a record withholds it. */
export interface Blob { readonly bytes: Bytes | null; readonly digest: Bytes; readonly size: bigint }

export interface Slot { readonly head: Bytes; readonly pae: Bytes; readonly author: Party; readonly kind: Kind }

export interface Greeting {
  readonly key: Bytes;
  readonly history: History;
  readonly nonce: Bytes;
  readonly verifierTls: Bytes;
  readonly proverTls: Bytes;
}

export interface Population {
  readonly name: string;
  readonly ranges: Ranges;
  readonly budget: number;
  readonly size: bigint;
}

/** A metric or graded claim with its population and plan; declared counts are set by Accept. */
export type Measured =
  | { readonly kind: "metric"; readonly claim: MetricClaim; readonly population: number; readonly plan: Plan }
  | { readonly kind: "graded"; readonly claim: GradedClaim; readonly population: number; readonly plan: GradedPlan };

export interface Challenged extends Unit {
  readonly population: number;
  readonly promptCommitment: Bytes;
  readonly referenceCommitment: Bytes;
  readonly prompt: Bytes | null;
  answer: { readonly commitment: Bytes; readonly output: Bytes | null } | null;
  reference: Bytes | null;
  /** In an audit, the codes that the receipt's root commits to of this unit. */
  claimed: Bytes | null;
}

export interface Offer {
  readonly versions: readonly number[];
  readonly suites: readonly number[];
  readonly modes: readonly string[];
}

export interface BindingFact {
  readonly digest: Bytes;
  readonly operator: Operator;
  readonly runtime: Bytes;
  readonly executionClass: string;
  readonly sandbox: string;
  readonly reproduced: string;
}

export class Session {
  state: State = "start";
  readonly slots: Slot[] = [];
  sessionId: Bytes = new Uint8Array(0);
  mode = "open";
  offer: Offer | null = null;
  verifier: Greeting | null = null;
  prover: Greeting | null = null;
  terms: Terms | null = null;
  testSet: TestSet | null = null;
  attempt = 0;
  earlierHeads: readonly Bytes[] = [];
  coinCommitV: Bytes | null = null;
  coinCommitP: Bytes | null = null;
  populations: readonly Population[] = [];
  measured: readonly Measured[] = [];
  declared: readonly bigint[] | null = null;
  modelClaim: ModelClaim | null = null;
  /** What the evidence in Accept is worth; null without any. */
  appraised: Appraised | null = null;
  records: readonly ComputeRecord[] = [];
  coinV: Bytes | null = null;
  seed: Bytes | null = null;
  orders: readonly (readonly Unit[])[] = [];
  /** Units challenged so far in each population, over all attempts. */
  asked: number[] = [];
  /** Where in its population the last Challenge that named it began. */
  lastBegan: number[] = [];
  challenged: Challenged[] = [];
  /** Index in `challenged` of the first unit of the Challenge that waits for answers. */
  pendingFrom = 0;
  counts: readonly bigint[] = [];
  shown = 0;
  results: Results | null = null;
  binding: BindingFact | null = null;
  /** In mode sealed: the chambers on record, how many parties released their keys, and each chamber's outcome. */
  chambers: readonly Chamber[] = [];
  released = 0;
  outcomes: readonly Outcome[] = [];
  /** Items whose content the record withholds. */
  readonly withheld = new Set<bigint>();
  /** Whether a verdict was acknowledged by a party, and which. */
  readonly acknowledged = new Map<Party, Bytes>();
  /** The verdicts of parties that dissented. */
  readonly dissented = new Map<Party, Bytes>();

  /** Items of a unit: 2 in a set of pairs, else 1. */
  get width(): number {
    return this.testSet?.members == null ? 1 : 2;
  }

  get length(): number {
    return this.slots.length;
  }

  get head(): Bytes {
    return this.slots[this.slots.length - 1]?.head ?? new Uint8Array(0);
  }

  /** The party whose turn it is; null in a final state. */
  get turn(): Party | null {
    return turnOf(this);
  }
}

/** A value that the state table guarantees. */
export function known<T>(value: T | null | undefined): T {
  if (value === null || value === undefined) throw new Error("the state table was not kept");
  return value;
}
