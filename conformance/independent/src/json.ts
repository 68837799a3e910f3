// RFC 8785 JSON, restricted: integers only, no duplicate keys, 32 levels; strict reading and writing.
import { type Bytes, fromUtf8, utf8 } from "./bytes.js";
import { demand, refuse } from "./errors.js";

export type Json = null | boolean | number | string | Json[] | JsonObject;
export interface JsonObject { readonly [key: string]: Json }

const MAX_DEPTH = 32;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t",
};

export function isObject(value: Json | undefined): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function writeString(text: string): string {
  let out = '"';
  for (let i = 0; i < text.length; i++) {
    const c = text[i] ?? "";
    const code = text.charCodeAt(i);
    if (ESCAPES[c] !== undefined) out += ESCAPES[c];
    else if (code < 0x20) out += "\\u" + code.toString(16).padStart(4, "0");
    else out += c;
  }
  return out + '"';
}

function write(value: Json): string {
  if (value === null || typeof value === "boolean") return String(value);
  if (typeof value === "number") {
    if (!Number.isSafeInteger(value)) throw new RangeError("no integer");
    return String(value === 0 ? 0 : value);
  }
  if (typeof value === "string") return writeString(value);
  if (Array.isArray(value)) return "[" + value.map(write).join(",") + "]";
  // The order of RFC 8785 is that of UTF-16 code units, which is the order of < on strings.
  const keys = Object.keys(value).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  return "{" + keys.map((k) => writeString(k) + ":" + write(value[k] ?? null)).join(",") + "}";
}

export function canonical(value: Json): Bytes {
  return utf8(write(value));
}

class Reader {
  private at = 0;

  constructor(private readonly text: string) {}

  document(): Json {
    const value = this.value(0);
    this.space();
    demand(this.at === this.text.length, "MALFORMED", "something after the JSON text");
    return value;
  }

  private space(): void {
    while (this.at < this.text.length && " \t\n\r".includes(this.text[this.at] ?? "x")) this.at++;
  }

  private expect(token: string): void {
    demand(this.text.startsWith(token, this.at), "MALFORMED", "not JSON");
    this.at += token.length;
  }

  private value(depth: number): Json {
    demand(depth <= MAX_DEPTH, "MALFORMED", "nested too deep");
    this.space();
    const c = this.text[this.at];
    if (c === "{") return this.object(depth + 1);
    if (c === "[") return this.array(depth + 1);
    if (c === '"') return this.string();
    if (c === "t") return this.expect("true"), true;
    if (c === "f") return this.expect("false"), false;
    if (c === "n") return this.expect("null"), null;
    return this.number();
  }

  private number(): number {
    const found = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y;
    found.lastIndex = this.at;
    const text = found.exec(this.text)?.[0];
    if (text === undefined) refuse("MALFORMED", "not JSON");
    this.at += text.length;
    demand(/^-?[0-9]{1,17}$/.test(text), "MALFORMED", "a number that is no integer in bounds");
    const value = Number(text);
    demand(Number.isSafeInteger(value), "MALFORMED", "an integer out of bounds");
    return value;
  }

  private string(): string {
    this.at++;
    let out = "";
    for (;;) {
      const c = this.text[this.at];
      if (c === undefined || c < " ") refuse("MALFORMED", "a string that does not end");
      this.at++;
      if (c === '"') break;
      out += c === "\\" ? this.escape() : c;
    }
    demand(out.isWellFormed(), "MALFORMED", "a lone surrogate");
    return out;
  }

  private escape(): string {
    const c = this.text[this.at++];
    switch (c) {
      case '"': case "\\": case "/": return c;
      case "b": return "\b";
      case "f": return "\f";
      case "n": return "\n";
      case "r": return "\r";
      case "t": return "\t";
      case "u": {
        const digits = this.text.slice(this.at, this.at + 4);
        demand(/^[0-9a-fA-F]{4}$/.test(digits), "MALFORMED", "a broken escape");
        this.at += 4;
        return String.fromCharCode(parseInt(digits, 16));
      }
      default: return refuse("MALFORMED", "an unknown escape");
    }
  }

  private array(depth: number): Json[] {
    this.at++;
    const out: Json[] = [];
    this.space();
    if (this.text[this.at] === "]") return this.at++, out;
    for (;;) {
      out.push(this.value(depth));
      this.space();
      if (this.text[this.at] === "]") return this.at++, out;
      this.expect(",");
    }
  }

  private object(depth: number): JsonObject {
    this.at++;
    const out = Object.create(null) as Record<string, Json>;
    this.space();
    if (this.text[this.at] === "}") return this.at++, out;
    for (;;) {
      this.space();
      demand(this.text[this.at] === '"', "MALFORMED", "not JSON");
      const key = this.string();
      demand(!(key in out), "MALFORMED", "a key that stands twice");
      this.space();
      this.expect(":");
      out[key] = this.value(depth);
      this.space();
      if (this.text[this.at] === "}") return this.at++, out;
      this.expect(",");
    }
  }
}

/** Reads canonical JSON; anything else is MALFORMED or NOT_CANONICAL. */
export function parse(bytes: Bytes, limit: number): Json {
  demand(bytes.length <= limit, "TOO_LARGE", "a JSON text above its limit");
  const text = fromUtf8(bytes);
  if (text === null) refuse("MALFORMED", "not UTF-8");
  const value = new Reader(text).document();
  demand(write(value) === text, "NOT_CANONICAL", "JSON in another form than RFC 8785's");
  return value;
}
