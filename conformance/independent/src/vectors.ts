// Runs every file of test vectors; prints one line a file and exits with 1 where anything differs.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { bind } from "./binder.js";
import { type Bytes, concat, equal, fromBase64, fromHex, fromUtf8, hex, utf8 } from "./bytes.js";
import { itemCommitment, itemKey, itemLeaf, outputCommitment, samplingSeed } from "./commitments.js";
import { verify } from "./ed25519.js";
import { fromJson } from "./envelope.js";
import { type Party, Refusal } from "./errors.js";
import { differing } from "./findings.js";
import { pValue, printEvidence } from "./frametest.js";
import { digest, frame, type Label, mac } from "./framing.js";
import { type GradedPlan, runGraded, totalHigh, totalLow } from "./graded.js";
import { readGrader } from "./graderdoc.js";
import { grade, score, usable } from "./graders.js";
import { type Json, parse } from "./json.js";
import { judge } from "./judge.js";
import { certifies, readHistory, validAt } from "./keys.js";
import { countHigh, countLow, type Plan, type Result, runMetric } from "./metric.js";
import { commitModel } from "./modelcommit.js";
import { ticketOrder } from "./population.js";
import { recordFaults } from "./recordfaults.js";
import { readRecords } from "./records.js";
import { readModelClaim } from "./registration.js";
import { parseRatio, type Ratio } from "./schema.js";
import { openContent, sealContent, type Sealing, unwrap, wrapInfo } from "./sealing.js";
import { cutModel, type ModelFiles } from "./segments.js";
import { openStatement } from "./statement.js";
import { checkInclusion } from "./tree.js";

type Vector = Readonly<Record<string, unknown>>;
type Facts = Readonly<Record<string, unknown>>;

class Given {
  constructor(readonly vector: Vector) {}

  text(name: string): string {
    return String(this.vector[name]);
  }

  bytes(name: string): Bytes {
    return fromHex(this.text(name)) ?? missing(name);
  }

  number(name: string): number {
    return Number(this.vector[name]);
  }

  list(name: string): readonly unknown[] {
    const value = this.vector[name];
    return Array.isArray(value) ? value : missing(name);
  }

  bytesList(name: string): Bytes[] {
    return this.list(name).map((x) => fromHex(String(x)) ?? missing(name));
  }

  ratio(name: string): Ratio {
    return parseRatio(this.text(name)) ?? missing(name);
  }
}

function missing(name: string): never {
  throw new Error(`a vector without ${name}`);
}

function framing(v: Given): Facts {
  const label = v.text("label").replace("parley/v1/", "") as Label;
  const parts = v.bytesList("parts");
  return { frame: hex(frame(label, ...parts)), digest: hex(digest(label, ...parts)), mac: hex(mac(v.bytes("key"), label, ...parts)) };
}

function signature(v: Given): Facts {
  if (!verify(v.bytes("key"), v.bytes("message"), v.bytes("signature"))) throw new Refusal("BAD_SIGNATURE", "");
  return {};
}

function tree(v: Given): Facts {
  checkInclusion(v.bytes("leaf"), BigInt(v.number("index")), BigInt(v.number("size")), v.bytesList("proof"), v.bytes("root"));
  return {};
}

function commitments(v: Given): Facts {
  const [owner, setId, index] = [v.bytes("owner"), v.bytes("set_id"), BigInt(v.number("index"))];
  const key = (field: "prompt" | "reference"): Bytes =>
    itemKey(v.bytes("master"), owner, setId, BigInt(v.number("size")), index, field);
  const commit = (field: "prompt" | "reference"): Bytes => itemCommitment(key(field), owner, setId, index, field, v.bytes(field));
  const [prompt, reference] = [commit("prompt"), commit("reference")];
  const facts = {
    prompt_key: hex(key("prompt")), prompt_commitment: hex(prompt), reference_commitment: hex(reference),
    leaf: hex(itemLeaf(prompt, reference)),
  };
  if (v.vector["output_key"] === undefined) return facts;
  const output = outputCommitment(v.bytes("output_key"), v.bytes("exercise"), index, v.number("sample"), v.bytes("output"));
  return { ...facts, output_commitment: hex(output) };
}

function tickets(v: Given): Facts {
  const ranges = v.list("runs").map((run) => {
    const [start, end] = run as [number, number];
    return [BigInt(start), BigInt(end)] as const;
  });
  const seed = v.bytes("seed");
  const order = ticketOrder(ranges, v.number("samples"), v.number("budget"), v.bytes("root"), seed);
  return {
    order: order.map((u) => [Number(u.item), u.sample]),
    sampling_seeds: order.map((u) => String(samplingSeed(seed, u.item, u.sample))),
  };
}

