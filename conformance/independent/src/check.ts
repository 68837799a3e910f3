// Command: judge a record file offline. Exit code 0 where it is valid, 1 where not, 2 for wrong usage.
import { readFileSync } from "node:fs";
import { type Bytes, fromHex, hex } from "./bytes.js";
import { Refusal } from "./errors.js";
import { findings } from "./findings.js";
import { judge, type Judgement } from "./judge.js";

function pin(text: string): Bytes {
  const plain = fromHex(text);
  if (plain?.length === 32) return plain;
  const card = JSON.parse(readFileSync(text, "utf8")) as { root?: unknown };
  const root = typeof card.root === "string" ? fromHex(card.root) : null;
  if (root?.length !== 32) throw new Error(`${text}: no card and no fingerprint`);
  return root;
}

function forPrograms({ fault, verdict, session, known, withheld }: Judgement): object {
  return {
    valid: fault === null, pinned: known, reason: fault?.reason ?? "", blamed: fault?.blamed ?? "", sequence: fault?.sequence ?? 0,
    state: session.state, turn: session.turn ?? "", unseen: withheld, verdict: verdict === null ? "" : hex(verdict.digest), overall: verdict?.overall ?? "",
  };
}

function forPeople(judged: Judgement): object {
  const { fault, verdict, session, withheld } = judged;
  return {
    valid: fault === null, findings: findings(judged), fault, state: session.state, withheld,
    acknowledged: Object.fromEntries([...session.acknowledged].map(([party, digest]) => [party, hex(digest)])),
    verdict: verdict === null ? null : { digest: hex(verdict.digest), ...verdict.predicate },
  };
}

function main(args: readonly string[]): number {
  const pins: Bytes[] = [];
  let record: string | null = null;
  let short = false;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] as string;
    if (arg === "--pin") pins.push(pin(args[++i] ?? ""));
    else if (arg === "--json") short = true;
    else record = arg;
  }
  if (record === null) {
    console.error("usage: check RECORD [--json] [--pin CARD-OR-FINGERPRINT]...");
    return 2;
  }
  try {
    const judged = judge(readFileSync(record), pins);
    console.log(short ? JSON.stringify(forPrograms(judged)) : JSON.stringify(forPeople(judged), null, 1));
    return judged.fault === null ? 0 : 1;
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    if (short) {
      console.log(JSON.stringify({ valid: false, reason: error.reason, blamed: "" }));
      return 1;
    }
    console.log(JSON.stringify({ valid: false, fault: { reason: error.reason, blamed: error.blamed, detail: error.detail } }, null, 1));
    return 1;
  }
}

process.exitCode = main(process.argv.slice(2));
