// What a prover is told: its configuration file, its party folder, the cards it pins.
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { type Bytes, equal, fromHex, utf8 } from "../bytes.js";
import { fingerprint } from "../commitments.js";
import { publicKey } from "../ed25519.js";
import { sha256 } from "../framing.js";
import { certifies, readHistory } from "../keys.js";
import { readModelClaim } from "../registration.js";

export interface Peer { readonly name: string; readonly root: Bytes; readonly der: Bytes; readonly pem: string }

export interface Identity {
  readonly root: Bytes;
  readonly session: Bytes;
  readonly history: readonly Bytes[];
  readonly tlsKey: string;
  readonly tlsPem: string;
  readonly tlsDigest: Bytes;
}

export interface Model { readonly digest: Bytes; readonly sealed: Bytes }

export interface EngineConfig { readonly kind: "echo" | "lookup" | "sum"; readonly answers?: Readonly<Record<string, string>>; readonly otherwise?: string }

export interface Config {
  readonly listen: string;
  readonly identity: Identity;
  readonly peers: readonly Peer[];
  readonly models: readonly Model[];
  readonly journal: string;
  readonly engine: EngineConfig;
  readonly sessions: number;
  readonly maxTurnBytes: number;
  readonly maxPopulation: number;
  readonly idleSeconds: number;
  readonly disclosure: { readonly answers: number; readonly outputBytes: number };
}

function bad(message: string): never {
  throw new Error(`CONFIG: ${message}`);
}

function hexFile(path: string): Bytes {
  const bytes = fromHex(readFileSync(path, "utf8").trim());
  return bytes?.length === 32 ? bytes : bad(`${path}: no key`);
}

function readCard(path: string): Peer {
  const card = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  const { name, root, root_key: rootKey, certificate } = card;
  const [pin, key] = [root, rootKey].map((x) => (typeof x === "string" ? fromHex(x) : null));
  if (pin?.length !== 32 || key?.length !== 32 || typeof certificate !== "string") return bad(`${path}: no card`);
  if (!equal(fingerprint(key), pin)) return bad(`${path}: a fingerprint of another key`);
  return { name: String(name), root: pin, pem: certificate, der: new Uint8Array(new X509Certificate(certificate).raw) };
}

function readIdentity(folder: string): Identity {
  const card = readCard(resolve(folder, "card.json"));
  const session = hexFile(resolve(folder, "session.key"));
  const entries = JSON.parse(readFileSync(resolve(folder, "history.json"), "utf8")) as unknown;
  if (!Array.isArray(entries)) return bad("no key history");
  const history = entries.map((entry) => utf8(String(entry)));
  const read = readHistory(history);
  if (!equal(read.fingerprint, card.root) || !certifies(read, publicKey(session), "prover")) {
    return bad("a session key that the root does not certify");
  }
  return {
    root: card.root, session, history, tlsKey: readFileSync(resolve(folder, "tls.key"), "utf8"),
    tlsPem: card.pem, tlsDigest: sha256(card.der),
  };
}

function readModel(path: string, identity: Identity): Model {
  const sealed = new Uint8Array(readFileSync(path));
  const { root } = readHistory(identity.history);
  return { sealed, digest: readModelClaim(sealed, root).digest };
}

const FIELDS = [
  "party", "listen", "peers", "models", "journal", "engine", "sessions", "max_turn_bytes", "max_population",
  "idle_seconds", "disclosure",
];

export function readConfig(path: string): Config {
  const raw = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  for (const name of Object.keys(raw)) if (!FIELDS.includes(name)) bad(`unknown field ${name}`);
  const base = dirname(resolve(path));
  const text = (name: string): string => (typeof raw[name] === "string" ? raw[name] : bad(`no ${name}`));
  const list = (name: string): string[] => {
    const value = raw[name];
    return Array.isArray(value) ? value.map((x) => resolve(base, String(x))) : bad(`no ${name}`);
  };
  const number = (value: unknown, otherwise: number): number => {
    if (value === undefined) return otherwise;
    return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : bad("a number that is none");
  };
  const identity = readIdentity(resolve(base, text("party")));
  const engine = raw["engine"] as EngineConfig | undefined;
  if (engine === undefined || !["echo", "lookup", "sum"].includes(engine.kind)) return bad("no engine");
  const disclosure = (raw["disclosure"] ?? {}) as Record<string, unknown>;
  return {
    identity, engine, listen: text("listen"),
    peers: list("peers").map(readCard),
    models: list("models").map((model) => readModel(model, identity)),
    journal: resolve(base, text("journal")),
    sessions: number(raw["sessions"], 4),
    maxTurnBytes: number(raw["max_turn_bytes"], 2 ** 28),
    maxPopulation: number(raw["max_population"], 2 ** 22),
    idleSeconds: number(raw["idle_seconds"], 600),
    disclosure: { answers: number(disclosure["answers"], 100000), outputBytes: number(disclosure["output_bytes"], 2 ** 32) },
  };
}
