// Exact decimals: the numbers that graders read, their bounds, and comparison in integers.

export interface Decimal { readonly digits: bigint; readonly exponent: number }

const MAX_DIGITS = 100;
const MAX_EXPONENT = 400;

/** The value of a number by the syntax of numeric graders; null where it is out of bounds. */
export function decimalOf(sign: string, whole: string, fraction: string, exponent: string): Decimal | null {
  if (whole.length + fraction.length > MAX_DIGITS) return null;
  const bare = exponent.replace(/^[+-]/, "");
  if (bare.length > 3 || Number(bare) > MAX_EXPONENT) return null;
  const power = exponent === "" ? 0 : Number(exponent);
  const digits = BigInt((whole + fraction) || "0");
  return { digits: sign === "-" ? -digits : digits, exponent: power - fraction.length };
}

function at(d: Decimal, exponent: number): bigint {
  return d.digits * 10n ** BigInt(d.exponent - exponent);
}

export function sameDecimal(a: Decimal, b: Decimal): boolean {
  const low = Math.min(a.exponent, b.exponent);
  return at(a, low) === at(b, low);
}

function magnitude(n: bigint): bigint {
  return n < 0n ? -n : n;
}

/** |a - b| <= absolute + relative |b|, exactly. */
export function isNear(a: Decimal, b: Decimal, absolute: Decimal, relative: Decimal): boolean {
  const slack: Decimal = { digits: relative.digits * magnitude(b.digits), exponent: relative.exponent + b.exponent };
  const low = Math.min(a.exponent, b.exponent, absolute.exponent, slack.exponent);
  return magnitude(at(a, low) - at(b, low)) <= at(absolute, low) + at(slack, low);
}

/** A decimal string of the draft (not negative) as an exact value. */
export function fromDecimalString(text: string): Decimal {
  const [whole = "0", fraction = ""] = text.split(".");
  return { digits: BigInt(whole + fraction), exponent: -fraction.length };
}
