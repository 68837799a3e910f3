// Runs patterns in time linear in the text: a set of threads over a compiled program, no backtracking.
import type { Assertion, Class, Node } from "./pattern.js";

type Step =
  | { readonly op: "take"; readonly set: Class; readonly next: number }
  | { readonly op: "assert"; readonly what: Assertion; readonly next: number }
  | { op: "split"; readonly targets: number[] }
  | { readonly op: "match" };

/** A program, built from its end: every step knows where it goes on. */
function compile(node: Node): { steps: Step[]; start: number } {
  const steps: Step[] = [{ op: "match" }];
  const add = (step: Step): number => steps.push(step) - 1;
  const build = (part: Node, next: number): number => {
    switch (part.kind) {
      case "empty": return next;
      case "class": return add({ op: "take", set: part.set, next });
      case "assert": return add({ op: "assert", what: part.what, next });
      case "cat": return part.parts.reduceRight((after, inner) => build(inner, after), next);
      case "alt": return add({ op: "split", targets: part.parts.map((inner) => build(inner, next)) });
      case "repeat": {
        let at = next;
        if (part.most === null) {
          const loop: Step = { op: "split", targets: [next] };
          at = add(loop);
          loop.targets.push(build(part.inner, at));
        } else {
          for (let i = part.least; i < part.most; i++) {
            at = add({ op: "split", targets: [next, build(part.inner, at)] });
          }
        }
        for (let i = 0; i < part.least; i++) at = build(part.inner, at);
        return at;
      }
    }
  };
  const start = build(node, 0);
  return { steps, start };
}

function inClass(set: Class, point: number): boolean {
  for (const [from, to] of set) if (point >= from && point <= to) return true;
  return false;
}

function isWord(point: number | undefined): boolean {
  return point !== undefined
    && ((point >= 48 && point <= 57) || (point >= 65 && point <= 90) || point === 95 || (point >= 97 && point <= 122));
}

function holds(what: Assertion, before: number | undefined, after: number | undefined): boolean {
  switch (what) {
    case "bot": return before === undefined;
    case "eot": return after === undefined;
    case "bol": return before === undefined || before === 10;
    case "eol": return after === undefined || after === 10;
    case "word": return isWord(before) !== isWord(after);
    case "inside": return isWord(before) === isWord(after);
  }
}

/** Whether the pattern is found in the text, or, with `whole`, matches all of it. */
export function matches(node: Node, text: string, whole: boolean): boolean {
  const { steps, start } = compile(node);
  const points = Uint32Array.from(text, (c) => c.codePointAt(0) ?? 0);
  const seen = new Int32Array(steps.length).fill(-1);
  let threads: number[] = [];
  for (let at = 0; at <= points.length; at++) {
    const before = at > 0 ? points[at - 1] : undefined;
    const here = at < points.length ? points[at] : undefined;
    const taking: number[] = [];
    const stack = [...threads];
    if (!whole || at === 0) stack.push(start);
    while (stack.length > 0) {
      const index = stack.pop() as number;
      if (seen[index] === at) continue;
      seen[index] = at;
      const step = steps[index] as Step;
      if (step.op === "match") {
        if (!whole || at === points.length) return true;
      } else if (step.op === "take") {
        if (here !== undefined && inClass(step.set, here)) taking.push(step.next);
      } else if (step.op === "split") stack.push(...step.targets);
      else if (holds(step.what, before, here)) stack.push(step.next);
    }
    threads = taking;
    if (whole && threads.length === 0 && at > 0) return false;
  }
  return false;
}
