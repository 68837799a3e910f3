// Risks added up over the exercises that the terms name and this one.
import { measuredClaims } from "./claims.js";
import type { Json } from "./json.js";
import { gcd, type Ratio } from "./schema.js";
import type { Terms } from "./terms.js";

/** The sum, at most 1/1, in lowest terms. */
function total(risks: readonly Ratio[]): string {
  let [p, q] = [0n, 1n];
  for (const risk of risks) [p, q] = [p * risk.q + risk.p * q, q * risk.q];
  if (p >= q) return "1/1";
  const common = gcd(p, q);
  return `${p / common}/${q / common}`;
}

/** The predicate's `spent`, where the terms have prior exercises; a sealed exercise risks nothing itself. */
export function spentJson(terms: Terms): { spent?: Json } {
  if (terms.prior === null) return {};
  const own = terms.mode === "open" ? measuredClaims(terms) : [];
  return {
    spent: {
      exercises: terms.prior.map((e) => e.exercise),
      alpha_compliant: total([...terms.prior, ...own].map((x) => x.alphaCompliant)),
      alpha_violation: total([...terms.prior, ...own].map((x) => x.alphaViolation)),
    },
  };
}
