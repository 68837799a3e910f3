// Script items: a prompt of several turns with slots for the answers, an output with one string a slot.
import type { Bytes } from "./bytes.js";
import { demand, refuse } from "./errors.js";
import { isObject, type Json, parse } from "./json.js";

const MAX_TURNS = 256;
const LIMIT = 2 ** 30;

function read(bytes: Bytes): Json {
  try {
    return parse(bytes, LIMIT);
  } catch {
    return refuse("BAD_REGISTRATION", "a prompt that is no script");
  }
}

/** The number of slots of a script. */
export function readScript(prompt: Bytes): number {
  const turns = read(prompt);
  const ok = (condition: boolean): void => demand(condition, "BAD_REGISTRATION", "a prompt that is no script");
  if (!Array.isArray(turns)) return refuse("BAD_REGISTRATION", "a prompt that is no script");
  ok(turns.length >= 1 && turns.length <= MAX_TURNS);
  let slots = 0;
  let before = "";
  turns.forEach((turn, i) => {
    if (!isObject(turn)) return ok(false);
    const { role, content } = turn;
    ok(Object.keys(turn).every((key) => key === "role" || key === "content"));
    ok(role === "user" || role === "assistant" || (role === "system" && i === 0));
    ok(role !== "assistant" || (i > 0 && before !== "assistant"));
    ok(typeof content === "string" || (content === undefined && role === "assistant"));
    if (content === undefined) slots++;
    ok(i < turns.length - 1 || (role === "assistant" && content === undefined));
    before = String(role);
  });
  return slots;
}

/** Bytes of the canonical list of empty strings, one a slot. */
export function emptyAnswerSize(slots: number): number {
  return 2 + 2 * slots + Math.max(0, slots - 1);
}

export function answersSlots(output: Bytes, slots: number): boolean {
  try {
    const value = parse(output, LIMIT);
    return Array.isArray(value) && value.length === slots && value.every((x) => typeof x === "string");
  } catch {
    return false;
  }
}
