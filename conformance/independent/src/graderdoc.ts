// Grader documents: closed JSON objects, read into typed graders.
import { type Bytes, codePoints } from "./bytes.js";
import { demand, type Reason } from "./errors.js";
import { sha256 } from "./framing.js";
import { canonical, isObject, type Json, type JsonObject } from "./json.js";
import { BadPattern, type Node, parsePattern } from "./pattern.js";
import { Fields, isDecimal } from "./schema.js";

export interface Refusing { readonly node: Node; readonly ignoreCase: boolean }

export type Rule =
  | { readonly kind: "exact"; readonly trim: boolean; readonly ignoreCase: boolean }
  | { readonly kind: "multiple_choice"; readonly choices: readonly string[]; readonly ignoreCase: boolean; readonly marker: string | null }
  | { readonly kind: "numeric"; readonly absolute: string; readonly relative: string; readonly pick: "only" | "first" | "last"; readonly thousands: boolean; readonly marker: string | null }
  | { readonly kind: "contains"; readonly ignoreCase: boolean; readonly wholeWords: boolean }
  | { readonly kind: "regex"; readonly whole: boolean; readonly ignoreCase: boolean }
  | { readonly kind: "checklist"; readonly points: number; readonly ignoreCase: boolean; readonly wholeWords: boolean }
  | { readonly kind: "json_field"; readonly path: readonly (string | number)[]; readonly ignoreCase: boolean };

export interface Grader {
  readonly digest: Bytes;
  readonly rule: Rule;
  readonly refusal: Refusing | null;
  readonly answers: "last" | "joined" | null;
}

const OWN_FIELDS: Readonly<Record<Rule["kind"], readonly [readonly string[], readonly string[]]>> = {
  exact: [["trim", "ignore_case"], []],
  multiple_choice: [["choices", "ignore_case"], ["marker"]],
  numeric: [["absolute", "relative", "pick", "thousands"], ["marker"]],
  contains: [["ignore_case", "whole_words"], []],
  regex: [["whole", "ignore_case"], []],
  json_field: [["path", "ignore_case"], []],
  checklist: [["points", "ignore_case", "whole_words"], []],
};

export function foldText(text: string): string {
  return text.replace(/[A-Z]/g, (c) => c.toLowerCase());
}

function readChoices(f: Fields, value: Json | undefined, ignoreCase: boolean): string[] {
  const choices = f.list(value, 2, 64).map((choice) => f.text(choice, 1, 16));
  demand(choices.every((c) => /^[A-Za-z0-9]+$/.test(c)), f.reason, "a label with other characters");
  const distinct = new Set(ignoreCase ? choices.map(foldText) : choices);
  demand(distinct.size === choices.length, f.reason, "a label that stands twice");
  return choices;
}

function readTolerance(f: Fields, value: Json | undefined): string {
  demand(typeof value === "string" && isDecimal(value) && !value.startsWith("-"), f.reason, "no tolerance");
  return value;
}

function readStep(f: Fields, value: Json): string | number {
  if (typeof value === "number") return f.integer(value, 0, 2 ** 20 - 1);
  demand(typeof value === "string" && codePoints(value) <= 256, f.reason, "no step of a path");
  return value;
}

function readRule(f: Fields, kind: Rule["kind"], d: JsonObject): Rule {
  const flag = (name: string): boolean => f.boolean(d[name]);
  const marker = d["marker"] === undefined ? null : f.text(d["marker"], 1, 64);
  switch (kind) {
    case "exact": return { kind, trim: flag("trim"), ignoreCase: flag("ignore_case") };
    case "multiple_choice": {
      const ignoreCase = flag("ignore_case");
      return { kind, choices: readChoices(f, d["choices"], ignoreCase), ignoreCase, marker };
    }
    case "numeric": return {
      kind, absolute: readTolerance(f, d["absolute"]), relative: readTolerance(f, d["relative"]),
      pick: f.oneOf(d["pick"], ["only", "first", "last"]), thousands: flag("thousands"), marker,
    };
    case "contains": return { kind, ignoreCase: flag("ignore_case"), wholeWords: flag("whole_words") };
    case "regex": return { kind, whole: flag("whole"), ignoreCase: flag("ignore_case") };
    case "checklist": return {
      kind, points: f.integer(d["points"], 2, 254), ignoreCase: flag("ignore_case"), wholeWords: flag("whole_words"),
    };
    case "json_field": return {
      kind, path: f.list(d["path"], 0, 16).map((step) => readStep(f, step)), ignoreCase: flag("ignore_case"),
    };
  }
}

function readRefusal(f: Fields, value: Json): Refusing {
  const d = f.object(value, ["pattern", "ignore_case"]);
  const ignoreCase = f.boolean(d["ignore_case"]);
  const text = f.text(d["pattern"], 1, 1024);
  try {
    return { node: parsePattern(text, ignoreCase), ignoreCase };
  } catch (error) {
    demand(!(error instanceof BadPattern), f.reason, "a pattern that is not allowed");
    throw error;
  }
}

export function readGrader(value: Json | undefined, reason: Reason): Grader {
  const f = new Fields(reason);
  demand(isObject(value), reason, "a grader that is no object");
  const kind = f.oneOf(value["kind"], Object.keys(OWN_FIELDS) as Rule["kind"][]);
  const [required, optional] = OWN_FIELDS[kind];
  const d = f.object(value, ["kind", ...required], [...optional, "refusal", "answers"]);
  const rule = readRule(f, kind, d);
  const refusal = d["refusal"] === undefined ? null : readRefusal(f, d["refusal"]);
  const answers = d["answers"] === undefined ? null : f.oneOf(d["answers"], ["last", "joined"]);
  return { digest: sha256(canonical(value)), rule, refusal, answers };
}
