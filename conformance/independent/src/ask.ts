// Challenge, Answers and Stop: units in ticket order, outputs under commitments, how many count.
import { type Bytes, equal } from "./bytes.js";
import { itemCommitment, itemLeaf, outputCommitment } from "./commitments.js";
import { demand } from "./errors.js";
import type { Answers, Challenge, Stop } from "./messages.js";
import { contains } from "./population.js";
import { MAX_CONTENT, type TestSet } from "./registration.js";
import { answersSlots, emptyAnswerSize, readScript } from "./scripts.js";
import { type Blob, type Challenged, known, type Session } from "./session.js";
import { checkInclusion } from "./tree.js";
import { counted, parts, sized, silent, type Turn } from "./turns.js";

const KEY = 32n;

export function boundsSizes(sizes: readonly bigint[]): void {
  counted(sizes.length, 1, 1024);
  for (const size of sizes) demand(size <= BigInt(MAX_CONTENT), "TOO_LARGE", "a content above its limit");
}

export function boundsChallenge(m: Challenge): void {
  boundsSizes(m.units.map((u) => u.size));
  for (const unit of m.units) {
    sized(unit.prompt_commitment);
    sized(unit.reference_commitment);
    counted(unit.proof.length, 0, 64);
    unit.proof.forEach((h) => sized(h));
  }
  sized(m.stream_digest);
}

export function boundsAnswers(m: Answers): void {
  boundsSizes(m.answers.map((a) => a.size));
  for (const answer of m.answers) sized(answer.output_commitment);
  sized(m.stream_digest);
}

/** Each content within its cap, and several blobs together within that of a turn. */
export function checkCaps(sizes: readonly bigint[], cap: number, turnCap: number): void {
  for (const size of sizes) demand(size <= BigInt(cap), "OVER_CAP", "a content above its cap");
  const total = sizes.reduce((sum, size) => sum + size + KEY, 0n);
  demand(sizes.length <= 1 || total <= BigInt(turnCap), "OVER_CAP", "a turn above its cap");
}

export function mostUnits(batch: number, turnBytes: number, outputBytes: number): number {
  return Math.max(1, Math.min(batch, Math.floor(turnBytes / (outputBytes + 32))));
}

/** Which population each unit belongs to; each has to be the next of its population's order. */
function place(s: Session, units: Challenge["units"]): { populations: number[]; asked: number[] } {
  const asked = [...s.asked];
  const populations = units.map(({ item, sample }) => {
    const index = s.populations.findIndex((p) => contains(p.ranges, item));
    const population = s.populations[index];
    demand(population !== undefined, "WRONG_INDEX", "an item of no population");
    const at = asked[index] as number;
    demand(at < population.budget * s.width, "OVER_BUDGET", "a population whose budget is used up");
    const next = known(s.orders[index]?.[at]);
    demand(next.item === item && next.sample === sample, "WRONG_INDEX", "a unit that is not the next of its order");
    asked[index] = at + 1;
    return index;
  });
  demand(asked.every((n) => n % s.width === 0), "WRONG_UNITS", "a pair with one item challenged");
  return { populations, asked };
}

/** The prompt of a unit; null where it is withheld. */
function openedPrompt(set: TestSet, unit: Challenge["units"][number], blob: Blob | undefined): Bytes | null {
  const found = parts(blob);
  if (found === null) return null;
  const commitment = itemCommitment(found.key, set.owner, set.setId, unit.item, "prompt", found.content);
  demand(equal(commitment, unit.prompt_commitment), "BAD_OPENING", "a prompt that does not open its commitment");
  return found.content;
}

export function challenge(s: Session, m: Challenge): Turn {
  const terms = known(s.terms);
  const set = known(s.testSet);
  demand(m.units.length <= mostUnits(terms.batch, terms.caps.turn, terms.caps.output), "OVER_CAP", "more units than a turn may have");
  const { populations, asked } = place(s, m.units);
  checkCaps(m.units.map((u) => u.size), terms.caps.prompt, terms.caps.turn);
  for (const unit of m.units) {
    const leaf = itemLeaf(unit.prompt_commitment, unit.reference_commitment);
    checkInclusion(leaf, unit.item, BigInt(set.size), unit.proof, set.root);
  }
  return {
    sizes: m.units.map((u) => u.size + KEY),
    stream: m.stream_digest,
    content(blobs) {
      m.units.forEach((_, i) => {
        const prompt = openedPrompt(set, known(m.units[i]), blobs[i]);
        if (set.kind !== "script" || prompt === null) return;
        const slots = readScript(prompt);
        demand(emptyAnswerSize(slots) <= terms.caps.output, "OVER_CAP", "a script whose empty answers are above the cap");
      });
    },
    apply(blobs) {
      s.pendingFrom = s.challenged.length;
      const began = new Set<number>();
      m.units.forEach((unit, i) => {
        const population = populations[i] as number;
        if (!began.has(population)) s.lastBegan[population] = s.asked[population] as number;
        began.add(population);
        const prompt = parts(blobs[i])?.content ?? null;
        if (prompt === null) s.withheld.add(unit.item);
        const entry: Challenged = {
          item: unit.item, sample: unit.sample, population, prompt, answer: null, reference: null, claimed: null,
          promptCommitment: unit.prompt_commitment, referenceCommitment: unit.reference_commitment,
        };
        s.challenged.push(entry);
      });
      s.asked = asked;
    },
  };
}

export function answers(s: Session, m: Answers): Turn {
  const terms = known(s.terms);
  const units = s.challenged.slice(s.pendingFrom);
  demand(m.answers.length === units.length, "WRONG_UNITS", "another number of answers than of units");
  checkCaps(m.answers.map((a) => a.size), terms.caps.output, terms.caps.turn);
  return {
    sizes: m.answers.map((a) => a.size + KEY),
    stream: m.stream_digest,
    content(blobs) {
      units.forEach((unit, i) => {
        const blob = parts(blobs[i]);
        if (blob === null) return;
        const commitment = outputCommitment(blob.key, terms.exercise, unit.item, unit.sample, blob.content);
        demand(equal(commitment, known(m.answers[i]).output_commitment), "BAD_OPENING", "an output that does not open its commitment");
        if (known(s.testSet).kind !== "script" || unit.prompt === null) return;
        demand(answersSlots(blob.content, readScript(unit.prompt)), "WRONG_UNITS", "no answer for every slot of a script");
      });
    },
    apply(blobs) {
      units.forEach((unit, i) => {
        const output = parts(blobs[i])?.content ?? null;
        if (output === null) s.withheld.add(unit.item);
        unit.answer = { commitment: known(m.answers[i]).output_commitment, output };
      });
    },
  };
}

export function stop(s: Session, m: Stop): Turn {
  demand(m.counts.length === s.populations.length, "WRONG_UNITS", "another number of counts than of budgets");
  m.counts.forEach((count, i) => {
    demand(count >= 1n && count <= BigInt(s.asked[i] as number) / BigInt(s.width), "STOP_TOO_EARLY", "a count beyond what was challenged");
  });
  return silent(() => { s.counts = m.counts; });
}
