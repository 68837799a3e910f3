// Terms: the treaty of one exercise, read from the statement that the verifier's session key signed.
import { type Bytes, equal, hex } from "./bytes.js";
import { checkClaims, type Claim, readClaim, readDevices } from "./claims.js";
import { demand } from "./errors.js";
import { digest } from "./framing.js";
import type { Json } from "./json.js";
import { type Policy, readPolicy } from "./policy.js";
import type { Ranges } from "./population.js";
import { MAX_CONTENT } from "./registration.js";
import { Fields } from "./schema.js";
import { demandType, type Statement } from "./statement.js";
import { type Audited, type BindingTerms, type Prior, readAudited, readBinding, readPrior } from "./treaty.js";

export interface Budget { readonly stratum: string; readonly units: number }

export interface Terms {
  readonly digest: Bytes;
  readonly exercise: Bytes;
  readonly title: string;
  readonly mode: string;
  readonly prover: Bytes;
  readonly verifier: Bytes;
  readonly set: { readonly statement: Bytes; readonly root: Bytes; readonly size: number; readonly excluded: Ranges };
  readonly modelClaim: Bytes;
  readonly claims: readonly Claim[];
  readonly samples: number;
  readonly batch: number;
  readonly budgets: readonly Budget[];
  readonly caps: { readonly prompt: number; readonly reference: number; readonly output: number; readonly turn: number };
  readonly deadlines: { readonly answer: number; readonly turn: number };
  readonly witnesses: { readonly keys: readonly Bytes[]; readonly threshold: number; readonly unreachable: string };
  readonly binding: BindingTerms;
  readonly qualifiers: readonly Bytes[];
  readonly policy: Policy | null;
  readonly inventory: Inventory | null;
  readonly notConcluded: readonly string[];
  /** Null where the terms name no earlier exercise. */
  readonly prior: readonly Prior[] | null;
  readonly audited: Audited | null;
}

export interface Inventory { readonly devices: readonly string[]; readonly start: number; readonly end: number }

const f = new Fields("BAD_TERMS");

function readExcluded(value: Json | undefined, size: number): Ranges {
  let end = 0;
  return f.list(value, 0, 4096).map((run) => {
    const [start, count] = f.list(run, 2, 2);
    const from = f.integer(start, end, size - 1);
    const n = f.integer(count, 1, size - from);
    end = from + n;
    return [BigInt(from), BigInt(end)] as const;
  });
}

function readWitnesses(value: Json | undefined): Terms["witnesses"] {
  const w = f.object(value, ["keys", "threshold", "unreachable"]);
  const keys = f.list(w["keys"], 0, 16).map((k) => f.digest(k));
  demand(new Set(keys.map(hex)).size === keys.length, "BAD_TERMS", "a witness that stands twice");
  return {
    keys, threshold: f.integer(w["threshold"], Math.min(1, keys.length), keys.length), unreachable: f.oneOf(w["unreachable"], ["pause", "unwitnessed"]),
  };
}

function readCaps(value: Json | undefined): Terms["caps"] {
  const c = f.object(value, ["prompt_bytes", "reference_bytes", "output_bytes", "turn_bytes"]);
  const read = (name: string): number => f.integer(c[name], 1, MAX_CONTENT - 32);
  const caps = { prompt: read("prompt_bytes"), reference: read("reference_bytes"), output: read("output_bytes"), turn: read("turn_bytes") };
  demand(Math.max(caps.prompt, caps.reference, caps.output) + 32 <= caps.turn, "BAD_TERMS", "a cap above that of a turn");
  return caps;
}

function readPlan(value: Json | undefined): Pick<Terms, "samples" | "batch" | "budgets"> {
  const plan = f.object(value, ["samples", "batch", "budgets"]);
  const budgets = f.list(plan["budgets"], 1, 64).map((budget) => {
    const b = f.object(budget, ["stratum", "units"]);
    return { stratum: f.text(b["stratum"], 0, 64), units: f.integer(b["units"], 1, 2 ** 42) };
  });
  return { samples: f.integer(plan["samples"], 1, 1024), batch: f.integer(plan["batch"], 1, 1024), budgets };
}

