// Engines: what answers. All of them are deterministic and small; a real one would call a model.
import { type Bytes, fromUtf8, utf8 } from "../bytes.js";
import { canonical, isObject, parse } from "../json.js";
import type { EngineConfig } from "./config.js";

export interface Engine { answer(prompt: Bytes): Bytes }

function textual(run: (prompt: string) => string): Engine {
  return { answer: (prompt) => utf8(run(fromUtf8(prompt) ?? "")) };
}

function sum(prompt: string, otherwise: string): string {
  const found = /^\s*(-?[0-9]{1,30})\s*\+\s*(-?[0-9]{1,30})\s*$/.exec(prompt);
  return found === null ? otherwise : String(BigInt(found[1] ?? 0) + BigInt(found[2] ?? 0));
}

export function makeEngine(config: EngineConfig): Engine {
  const otherwise = config.otherwise ?? "";
  switch (config.kind) {
    case "echo": return { answer: (prompt) => prompt };
    case "sum": return textual((prompt) => sum(prompt, otherwise));
    case "lookup": {
      const answers = new Map(Object.entries(config.answers ?? {}));
      return textual((prompt) => answers.get(prompt) ?? otherwise);
    }
  }
}

/** Answers every slot of a script: each from the turn before it. */
export function answerScript(engine: Engine, prompt: Bytes): Bytes {
  const turns = parse(prompt, 2 ** 30);
  const out: string[] = [];
  let before = "";
  for (const turn of Array.isArray(turns) ? turns : []) {
    if (!isObject(turn)) continue;
    const { content } = turn;
    if (typeof content === "string") before = content;
    else out.push(fromUtf8(engine.answer(utf8(before))) ?? "");
  }
  return canonical(out);
}

/** The output within its cap: what is too long is cut, a list of answers that is too long is emptied. */
export function within(output: Bytes, cap: number, slots: number | null): Bytes {
  if (output.length <= cap) return output;
  return slots === null ? output.subarray(0, cap) : canonical(new Array<string>(slots).fill(""));
}
