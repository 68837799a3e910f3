// The evidence policy of the terms: what hardware evidence has to show.
import { demand } from "./errors.js";
import { isObject, type Json } from "./json.js";
import { Fields } from "./schema.js";

const f = new Fields("BAD_TERMS");
const LATEST = 2 ** 42;
/** Entries of a list for which the text names no number. */
const MOST = 4096;
/** Characters of a name or value for which it names no number. */
const LONGEST = 4096;
export const EVIDENCE_KINDS = ["snp", "tdx", "sgx", "nitro", "nvidia", "tpm2", "az-snp-vtpm", "az-tdx-vtpm", "simulated"] as const;
export type EvidenceKind = (typeof EVIDENCE_KINDS)[number];
const STATUSES = [
  "UpToDate", "SWHardeningNeeded", "ConfigurationNeeded", "ConfigurationAndSWHardeningNeeded", "OutOfDate", "OutOfDateConfigurationNeeded",
] as const;
const MEASUREMENTS: Readonly<Record<EvidenceKind, readonly string[]>> = {
  snp: ["measurement"], tdx: ["mrtd", "rtmr0", "rtmr1", "rtmr2"], sgx: ["mrenclave"], nitro: ["pcr0", "pcr1", "pcr2"],
  nvidia: ["driver", "vbios"], tpm2: ["pcr4"], "az-snp-vtpm": ["measurement", "pcr4"], "az-tdx-vtpm": ["mrtd", "pcr4"],
  simulated: ["measurement"],
};

export interface Reference {
  readonly kind: EvidenceKind;
  readonly holdsKey: boolean;
  readonly values: ReadonlyMap<string, readonly string[]>;
}

export interface Policy {
  readonly laboratory: boolean;
  readonly notAfter: number;
  readonly kinds: readonly EvidenceKind[];
  readonly products: readonly string[];
  readonly machines: { readonly registered: boolean; readonly ids: readonly string[] };
  readonly references: readonly Reference[];
  readonly advisories: readonly { readonly kinds: readonly EvidenceKind[]; readonly products: readonly string[] }[];
  readonly composite: { readonly cpus: number; readonly gpus: number; readonly roots: number };
  /** Hexadecimal, or empty. */
  readonly simulatedRoot: string;
}

function kinds(value: Json | undefined): EvidenceKind[] {
  const found = f.list(value, 0, EVIDENCE_KINDS.length).map((kind) => f.oneOf(kind, EVIDENCE_KINDS));
  demand(new Set(found).size === found.length, "BAD_TERMS", "a kind of evidence that stands twice");
  return found;
}

function texts(value: Json | undefined, least: number, most: number): string[] {
  return f.list(value, least, most).map((text) => f.text(text, 1, LONGEST));
}

function checkSnp(value: Json | undefined): void {
  const snp = f.object(value, ["tcb_floor", "platform_required", "platform_forbidden", "vmpl", "fleet_keys"]);
  const floor = f.object(snp["tcb_floor"], [], ["milan", "genoa", "turin"]);
  for (const parts of Object.values(floor)) {
    for (const level of Object.values(f.object(parts, [], ["fmc", "bl", "tee", "snp", "ucode"]))) f.integer(level, 0, 255);
  }
  f.integer(snp["platform_required"], 0, Number.MAX_SAFE_INTEGER);
  f.integer(snp["platform_forbidden"], 0, Number.MAX_SAFE_INTEGER);
  f.list(snp["vmpl"], 0, 4).forEach((level) => f.integer(level, 0, 3));
  f.boolean(snp["fleet_keys"]);
}

function checkDcap(value: Json | undefined): void {
  const dcap = f.object(value, ["statuses", "advisories", "min_evaluation", "max_collateral_age"]);
  f.list(dcap["statuses"], 0, MOST).forEach((status) => f.oneOf(status, STATUSES));
  texts(dcap["advisories"], 0, MOST);
  f.integer(dcap["min_evaluation"], 0, Number.MAX_SAFE_INTEGER);
  f.integer(dcap["max_collateral_age"], 0, LATEST);
}

function readReference(value: Json): Reference {
  const r = f.object(value, ["name", "kind", "holds_key", "values"]);
  f.text(r["name"], 1, 200);
  const kind = f.oneOf(r["kind"], EVIDENCE_KINDS);
  demand(isObject(r["values"]), "BAD_TERMS", "no reference values");
  const entries = Object.entries(r["values"]).map(([name, list]) => [f.text(name, 1, LONGEST), texts(list, 1, 256)] as const);
  demand(entries.length >= 1 && entries.length <= 128, "BAD_TERMS", "a number of measurements out of bounds");
  const named = new Map(entries);
  demand(MEASUREMENTS[kind].every((name) => named.has(name)), "BAD_TERMS", "a set without a measurement that it needs");
  return { kind, holdsKey: f.boolean(r["holds_key"]), values: named };
}

function readMachines(value: Json | undefined): Policy["machines"] {
  const m = f.object(value, ["rule", "ids"]);
  const registered = f.oneOf(m["rule"], ["any", "registered"]) === "registered";
  const ids = texts(m["ids"], 0, MOST);
  demand(registered || ids.length === 0, "BAD_TERMS", "machines named where any will do");
  return { registered, ids };
}

export function readPolicy(value: Json): Policy {
  const laboratory = isObject(value) && value["type"] === "laboratory";
  const p = f.object(value, [
    "type", "name", "not_after", "kinds", "products", "machines", "revocation_required", "max_evidence_age", "snp", "dcap",
    "references", "advisories", "composite", ...(laboratory ? ["simulated_root", "binder_required"] : []),
  ]);
  f.oneOf(p["type"], ["production", "laboratory"]);
  f.text(p["name"], 1, 200);
  const allowed = kinds(p["kinds"]);
  demand(laboratory || !allowed.includes("simulated"), "BAD_TERMS", "simulated evidence in production");
  kinds(p["revocation_required"]);
  f.integer(p["max_evidence_age"], 0, LATEST);
  checkSnp(p["snp"]);
  checkDcap(p["dcap"]);
  const composite = f.object(p["composite"], ["cpus", "gpus", "roots"]);
  const advisories = f.list(p["advisories"], 0, 256).map((entry) => {
    const a = f.object(entry, ["name", "kinds", "products", "source"]);
    f.text(a["name"], 1, 200);
    f.text(a["source"], 1, 500);
    return { kinds: kinds(a["kinds"]), products: texts(a["products"], 1, 64) };
  });
  if (laboratory) {
    f.boolean(p["binder_required"]);
    if (p["simulated_root"] !== "") f.digest(p["simulated_root"]);
  }
  return {
    laboratory, notAfter: f.integer(p["not_after"], 0, LATEST), kinds: allowed, products: texts(p["products"], 0, 64),
    machines: readMachines(p["machines"]),
    references: f.list(p["references"], 0, 256).map(readReference), advisories,
    composite: {
      cpus: f.integer(composite["cpus"], 0, 64), gpus: f.integer(composite["gpus"], 0, 1024), roots: f.integer(composite["roots"], 1, 8),
    },
    simulatedRoot: laboratory ? String(p["simulated_root"]) : "",
  };
}