function frameTest(v: Given): Facts {
  const plan: Plan = {
    population: BigInt(v.number("frame")), threshold: BigInt(v.number("threshold_count")),
    declared: BigInt(v.number("declared_count")), budget: v.number("budget"),
    alphaCompliant: v.ratio("alpha_compliant"), alphaViolation: v.ratio("alpha_violation"), claimed: null,
  };
  const outcome = runMetric(plan, [...v.text("path")] as Result[]);
  return {
    decision: outcome.decision, e_compliant: printEvidence(outcome.lastCompliant), e_violation: printEvidence(outcome.lastViolation),
    p_compliant: printEvidence(pValue(outcome.maxCompliant)), p_violation: printEvidence(pValue(outcome.maxViolation)),
    count_low: Number(countLow(plan, outcome)), count_high: Number(countHigh(plan, outcome)),
  };
}

function gradedTest(v: Given): Facts {
  const plan: GradedPlan = {
    population: BigInt(v.number("size")), top: BigInt(v.number("top")), threshold: BigInt(v.number("threshold_total")),
    budget: v.number("budget"), alphaCompliant: v.ratio("alpha_compliant"), alphaViolation: v.ratio("alpha_violation"),
  };
  const outcome = runGraded(plan, v.list("path").map((added) => (Number(added) < 0 ? null : BigInt(Number(added)))));
  return {
    decision: outcome.decision, total: Number(outcome.total), w_compliant: outcome.betsCompliant.map(String),
    w_violation: outcome.betsViolation.map(String), p_compliant: printEvidence(outcome.pCompliant),
    p_violation: printEvidence(outcome.pViolation), total_low: Number(totalLow(plan, outcome.path)), total_high: Number(totalHigh(plan, outcome.path)),
  };
}

function transcript(v: Given): Facts {
  const record = fromBase64(v.text("record")) ?? missing("record");
  const judged = judge(record, v.bytesList("pins"));
  const { session, fault, verdict, withheld, witnessed } = judged;
  const facts = {
    state: session.state, turn: session.turn ?? "", blamed: fault?.blamed ?? "", sequence: fault?.sequence ?? 0,
    unseen: withheld, differing: differing(judged), opening: witnessed.opening, ended: witnessed.ended,
    default: witnessed.standing, verdict: verdict === null ? "" : hex(verdict.digest), overall: verdict?.overall ?? "",
  };
  return fault === null ? facts : { ...facts, reason: fault.reason };
}

function graders(v: Given): Facts {
  const grader = readGrader(v.vector["grader"] as Json, "BAD_TERMS");
  const [output, reference] = [v.bytes("output"), v.bytes("reference")];
  return {
    digest: hex(grader.digest), usable: usable(grader, reference), outcome: grade(grader, output, reference),
    points: score(grader, output, reference),
  };
}

function json(v: Given): Facts {
  parse(v.bytes("text"), 2 ** 20);
  return {};
}

function keyHistory(v: Given): Facts {
  const history = readHistory(v.list("entries").map((entry) => utf8(String(entry))));
  const [key, role, at] = [v.bytes("key"), v.text("role") as Party, v.number("at")];
  const good = at < 0 ? certifies(history, key, role) : validAt(history, key, role, at);
  if (!good) throw new Refusal("KEY_NOT_CERTIFIED", "");
  return { root: hex(history.fingerprint) };
}

function statement(v: Given): Facts {
  return { digest: hex(openStatement(utf8(v.text("sealed")), v.bytesList("keys")).digest) };
}

function computeRecords(v: Given): Facts {
  const statements = v.list("records").map((sealed) => openStatement(utf8(String(sealed)), [v.bytes("key")]));
  return { faults: recordFaults(readRecords(statements)) };
}

function binder(v: Given): Facts {
  const bound = bind({
    transcript: v.bytes("transcript"), proverNonce: v.bytes("prover_nonce"), verifierNonce: v.bytes("verifier_nonce"),
    hpke: v.bytes("hpke_key"), answering: v.bytes("answering_key"),
  }, v.bytesList("gpu_reports"));
  return { gpu32: hex(bound.gpu32), bind64: hex(bound.bind64) };
}

