// Grading: (output, reference) to pass, fail, refuse or invalid, for any bytes.
import { type Bytes, equal, fromUtf8, utf8 } from "./bytes.js";
import { type Decimal, decimalOf, fromDecimalString, isNear, sameDecimal } from "./decimal.js";
import { type Free, readFree } from "./freejson.js";
import { foldText, type Grader, type Rule } from "./graderdoc.js";
import { type Json, parse } from "./json.js";
import { type Node, parsePattern } from "./pattern.js";
import { matches } from "./patternrun.js";

export type Grade = "pass" | "fail" | "refuse" | "invalid";

const MAX_OUTPUT = 262144;
const MAX_REFERENCE = 65536;
const WHITE = new Set([32, 9, 10, 11, 12, 13]);

function trim(bytes: Bytes): Bytes {
  let from = 0;
  let to = bytes.length;
  while (from < to && WHITE.has(bytes[from] as number)) from++;
  while (to > from && WHITE.has(bytes[to - 1] as number)) to--;
  return bytes.subarray(from, to);
}

function fold(bytes: Bytes): Bytes {
  return bytes.map((b) => (b >= 65 && b <= 90 ? b + 32 : b));
}

function isWordByte(b: number | undefined): boolean {
  return b !== undefined
    && ((b >= 48 && b <= 57) || (b >= 65 && b <= 90) || b === 95 || (b >= 97 && b <= 122) || b >= 128);
}

function latin(bytes: Bytes): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}

function afterMarker(output: Bytes, marker: string | null): Bytes | null {
  if (marker === null) return output;
  const wanted = fold(utf8(marker));
  const at = latin(fold(output)).lastIndexOf(latin(wanted));
  return at < 0 ? null : output.subarray(at + wanted.length);
}

const DIGITS = "(?:[0-9]+(?:\\.([0-9]+))?|\\.([0-9]+))(?:[eE]([+-]?[0-9]+))?";
const PLAIN = new RegExp(`([+-]?)(?=[0-9.])([0-9]*)(?:\\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?`, "y");
const GROUPED = new RegExp(`([+-]?)([0-9]{1,3}(?:,[0-9]{3})+(?![0-9]))(?:\\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?`, "y");
const COMPLETE = new RegExp(`^[+-]?${DIGITS}$`);

interface Found { readonly length: number; readonly value: Decimal | null }

/** The longest number that begins at this place. */
function numberAt(text: string, at: number, thousands: boolean): Found | null {
  let best: Found | null = null;
  for (const form of thousands ? [PLAIN, GROUPED] : [PLAIN]) {
    form.lastIndex = at;
    const found = form.exec(text);
    if (found === null) continue;
    const [all, sign = "", whole = "", fraction = "", exponent = ""] = found;
    if (whole === "" && fraction === "") continue;
    if (best === null || all.length > best.length) {
      best = { length: all.length, value: decimalOf(sign, whole.replaceAll(",", ""), fraction, exponent) };
    }
  }
  return best;
}

function wholeNumber(bytes: Bytes, thousands: boolean): Decimal | null {
  const text = latin(bytes);
  if (!thousands && !COMPLETE.test(text)) return null;
  const found = numberAt(text, 0, thousands);
  return found !== null && found.length === text.length ? found.value : null;
}

function pickNumber(bytes: Bytes, rule: Rule & { kind: "numeric" }): Decimal | null {
  if (rule.pick === "only") return wholeNumber(trim(bytes), rule.thousands);
  const text = latin(bytes);
  let chosen: Found | null = null;
  for (let at = 0; at < text.length;) {
    const before = bytes[at - 1];
    const found = isWordByte(before) || before === 46 ? null : numberAt(text, at, rule.thousands);
    if (found === null) at++;
    else {
      if (chosen === null || rule.pick === "last") chosen = found;
      if (rule.pick === "first") break;
      at += found.length;
    }
  }
  return chosen?.value ?? null;
}

