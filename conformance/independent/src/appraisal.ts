// Appraisal of hardware evidence: simulated evidence wholly; of real hardware only what needs no vendor's layout.
import { type Binder, bind, type BinderParts } from "./binder.js";
import { type Bytes, fromBase64, fromHex, hex } from "./bytes.js";
import { verify } from "./ed25519.js";
import { demand, Refusal } from "./errors.js";
import { frame } from "./framing.js";
import { canonical, type Json, parse } from "./json.js";
import type { Policy } from "./policy.js";
import { Fields } from "./schema.js";
import { demandType, type Statement } from "./statement.js";

const MAX_RAW = 262144;
const MAX_SIMULATED = 8192;
const MAX_ENDORSEMENTS = 16;
const PROFILE = "tag:parley,2026:simulated-evidence/v1#NOT-HARDWARE";
const COLLATERAL = [
  "tcb_info", "tcb_info_signature", "tcb_info_chain", "qe_identity", "qe_identity_signature", "qe_identity_chain", "pck_crl",
  "pck_crl_chain", "root_crl",
] as const;
const f = new Fields("BAD_EVIDENCE");

export interface Item { readonly kind: string; readonly raw: Bytes }
export interface EvidenceItems { readonly at: number; readonly items: readonly Item[] }

export interface Appraised {
  /** `unknown` where a verdict hangs on hardware whose format is not read here. */
  readonly assurance: "attested" | "simulated" | "none" | "unknown";
  readonly roots: readonly string[];
}

const NONE: Appraised = { assurance: "none", roots: [] };

function readBytes(value: Json | undefined): Bytes {
  const bytes = typeof value === "string" ? fromBase64(value) : null;
  demand(bytes !== null, f.reason, "no base64");
  return bytes;
}

function readItem(value: Json): Item & { readonly name: string } {
  const i = f.object(value, ["name", "kind", "raw", "certificates", "crls", "ocsp", "collateral"]);
  const lists = ["certificates", "crls", "ocsp"].map((field) => f.list(i[field], 0, MAX_ENDORSEMENTS));
  for (const list of lists) list.forEach(readBytes);
  const collateral = f.object(i["collateral"], [], COLLATERAL);
  const present = Object.values(collateral);
  demand(present.length === 0 || present.length === COLLATERAL.length, f.reason, "collateral in part");
  present.forEach(readBytes);
  const raw = readBytes(i["raw"]);
  demand(raw.length <= MAX_RAW, f.reason, "evidence above its limit");
  return { name: f.text(i["name"], 1, 64), kind: f.text(i["kind"], 1, 64), raw };
}

export function readEvidence(statement: Statement): EvidenceItems {
  demandType(statement, "evidence");
  const p = f.object(statement.predicate, ["at", "items"]);
  const items = f.list(p["items"], 1, 16).map(readItem);
  demand(new Set(items.map((i) => i.name)).size === items.length, f.reason, "two items of one name");
  return { at: f.integer(p["at"], 0, 2 ** 42), items };
}

interface Simulated { readonly instance: string; readonly measurement: string; readonly binder: string }

/** Null where the evidence is not authentic. */
function readSimulated(raw: Bytes, root: string): Simulated | null {
  try {
    const top = f.object(parse(raw, MAX_SIMULATED), ["body", "signature"]);
    const body = f.object(top["body"], ["profile", "instance", "measurement", "binder"]);
    f.oneOf(body["profile"], [PROFILE]);
    const key = fromHex(root);
    const signature = fromHex(f.text(top["signature"], 128, 128));
    if (key === null || signature === null || !verify(key, frame("evidence-simulated", canonical(body)), signature)) return null;
    const binder = f.text(body["binder"], 0, 256);
    demand(fromHex(binder) !== null, f.reason, "a binder that is not hexadecimal");
    return { instance: f.text(body["instance"], 1, 200), measurement: f.text(body["measurement"], 1, 128), binder };
  } catch (error) {
    if (error instanceof Refusal) return null;
    throw error;
  }
}

function affirmed(found: Simulated, policy: Policy, binder: Binder): boolean {
  const kind = "simulated";
  const { machines, references } = policy;
  const matches = references.some((r) => r.kind === kind
    && [...r.values].every(([name, values]) => name === "measurement" && values.includes(found.measurement)));
  return policy.kinds.includes(kind) && policy.products.includes(kind) && found.binder === hex(binder.bind64)
    && (!machines.registered || machines.ids.includes(found.instance))
    && !policy.advisories.some((a) => a.kinds.includes(kind) && a.products.includes(kind)) && matches;
}

/** Appraises what was shown at one time against one policy and binder; denies by default. */
export function appraise({ at, items }: EvidenceItems, policy: Policy, parts: BinderParts): Appraised {
  const allowed: readonly string[] = policy.kinds;
  if (at > policy.notAfter || items.some((i) => !allowed.includes(i.kind) || i.raw.length === 0)) return NONE;
  if (items.some((i) => i.kind !== "simulated")) return { assurance: "unknown", roots: [] };
  const binder = bind(parts, []);
  const instances = new Set<string>();
  for (const item of items) {
    const found = readSimulated(item.raw, policy.simulatedRoot);
    if (found === null || !affirmed(found, policy, binder)) return NONE;
    instances.add(found.instance);
  }
  const { cpus, gpus, roots } = policy.composite;
  const whole = instances.size === items.length && items.length >= cpus && gpus === 0 && roots <= 1;
  return whole ? { assurance: "simulated", roots: [] } : NONE;
}
