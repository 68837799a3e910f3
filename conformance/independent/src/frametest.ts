// The one-sided sequential test of the draft in exact integers, one observation at a time.
import type { Ratio } from "./schema.js";

/** E as an exact fraction, den > 0; infinite where den is 0. */
export interface Evidence { readonly num: bigint; readonly den: bigint }

export const INFINITE: Evidence = { num: 1n, den: 0n };

export function reaches(e: Evidence, alpha: Ratio): boolean {
  return e.den === 0n || e.num * alpha.p >= alpha.q * e.den;
}

export function larger(a: Evidence, b: Evidence): Evidence {
  if (a.den === 0n) return a;
  if (b.den === 0n) return b;
  return b.num * a.den > a.num * b.den ? b : a;
}

function binomial(n: bigint, k: bigint): bigint {
  if (k < 0n || n < 0n || k > n) return 0n;
  let out = 1n;
  for (let i = 0n; i < k; i++) out = (out * (n - i)) / (i + 1n);
  return out;
}

/** C(n, k) followed through steps of k. */
class Binomial {
  k = 0n;
  value = 1n;

  constructor(private readonly n: bigint) {}

  next(): void {
    this.value = this.k >= this.n ? 0n : (this.value * (this.n - this.k)) / (this.k + 1n);
    this.k++;
  }
}

/**
 * The test against "at most K0 successes among F units", optionally mixed with the point K*.
 *
 * With a = K0 + 1 and b = F - K0, the sum T over k = K0+1..F of C(k, s) C(F-k, f) counts the subsets of
 * n + 1 out of a + b places of which at most s lie among the first a. That count G follows from the one
 * before by a single product: (n+2) G' = (N-n-1) G - (s+1) C(a, s+1) C(b, n+1-s), with N = a + b.
 */
export class OneSided {
  s = 0n;
  f = 0n;
  private total: bigint;
  private readonly lowS: Binomial;
  private readonly lowF: Binomial;
  private readonly starS: Binomial | null;
  private readonly starF: Binomial | null;
  private readonly a: Binomial;
  private readonly b: Binomial;
  private readonly spread: bigint;
  private readonly all: bigint;

  constructor(readonly F: bigint, readonly K0: bigint, star: bigint | null) {
    this.spread = F - K0;
    this.all = F + 1n;
    this.lowS = new Binomial(K0);
    this.lowF = new Binomial(F - K0);
    const at = star === null ? null : star > K0 ? star : K0;
    this.starS = at === null ? null : new Binomial(at);
    this.starF = at === null ? null : new Binomial(F - at);
    this.a = new Binomial(K0 + 1n);
    this.a.next(); // C(a, s + 1)
    this.b = new Binomial(F - K0);
    this.b.next(); // C(b, n + 1 - s)
    this.total = F - K0; // G for n = 0, s = 0: one place, not among the first a
  }

  observe(success: boolean): void {
    const n = this.s + this.f;
    const edge = this.a.value * this.b.value;
    const kept = ((this.all - n - 1n) * this.total - (this.s + 1n) * edge) / (n + 2n);
    if (success) {
      // One success more may lie among the first a places; s and n both grow, so n + 1 - s stays.
      this.total = kept + edge;
      this.s++;
      this.a.next();
      this.lowS.next();
      this.starS?.next();
    } else {
      this.total = kept;
      this.f++;
      this.b.next();
      this.lowF.next();
      this.starF?.next();
    }
  }

  evidence(): Evidence {
    if (this.s > this.K0) return INFINITE;
    if (this.f > this.F - this.K0) return { num: 0n, den: 1n };
    const den = this.spread * this.lowS.value * this.lowF.value;
    if (this.starS === null || this.starF === null) return { num: this.total, den };
    return { num: this.starS.value * this.starF.value * this.spread + this.total, den: 2n * den };
  }
}

/** T by its definition, for tests. */
export function tailByDefinition(F: bigint, K0: bigint, s: bigint, f: bigint): bigint {
  let sum = 0n;
  for (let k = K0 + 1n; k <= F; k++) sum += binomial(k, s) * binomial(F - k, f);
  return sum;
}

function reduced(e: Evidence): Evidence {
  let a = e.num;
  let b = e.den;
  while (b !== 0n) [a, b] = [b, a % b];
  return a === 0n ? e : { num: e.num / a, den: e.den / a };
}

export function printEvidence(e: Evidence): string {
  if (e.den === 0n) return "infinite";
  const { num, den } = reduced(e);
  return den === 1n ? String(num) : `${num}/${den}`;
}

/** 1 / max(1, E). */
export function pValue(e: Evidence): Evidence {
  if (e.den === 0n) return { num: 0n, den: 1n };
  return e.num > e.den ? reduced({ num: e.den, den: e.num }) : { num: 1n, den: 1n };
}

/** The least multiple of 10^-12 not below p, in shortest decimal form. */
export function printP(p: Evidence): string {
  const scale = 10n ** 12n;
  const units = (p.num * scale + p.den - 1n) / p.den;
  if (units >= scale) return "1";
  if (units === 0n) return "0";
  return "0." + units.toString().padStart(12, "0").replace(/0+$/, "");
}

const BITS = 192n;
const ONE = 1n << BITS;

/** Whether a run of `n` successes and nothing else makes the test cross at alpha. */
export function crossesOnSuccesses(F: bigint, K0: bigint, star: bigint | null, alpha: Ratio, n: bigint): boolean {
  if (n > K0) return true;
  // E grows with n, so the value after n decides. With R = prod (F-i)/(K0-i) over i < n,
  // E = ((F+1) R - (K0+1)) / ((n+1) (F-K0)); with K*, half of that and half prod (K*-i)/(K0-i).
  const at = star === null ? null : star > K0 ? star : K0;
  let [low, high, pointLow, pointHigh] = [ONE, ONE, ONE, ONE];
  for (let i = 0n; i < n; i++) {
    const d = K0 - i;
    low = (low * (F - i)) / d;
    high = (high * (F - i)) / d + 1n;
    if (at !== null) {
      pointLow = (pointLow * (at - i)) / d;
      pointHigh = (pointHigh * (at - i)) / d + 1n;
    }
  }
  const share = (n + 1n) * (F - K0);
  const value = (r: bigint, point: bigint): Evidence => {
    const num = (F + 1n) * r - (K0 + 1n) * ONE;
    return at === null ? { num, den: share * ONE } : { num: num + share * point, den: 2n * share * ONE };
  };
  if (reaches(value(low, pointLow), alpha)) return true;
  if (!reaches(value(high, pointHigh), alpha)) return false;
  const exact = new OneSided(F, K0, star);
  for (let i = 0n; i < n; i++) exact.observe(true);
  return reaches(exact.evidence(), alpha);
}