function occurs(output: Bytes, wanted: Bytes, wholeWords: boolean): boolean {
  const text = latin(output);
  const needle = latin(wanted);
  for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + 1)) {
    const end = at + needle.length;
    const cut = (i: number): boolean => isWordByte(output[i - 1]) && isWordByte(output[i]);
    if (!wholeWords || (!cut(at) && !cut(end))) return true;
  }
  return false;
}

function choice(output: Bytes, rule: Rule & { kind: "multiple_choice" }): string | null {
  const labels = rule.ignoreCase ? rule.choices.map(foldText) : rule.choices;
  let run = "";
  for (let i = 0; i <= output.length; i++) {
    const b = output[i];
    if (isWordByte(b)) run += String.fromCharCode(b as number);
    else {
      const word = rule.ignoreCase ? foldText(run) : run;
      if (labels.includes(word)) return word;
      run = "";
    }
  }
  return null;
}

function label(reference: Bytes, rule: Rule & { kind: "multiple_choice" }): string | null {
  const text = latin(trim(reference));
  const wanted = rule.ignoreCase ? foldText(text) : text;
  return (rule.ignoreCase ? rule.choices.map(foldText) : rule.choices).includes(wanted) ? wanted : null;
}

function patternOf(reference: Bytes, ignoreCase: boolean): Node | null {
  const text = fromUtf8(reference);
  if (text === null) return null;
  try {
    return parsePattern(text, ignoreCase);
  } catch {
    return null;
  }
}

function isScalar(value: Free | undefined): boolean {
  return value !== undefined && !Array.isArray(value) && !(value instanceof Map);
}

function follow(value: Free | undefined, path: readonly (string | number)[]): Free | undefined {
  let at = value;
  for (const step of path) {
    if (typeof step === "string" && at instanceof Map) at = at.get(step);
    else if (typeof step === "number" && Array.isArray(at)) at = at[step];
    else return undefined;
  }
  return at;
}

function sameScalar(a: Free | undefined, b: Free | undefined, ignoreCase: boolean): boolean {
  if (typeof a === "string" && typeof b === "string") return ignoreCase ? foldText(a) === foldText(b) : a === b;
  if (typeof a === "object" && typeof b === "object" && a !== null && b !== null && "number" in a && "number" in b) {
    return sameDecimal(a.number, b.number);
  }
  return a === b;
}

/** The texts of a checklist, trimmed; null for anything that is none. */
function checklist(reference: Bytes): Bytes[] | null {
  let list: Json;
  try {
    list = parse(reference, MAX_REFERENCE);
  } catch {
    return null;
  }
  if (!Array.isArray(list) || list.length < 1 || list.length > 64) return null;
  if (!list.every((x) => typeof x === "string")) return null;
  const texts = (list as string[]).map((x) => trim(utf8(x)));
  const distinct = new Set(texts.map(latin)).size === texts.length;
  return distinct && texts.every((t) => t.length >= 1 && t.length <= 1024) ? texts : null;
}

function ticked(rule: Rule & { kind: "checklist" }, output: Bytes, texts: readonly Bytes[]): number {
  const form = (b: Bytes): Bytes => (rule.ignoreCase ? fold(b) : b);
  const where = form(output);
  return texts.filter((text) => occurs(where, form(text), rule.wholeWords)).length;
}

const verdict = (passes: boolean): Grade => (passes ? "pass" : "fail");

function exactForm(bytes: Bytes, rule: Extract<Rule, { kind: "exact" }>): Bytes {
  const trimmed = rule.trim ? trim(bytes) : bytes;
  return rule.ignoreCase ? fold(trimmed) : trimmed;
}