/** Files as vectors spell them: hexadecimal, or that and a run of counted bytes. */
function modelFiles(v: Given): ModelFiles {
  const files = Object.entries(v.vector["files"] as Readonly<Record<string, string>>);
  return new Map(files.map(([path, text]) => {
    const [plain = "", run] = text.split("+");
    const more = run === undefined ? new Uint8Array(0) : Uint8Array.from({ length: parseInt(run, 10) }, (_, n) => n % 251);
    return [path, concat(fromHex(plain) ?? missing("files"), more)] as const;
  }));
}

function modelCut(v: Given): Facts {
  return { segments: cutModel(modelFiles(v)).map(({ path, kind, name, dtype, shape, offset, size }) => ({ path, kind, name, dtype, shape, offset, size })) };
}

function modelClaim(v: Given): Facts {
  const sealed = utf8(v.text("sealed"));
  const signer = v.vector["root"] === undefined ? fromJson(sealed).signatures[0]?.key ?? missing("sealed") : v.bytes("root");
  const claim = readModelClaim(sealed, signer);
  if (v.vector["files"] === undefined) return {};
  const made = commitModel(modelFiles(v), v.bytes("owner"), v.bytes("claim_id"), v.bytes("key"), v.bytes("series"));
  if (!equal(claim.owner, v.bytes("owner"))) return { owner: hex(claim.owner) };
  return {
    what: made.what.map(fromUtf8), where: made.where.map(fromUtf8), tree_root: hex(made.treeRoot), total: hex(made.total),
    content: hex(made.content), commitment: hex(made.commitment),
  };
}

function sealing(v: Given): Facts {
  const sealing: Sealing = {
    role: v.text("role") as "prover" | "verifier", session: v.bytes("session"), commitment: v.bytes("commitment"), size: v.number("size"),
  };
  const info = wrapInfo(sealing, v.bytes("keys"), v.bytes("terms"));
  const key = unwrap(v.bytes("recipient"), v.bytes("wrapped"), info);
  const plain = openContent(sealing, key, v.bytes("sealed"));
  return { info: hex(info), data_key: hex(key), size: plain.length, sealed: hex(sealContent(sealing, key, plain)) };
}

const RUNNERS: Readonly<Record<string, (v: Given) => Facts>> = {
  framing, ed25519: signature, tree, commitments, tickets, frame_test: frameTest, graded_test: gradedTest, graders, json, statements: statement,
  key_histories: keyHistory, compute_records: computeRecords, binder, model_files: modelCut, model_claim: modelClaim, sealing,
};

/** What differs between a vector and what this implementation makes of it. */
export function differences(kind: string, vector: Vector): string[] {
  const run = kind.startsWith("transcripts") ? transcript : RUNNERS[kind];
  if (run === undefined) return [`no runner for ${kind}`];
  let facts: Facts;
  try {
    facts = { result: "valid", ...run(new Given(vector)) };
    if (facts["reason"] !== undefined) facts = { ...facts, result: "invalid" };
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    facts = { result: "invalid", reason: error.reason };
  }
  const names = new Set([...Object.keys(facts).filter((n) => n in vector || n === "reason"), "result"]);
  return [...names].filter((n) => JSON.stringify(facts[n]) !== JSON.stringify(vector[n]))
    .map((n) => `${n}: ${JSON.stringify(facts[n])} and not ${JSON.stringify(vector[n])}`);
}

export interface FileResult {
  readonly file: string;
  readonly passed: number;
  readonly failures: readonly string[];
}

export function runFolder(folder: string): FileResult[] {
  return readdirSync(folder).filter((name) => name.endsWith(".json")).sort().map((file) => {
    const { kind, tests } = JSON.parse(readFileSync(join(folder, file), "utf8")) as { kind: string; tests: Vector[] };
    const failures = tests.flatMap((vector) => {
      const found = differences(kind, vector);
      return found.length === 0 ? [] : [`${String(vector["id"])} (${String(vector["comment"])}): ${found.join("; ")}`];
    });
    return { file, passed: tests.length - failures.length, failures };
  });
}

function main(folder: string): number {
  let bad = 0;
  for (const { file, passed, failures } of runFolder(folder)) {
    console.log(`${file}: ${passed} of ${passed + failures.length}`);
    for (const failure of failures) console.log(`  ${failure}`);
    bad += failures.length;
  }
  return bad === 0 ? 0 : 1;
}

if (process.argv[1]?.endsWith("vectors.js") === true) process.exitCode = main(process.argv[2] ?? "../../spec/vectors");
