// JSON as an output may hold it: any white space, numbers as exact decimals, for the json_field grader.
import { type Bytes, fromUtf8 } from "./bytes.js";
import { type Decimal, decimalOf } from "./decimal.js";

export type Free = null | boolean | string | { readonly number: Decimal } | Free[] | Map<string, Free>;

class Unreadable extends Error {}

const MAX_DEPTH = 32;

function fail(): never {
  throw new Unreadable();
}

class Reader {
  private at = 0;

  constructor(private readonly text: string) {}

  document(): Free {
    const value = this.value(0);
    this.space();
    return this.at === this.text.length ? value : fail();
  }

  private space(): void {
    while (/^[ \t\r\n]$/.test(this.text[this.at] ?? "")) this.at++;
  }

  private word(word: string, value: Free): Free {
    if (!this.text.startsWith(word, this.at)) fail();
    this.at += word.length;
    return value;
  }

  private value(depth: number): Free {
    this.space();
    switch (this.text[this.at]) {
      case "{": return this.object(depth + 1);
      case "[": return this.array(depth + 1);
      case '"': return this.string();
      case "t": return this.word("true", true);
      case "f": return this.word("false", false);
      case "n": return this.word("null", null);
      default: return this.number();
    }
  }

  private number(): Free {
    const form = /(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?/y;
    form.lastIndex = this.at;
    const found = form.exec(this.text);
    if (found === null) fail();
    this.at += found[0].length;
    const value = decimalOf(found[1] ?? "", found[2] ?? "", found[3] ?? "", found[4] ?? "");
    return value === null ? fail() : { number: value };
  }

  private string(): string {
    const end = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;
    end.lastIndex = this.at;
    const found = end.exec(this.text)?.[0];
    if (found === undefined) fail();
    this.at += found.length;
    const value = JSON.parse(found) as string;
    return value.isWellFormed() ? value : fail();
  }

  private array(depth: number): Free {
    if (depth > MAX_DEPTH) fail();
    this.at++;
    const out: Free[] = [];
    this.space();
    if (this.text[this.at] === "]") return this.at++, out;
    for (;;) {
      out.push(this.value(depth));
      this.space();
      const c = this.text[this.at++];
      if (c === "]") return out;
      if (c !== ",") fail();
    }
  }

  private object(depth: number): Free {
    if (depth > MAX_DEPTH) fail();
    this.at++;
    const out = new Map<string, Free>();
    this.space();
    if (this.text[this.at] === "}") return this.at++, out;
    for (;;) {
      this.space();
      if (this.text[this.at] !== '"') fail();
      const key = this.string();
      if (out.has(key)) fail();
      this.space();
      if (this.text[this.at++] !== ":") fail();
      out.set(key, this.value(depth));
      this.space();
      const c = this.text[this.at++];
      if (c === "}") return out;
      if (c !== ",") fail();
    }
  }
}

/** One JSON text; undefined for anything unreadable. */
export function readFree(bytes: Bytes): Free | undefined {
  const text = fromUtf8(bytes);
  if (text === null || text.startsWith("\ufeff")) return undefined;
  try {
    return new Reader(text).document();
  } catch (error) {
    if (error instanceof Unreadable || error instanceof RangeError) return undefined;
    throw error;
  }
}