function apply(rule: Rule, output: Bytes, reference: Bytes): Grade {
  switch (rule.kind) {
    case "exact": return verdict(equal(exactForm(output, rule), exactForm(reference, rule)));
    case "multiple_choice": {
      const wanted = label(reference, rule);
      const rest = afterMarker(output, rule.marker);
      const given = rest === null ? null : choice(rest, rule);
      return wanted === null || given === null ? "invalid" : verdict(given === wanted);
    }
    case "numeric": {
      const wanted = wholeNumber(trim(reference), false);
      const rest = afterMarker(output, rule.marker);
      const given = rest === null ? null : pickNumber(rest, rule);
      if (wanted === null || given === null) return "invalid";
      return verdict(isNear(given, wanted, fromDecimalString(rule.absolute), fromDecimalString(rule.relative)));
    }
    case "contains": {
      const wanted = trim(reference);
      if (wanted.length < 1 || wanted.length > 1024) return "invalid";
      const form = (b: Bytes): Bytes => (rule.ignoreCase ? fold(b) : b);
      return verdict(occurs(form(output), form(wanted), rule.wholeWords));
    }
    case "regex": {
      const node = patternOf(reference, rule.ignoreCase);
      const text = fromUtf8(rule.ignoreCase ? fold(trim(output)) : trim(output));
      return node === null || text === null ? "invalid" : verdict(matches(node, text, rule.whole));
    }
    case "checklist": {
      const texts = checklist(reference);
      return texts === null ? "invalid" : verdict(ticked(rule, output, texts) === texts.length);
    }
    case "json_field": {
      const wanted = readFree(reference);
      const given = follow(readFree(output), rule.path);
      return !isScalar(wanted) || !isScalar(given) ? "invalid" : verdict(sameScalar(given, wanted, rule.ignoreCase));
    }
  }
}

/** Whether the grader can use the reference at all. */
export function usable(grader: Grader, reference: Bytes): boolean {
  const { rule } = grader;
  if (reference.length > MAX_REFERENCE) return false;
  switch (rule.kind) {
    case "exact": return true;
    case "multiple_choice": return label(reference, rule) !== null;
    case "numeric": return wholeNumber(trim(reference), false) !== null;
    case "contains": {
      const length = trim(reference).length;
      return length >= 1 && length <= 1024;
    }
    case "regex": return patternOf(reference, rule.ignoreCase) !== null;
    case "checklist": return checklist(reference) !== null;
    case "json_field": return isScalar(readFree(reference));
  }
}

/** The output that a script's grader looks at; null where it is no list of strings. */
function scriptAnswer(output: Bytes, answers: "last" | "joined"): Bytes | null {
  let list: Json;
  try {
    list = parse(output, MAX_OUTPUT);
  } catch {
    return null;
  }
  if (!Array.isArray(list) || list.length === 0 || !list.every((x) => typeof x === "string")) return null;
  return utf8(answers === "last" ? list[list.length - 1] as string : (list as string[]).join("\n"));
}

/** What the kind's own rule looks at, or the outcome where that is decided before. */
function subjectOf(grader: Grader, output: Bytes, reference: Bytes): Bytes | "refuse" | "invalid" {
  if (output.length > MAX_OUTPUT || reference.length > MAX_REFERENCE) return "invalid";
  const subject = grader.answers === null ? output : scriptAnswer(output, grader.answers);
  if (subject === null) return "invalid";
  if (grader.refusal !== null) {
    const text = fromUtf8(grader.refusal.ignoreCase ? fold(subject) : subject);
    if (text !== null && matches(grader.refusal.node, text, false)) return "refuse";
  }
  return subject;
}

export function grade(grader: Grader, output: Bytes, reference: Bytes): Grade {
  const subject = subjectOf(grader, output, reference);
  return typeof subject === "string" ? subject : apply(grader.rule, subject, reference);
}

/** The points of an output; 0 for every kind that gives none. */
export function score(grader: Grader, output: Bytes, reference: Bytes): number {
  const { rule } = grader;
  const subject = subjectOf(grader, output, reference);
  const texts = checklist(reference);
  if (rule.kind !== "checklist" || typeof subject === "string" || texts === null) return 0;
  return Math.floor((rule.points * ticked(rule, subject, texts)) / texts.length);
}

