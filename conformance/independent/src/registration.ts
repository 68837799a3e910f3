// What parties register before any exercise: test sets and model claims.
import { type Bytes, equal, hex, isPlain } from "./bytes.js";
import { fingerprint } from "./commitments.js";
import { demand } from "./errors.js";
import { Fields } from "./schema.js";
import { demandType, hasSubject, openStatement } from "./statement.js";

export const MAX_CONTENT = 2 ** 30;

export interface Stratum { readonly name: string; readonly start: number; readonly count: number }

export interface TestSet {
  readonly digest: Bytes;
  readonly owner: Bytes;
  readonly setId: Bytes;
  readonly size: number;
  readonly root: Bytes;
  readonly strata: readonly Stratum[];
  readonly kind: "single" | "script";
  readonly graders: readonly string[];
  /** The names of the two members in a set of pairs. */
  readonly members: readonly string[] | null;
}

/** Reads a registration that the owner's root key has to have signed. */
export function readTestSet(sealed: Bytes, rootKey: Bytes): TestSet {
  const statement = openStatement(sealed, [rootKey]);
  const f = new Fields("BAD_REGISTRATION");
  demandType(statement, "test-set");
  const p = f.object(statement.predicate, [
    "owner", "set_id", "size", "root", "strata", "item_kinds", "media_type", "caps", "graders", "baselines",
  ], ["members"]);
  const owner = f.digest(p["owner"]);
  const setId = f.digest(p["set_id"]);
  const size = f.integer(p["size"], 1, 2 ** 32);
  const root = f.digest(p["root"]);
  demand(hasSubject(statement, "test-set", root), f.reason, "another subject");
  const members = p["members"] === undefined ? null : f.list(p["members"], 2, 2).map((name) => f.text(name, 1, 64));
  demand(members === null || members[0] !== members[1], f.reason, "one name for both members");
  demand(members === null || size % 2 === 0, f.reason, "a pair without its second item");
  let end = 0;
  const strata = f.list(p["strata"], 0, 64).map((value) => {
    const s = f.object(value, ["name", "start", "count"]);
    const stratum = {
      name: f.text(s["name"], 1, 64), start: f.integer(s["start"], 0, 2 ** 32), count: f.integer(s["count"], 1, 2 ** 32),
    };
    demand(members === null || (stratum.start % 2 === 0 && stratum.count % 2 === 0), f.reason, "a stratum that cuts a pair");
    demand(stratum.start === end, f.reason, "strata with a gap or an overlap");
    end += stratum.count;
    return stratum;
  });
  demand(strata.length === 0 || end === size, f.reason, "strata of another extent");
  demand(new Set(strata.map((s) => s.name)).size === strata.length, f.reason, "a stratum that stands twice");
  const kind = f.oneOf(f.list(p["item_kinds"], 1, 1)[0], ["single", "script"]);
  f.text(p["media_type"], 1, 128);
  const caps = f.object(p["caps"], ["prompt_bytes", "reference_bytes"]);
  f.integer(caps["prompt_bytes"], 1, MAX_CONTENT - 32);
  f.integer(caps["reference_bytes"], 1, MAX_CONTENT - 32);
  const graders = f.list(p["graders"], 1, 64).map((value) => hex(f.digest(value)));
  demand(equal(owner, fingerprint(rootKey)), f.reason, "an owner that is not its signer");
  return { digest: statement.digest, owner, setId, size, root, strata, kind, graders, members };
}

const FORMATS = ["gguf", "onnx", "other", "safetensors"] as const;

export interface ModelClaim { readonly digest: Bytes; readonly owner: Bytes; readonly name: string }

export function readModelClaim(sealed: Bytes, rootKey: Bytes): ModelClaim {
  const statement = openStatement(sealed, [rootKey]);
  const f = new Fields("BAD_MODEL_CLAIM");
  demandType(statement, "model-claim", f.reason);
  const p = f.object(statement.predicate, ["owner", "claim_id", "scheme", "commitment", "name", "formats"]);
  const owner = f.digest(p["owner"]);
  f.digest(p["claim_id"]);
  f.oneOf(p["scheme"], ["sha256-chunks-64k/v1"]);
  demand(hasSubject(statement, "model-claim", f.digest(p["commitment"])), f.reason, "another subject");
  const name = f.text(p["name"], 1, 200);
  demand(isPlain(name), f.reason, "a name that is not printable");
  const formats = f.list(p["formats"], 0, FORMATS.length).map((value) => f.oneOf(value, FORMATS));
  for (let i = 1; i < formats.length; i++) {
    demand((formats[i - 1] as string) < (formats[i] as string), f.reason, "formats out of order");
  }
  demand(equal(owner, fingerprint(rootKey)), f.reason, "an owner that is not its signer");
  return { digest: statement.digest, owner, name };
}
