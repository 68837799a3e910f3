// Patterns: RE2's syntax as the draft narrows it, read into a tree and compiled for a linear-time machine.
import { codePoints, utf8 } from "./bytes.js";

/** Sorted, disjoint, inclusive ranges of code points. */
export type Class = readonly (readonly [number, number])[];

export type Assertion = "bot" | "eot" | "bol" | "eol" | "word" | "inside";

export type Node =
  | { readonly kind: "empty" }
  | { readonly kind: "class"; readonly set: Class }
  | { readonly kind: "assert"; readonly what: Assertion }
  | { readonly kind: "cat"; readonly parts: readonly Node[] }
  | { readonly kind: "alt"; readonly parts: readonly Node[] }
  | { readonly kind: "repeat"; readonly inner: Node; readonly least: number; readonly most: number | null };

export class BadPattern extends Error {}

const LAST = 0x10ffff;
const MAX_SIZE = 4096;
const MAX_REPEAT = 1000;
const MAX_NESTING = 200;

function normal(set: Class): Class {
  const sorted = [...set].sort((a, b) => a[0] - b[0]);
  const out: [number, number][] = [];
  for (const [from, to] of sorted) {
    const last = out[out.length - 1];
    if (last !== undefined && from <= last[1] + 1) last[1] = Math.max(last[1], to);
    else out.push([from, to]);
  }
  return out;
}

function negate(set: Class): Class {
  const out: [number, number][] = [];
  let at = 0;
  for (const [from, to] of normal(set)) {
    if (from > at) out.push([at, from - 1]);
    at = to + 1;
  }
  if (at <= LAST) out.push([at, LAST]);
  return out;
}

const DIGIT: Class = [[48, 57]];
const WORD: Class = [[48, 57], [65, 90], [95, 95], [97, 122]];
const SPACE: Class = [[9, 10], [12, 13], [32, 32]];
const POSIX: Readonly<Record<string, Class>> = {
  alnum: [[48, 57], [65, 90], [97, 122]], alpha: [[65, 90], [97, 122]], ascii: [[0, 127]],
  blank: [[9, 9], [32, 32]], cntrl: [[0, 31], [127, 127]], digit: DIGIT, graph: [[33, 126]],
  lower: [[97, 122]], print: [[32, 126]], punct: [[33, 47], [58, 64], [91, 96], [123, 126]],
  space: [[9, 13], [32, 32]], upper: [[65, 90]], word: WORD, xdigit: [[48, 57], [65, 70], [97, 102]],
};
const LITERAL: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, a: 7 };

function perlClass(letter: string): Class | null {
  switch (letter) {
    case "d": return DIGIT;
    case "D": return negate(DIGIT);
    case "s": return SPACE;
    case "S": return negate(SPACE);
    case "w": return WORD;
    case "W": return negate(WORD);
    default: return null;
  }
}

