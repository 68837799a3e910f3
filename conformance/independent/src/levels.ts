// What verdicts of both modes share: levels of assurance, fixed sentences, the statement itself.
import type { Bytes } from "./bytes.js";
import { ASSURANCES, type Assurance, isList, type MeasuredClaim } from "./claims.js";
import { sha256 } from "./framing.js";
import type { Json } from "./json.js";
import type { Decision } from "./metric.js";
import { encodeStatement } from "./statement.js";
import type { Terms } from "./terms.js";

export const FIXED = [
  "The verdict concerns the committed items under the stated system; a match says nothing about deployment.",
  "It does not show the absence of sandbagging, nor behaviour with other scaffolds, users, tools or versions.",
  "It does not measure the validity of the references or of the grader.",
] as const;
const DEGRADING = "at declared assurance, refusing or degrading outputs would meet this claim";

/** What an exercise gives; `simulated` is no level. */
export type Given = Assurance | "simulated";

export interface Verdict {
  readonly payload: Bytes;
  readonly digest: Bytes;
  readonly overall: Decision;
  readonly predicate: { readonly [key: string]: Json };
}

/** Why a COMPLIANT claim is not one at this assurance. */
export function below(minimum: Assurance, given: Given): string | null {
  if (given === "simulated") return `the claim asks for assurance ${minimum}, simulated is none`;
  return ASSURANCES.indexOf(given) < ASSURANCES.indexOf(minimum)
    ? `the claim asks for assurance ${minimum}, the exercise gives ${given}` : null;
}

const NOT_PASS = ["fail", "refuse", "invalid"] as const;

/** Whether some outcomes but pass would be a success. */
function metByDegrading(claim: MeasuredClaim): boolean {
  if (claim.type === "graded") return claim.direction === "at-most";
  const lists = isList(claim.events) ? [claim.events] : [...claim.events.values()];
  if (isList(claim.events)) {
    return claim.direction === "at-least" ? claim.events.join() !== "pass" : claim.events.join() !== NOT_PASS.join();
  }
  return claim.direction === "at-least"
    ? lists.every((events) => NOT_PASS.some((outcome) => events.includes(outcome)))
    : lists.some((events) => NOT_PASS.some((outcome) => !events.includes(outcome)));
}

/** What keeps a claim whose test is COMPLIANT from that verdict. */
export function reasons(claim: MeasuredClaim, test: Decision, assurance: Given): string[] {
  if (test !== "COMPLIANT") return [];
  const because = assurance === "declared" && metByDegrading(claim) ? [DEGRADING] : [];
  const sentence = below(claim.minAssurance, assurance);
  return sentence === null ? because : [...because, sentence];
}

export function verdictStatement(terms: Terms, predicate: Verdict["predicate"], overall: Decision): Verdict {
  const subjects = [{ name: "test-set", sha256: terms.set.root }, { name: "exercise", sha256: terms.exercise }];
  const payload = encodeStatement("verdict", subjects, predicate);
  return { payload, digest: sha256(payload), overall, predicate };
}