function readInventory(value: Json | undefined): Inventory {
  const inventory = f.object(value, ["devices", "start", "end"]);
  const start = f.integer(inventory["start"], 0, 2 ** 42);
  return { devices: readDevices(inventory["devices"], 1), start, end: f.integer(inventory["end"], start, 2 ** 42) };
}

function readParties(value: Json | undefined): Pick<Terms, "prover" | "verifier"> {
  const parties = f.object(value, ["prover", "verifier"]);
  const [prover, verifier] = [f.digest(parties["prover"]), f.digest(parties["verifier"])];
  demand(!equal(prover, verifier), "BAD_TERMS", "one party on both sides");
  return { prover, verifier };
}

/** Texts that are for people. */
function checkTexts(value: Json | undefined, names: readonly string[], most: number): void {
  const texts = f.object(value, names);
  for (const name of names) f.text(texts[name], 1, most);
}

function readScope(value: Json | undefined): string[] {
  const scope = f.object(value, ["construct", "sampling_frame", "not_concluded"]);
  for (const name of ["construct", "sampling_frame"]) f.text(scope[name], 1, 4096);
  return f.list(scope["not_concluded"], 1, 64).map((s) => f.text(s, 1, 4096));
}

export function readTerms(statement: Statement): Terms {
  demandType(statement, "terms");
  const p = f.object(statement.predicate, [
    "nonce", "title", "mode", "parties", "test_set", "model_claim", "system", "claims", "plan", "caps", "deadlines",
    "witnesses", "consequences", "binding", "qualifiers", "evidence_policy", "inventory", "scope",
  ], ["prior", "audited"]);
  f.digest(p["nonce"]);
  const mode = f.text(p["mode"], 1, 32);
  const set = f.object(p["test_set"], ["statement", "root", "size", "excluded"]);
  const size = f.integer(set["size"], 1, 2 ** 32);
  const claims = f.list(p["claims"], 1, 64).map(readClaim);
  const plan = readPlan(p["plan"]);
  checkClaims(claims, plan.budgets);
  demand(mode === "open" || claims.every((c) => c.type !== "graded"), "BAD_TERMS", "a graded claim in another mode than open");
  const deadlines = f.object(p["deadlines"], ["answer_seconds", "turn_seconds"]);
  checkTexts(p["system"], ["scaffold", "runtime", "decoding"], 2000);
  checkTexts(p["consequences"], ["prover_default", "verifier_default"], 4096);
  return {
    digest: statement.digest,
    exercise: digest("exercise", statement.payload),
    title: f.text(p["title"], 1, 200),
    mode,
    ...readParties(p["parties"]),
    set: { statement: f.digest(set["statement"]), root: f.digest(set["root"]), size, excluded: readExcluded(set["excluded"], size) },
    modelClaim: f.digest(p["model_claim"]),
    claims,
    ...plan,
    caps: readCaps(p["caps"]),
    deadlines: { answer: f.integer(deadlines["answer_seconds"], 1, 2 ** 24), turn: f.integer(deadlines["turn_seconds"], 1, 2 ** 24) },
    witnesses: readWitnesses(p["witnesses"]),
    binding: readBinding(p["binding"], mode),
    qualifiers: f.list(p["qualifiers"], 0, 16).map((q) => f.digest(q)),
    policy: p["evidence_policy"] === null ? null : readPolicy(p["evidence_policy"] ?? null),
    inventory: p["inventory"] === null ? null : readInventory(p["inventory"]),
    notConcluded: readScope(p["scope"]),
    prior: p["prior"] === undefined ? null : readPrior(p["prior"]),
    audited: p["audited"] === undefined ? null : readAudited(p["audited"], claims, mode),
  };
}
