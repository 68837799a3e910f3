// Results that an audited receipt claims: where each unit stands under the receipt's root.
import { u64 } from "./bytes.js";
import { demand } from "./errors.js";
import { mac } from "./framing.js";
import type { ClaimedResult } from "./messages.js";
import { type Challenged, known, type Session } from "./session.js";
import { claimsOver, UNANSWERED } from "./results.js";
import { checkInclusion, leafHash } from "./tree.js";
import { counted, sized } from "./turns.js";

export function boundsResults(results: readonly ClaimedResult[]): void {
  counted(results.length, 0, 1024);
  for (const result of results) {
    sized(result.key);
    counted(result.proof.length, 0, 64);
    result.proof.forEach((h) => sized(h));
  }
}

/** The place of a unit among those of all populations: by budget, then item, then sample. */
function placeOf(s: Session, unit: Challenged): bigint {
  let place = 0n;
  for (const p of s.populations.slice(0, unit.population)) place += p.size;
  const samples = BigInt(known(s.terms).samples);
  for (const [from, to] of known(s.populations[unit.population]).ranges) {
    if (unit.item < to) return place + (unit.item - from) * samples + BigInt(unit.sample);
    place += (to - from) * samples;
  }
  throw new Error("a unit of no population");
}

/** The results beside references: one for each in an audit, and none elsewhere. */
export function checkResults(s: Session, units: readonly Challenged[], references: number, results: readonly ClaimedResult[]): void {
  const { audited } = known(s.terms);
  demand(results.length === (audited === null ? 0 : references), "WRONG_UNITS", "another number of results than of references");
  if (audited === null) return;
  const size = s.populations.reduce((sum, p) => sum + p.size, 0n);
  results.forEach(({ codes, key, proof }, i) => {
    const unit = known(units[i]);
    const fits = codes.length === claimsOver(s, unit.population).length && codes.every((code) => code <= UNANSWERED);
    demand(fits, "WRONG_RESULT_BITS", "codes that are not one for every claim");
    const place = placeOf(s, unit);
    const leaf = leafHash(mac(key, "result-bit", audited.exercise, u64(place), codes));
    checkInclusion(leaf, place, size, proof, audited.resultRoot);
  });
}