function isPunctuation(c: string): boolean {
  return /^[!-/:-@[-`{-~]$/.test(c);
}

interface Flags { readonly dotAll: boolean; readonly lines: boolean }
/** A part with its size, and what its counted repetitions come to together. */
interface Sized { readonly node: Node; readonly size: number; readonly counts: number }

class Parser {
  private at = 0;
  private depth = 0;
  private readonly chars: readonly string[];

  constructor(pattern: string) {
    this.chars = [...pattern];
  }

  parse(): Node {
    const { node, size } = this.alternatives({ dotAll: false, lines: false });
    if (this.at < this.chars.length) throw new BadPattern("a parenthesis too many");
    if (size > MAX_SIZE) throw new BadPattern("too large");
    return node;
  }

  private get next(): string | undefined {
    return this.chars[this.at];
  }

  private alternatives(flags: Flags): Sized {
    if (++this.depth > MAX_NESTING) throw new BadPattern("nested too deep");
    const parts: Node[] = [];
    let size = 0;
    let counts = 1;
    for (;;) {
      const part = this.sequence(flags);
      parts.push(part.node);
      size += part.size;
      counts = Math.max(counts, part.counts);
      if (this.next !== "|") break;
      this.at++;
      size++;
    }
    this.depth--;
    return { node: parts.length === 1 ? parts[0] as Node : { kind: "alt", parts }, size, counts };
  }

  private sequence(flags: Flags): Sized {
    const parts: Node[] = [];
    let total = 0;
    let most = 1;
    while (this.next !== undefined && this.next !== "|" && this.next !== ")") {
      const from = this.at;
      let { node, size, counts } = this.atom(flags);
      const repeat = this.repetition();
      if (repeat !== null) {
        node = { kind: "repeat", inner: node, least: repeat.least, most: repeat.most };
        const times = Math.max(1, repeat.most ?? repeat.least);
        size = repeat.counted ? size * times : size + 1;
        if (repeat.counted) counts *= times;
        if (counts > MAX_REPEAT) throw new BadPattern("a count out of bounds");
        if (this.next === "?") {
          this.at++;
          size++;
        }
        if (this.peekRepetition()) throw new BadPattern("a repetition of a repetition");
      }
      if (this.at === from) throw new BadPattern("stuck");
      parts.push(node);
      total += size;
      most = Math.max(most, counts);
      if (total > MAX_SIZE) throw new BadPattern("too large");
    }
    return { node: parts.length === 0 ? { kind: "empty" } : { kind: "cat", parts }, size: total, counts: most };
  }

  private counts(): { least: number; most: number | null; length: number } | null {
    const found = /^\{([0-9]{1,9})(,([0-9]{0,9}))?\}/.exec(this.chars.slice(this.at, this.at + 22).join(""));
    if (found === null) return null;
    const least = Number(found[1]);
    const most = found[2] === undefined ? least : found[3] === "" ? null : Number(found[3]);
    return { least, most, length: found[0].length };
  }

  private peekRepetition(): boolean {
    const c = this.next;
    return c === "*" || c === "+" || c === "?" || (c === "{" && this.counts() !== null);
  }

  private repetition(): { least: number; most: number | null; counted: boolean } | null {
    switch (this.next) {
      case "*": this.at++; return { least: 0, most: null, counted: false };
      case "+": this.at++; return { least: 1, most: null, counted: false };
      case "?": this.at++; return { least: 0, most: 1, counted: false };
      case "{": {
        const found = this.counts();
        if (found === null) return null;
        if (found.least > MAX_REPEAT || (found.most ?? 0) > MAX_REPEAT || (found.most !== null && found.most < found.least)) {
          throw new BadPattern("a count out of bounds");
        }
        this.at += found.length;
        return { least: found.least, most: found.most, counted: true };
      }
      default: return null;
    }
  }

  private atom(flags: Flags): Sized {
    const c = this.chars[this.at++] as string;
    const one = (node: Node): Sized => ({ node, size: 1, counts: 1 });
    switch (c) {
      case "(": return this.group(flags);
      case "[": return this.bracket();
      case ".": return one({ kind: "class", set: flags.dotAll ? [[0, LAST]] : negate([[10, 10]]) });
      case "^": return one({ kind: "assert", what: flags.lines ? "bol" : "bot" });
      case "$": return one({ kind: "assert", what: flags.lines ? "eol" : "eot" });
      case "*": case "+": case "?": throw new BadPattern("a repetition of nothing");
      case "\\": return { node: this.escape(), size: 2, counts: 1 };
      default: {
        const point = c.codePointAt(0) ?? 0;
        return one({ kind: "class", set: [[point, point]] });
      }
    }
  }

  private group(flags: Flags): Sized {
    let inner = flags;
    const opening = 2;
    if (this.next === "?") {
      const found = /^\?(s?m?|):/.exec(this.chars.slice(this.at, this.at + 4).join(""));
      const letters = found?.[1];
      if (letters === undefined || found === null) throw new BadPattern("a group of another kind");
      inner = { dotAll: flags.dotAll || letters.includes("s"), lines: flags.lines || letters.includes("m") };
      this.at += found[0].length;
    }
    const { node, size, counts } = this.alternatives(inner);
    if (this.next !== ")") throw new BadPattern("a parenthesis too few");
    this.at++;
    return { node, size: size + opening, counts };
  }

  private escape(): Node {
    const c = this.chars[this.at++];
    if (c === undefined) throw new BadPattern("a backslash at the end");
    const set = perlClass(c);
    if (set !== null) return { kind: "class", set };
    switch (c) {
      case "b": return { kind: "assert", what: "word" };
      case "B": return { kind: "assert", what: "inside" };
      case "A": return { kind: "assert", what: "bot" };
      case "z": return { kind: "assert", what: "eot" };
    }
    const point = LITERAL[c] ?? (isPunctuation(c) ? c.charCodeAt(0) : undefined);
    if (point === undefined) throw new BadPattern("an unknown escape");
    return { kind: "class", set: [[point, point]] };
  }

  /** A single character of a bracket expression, or a class in it. */
  private member(): number | Class {
    const c = this.chars[this.at++];
    if (c === undefined) throw new BadPattern("a bracket that does not end");
    if (c !== "\\") return c.codePointAt(0) ?? 0;
    const letter = this.chars[this.at++];
    if (letter === undefined) throw new BadPattern("a backslash at the end");
    const point = LITERAL[letter] ?? (isPunctuation(letter) ? letter.charCodeAt(0) : undefined);
    const found = point ?? perlClass(letter);
    if (found === null) throw new BadPattern("an unknown escape");
    return found;
  }

  private posix(): Class | null {
    const found = /^\[:(\^?)([a-z]+):\]/.exec(this.chars.slice(this.at, this.at + 12).join(""));
    if (found === null) return null;
    const set = POSIX[found[2] ?? ""];
    if (set === undefined) throw new BadPattern("an unknown class");
    this.at += found[0].length;
    return found[1] === "^" ? negate(set) : set;
  }

  private bracket(): Sized {
    const from = this.at - 1;
    const set: (readonly [number, number])[] = [];
    const negated = this.next === "^";
    if (negated) this.at++;
    for (let first = true; first || this.next !== "]"; first = false) {
      if (this.next === undefined) throw new BadPattern("a bracket that does not end");
      const posix = this.posix();
      if (posix !== null) {
        set.push(...posix);
        continue;
      }
      // RE2 takes a hyphen for itself at the begin and at the end of a bracket only.
      if (this.next === "-" && !first && this.chars[this.at + 1] !== "]") throw new BadPattern("a stray hyphen");
      const low = this.member();
      if (typeof low !== "number") {
        set.push(...low);
        continue;
      }
      let high: number = low;
      if (this.next === "-" && this.chars[this.at + 1] !== "]" && this.chars[this.at + 1] !== undefined) {
        this.at++;
        const end = this.member();
        if (typeof end !== "number" || end < low) throw new BadPattern("a broken range");
        high = end;
      }
      set.push([low, high]);
    }
    this.at++;
    return { node: { kind: "class", set: negated ? negate(set) : normal(set) }, size: this.at - from, counts: 1 };
  }
}

/** Reads a pattern; throws BadPattern where the draft does not allow it. */
export function parsePattern(pattern: string, ignoreCase: boolean): Node {
  const length = utf8(pattern).length;
  if (length < 1 || length > 1024 || codePoints(pattern) < 1) throw new BadPattern("a pattern of another length");
  if (ignoreCase && /[A-Z]/.test(pattern.replace(/\\[^]/g, ""))) throw new BadPattern("a capital letter");
  return new Parser(pattern).parse();
}
