// A second, independent recomputation of a verdict, from what `parley show --units RECORD` prints, on standard
// input: the terms, the verdict, and for every sampled claim its plan and its results in ticket order, either
//   {"id", "frame", "threshold", "declared": K* or null, "budget", "bits": 0, 1 or ? each} or, for a graded claim,
//   {"id", "size", "top", "threshold", "budget", "scores": points or null each},
// with "claimed": 0 or 1 each where a receipt is audited, and "reproduced": 0 or 1 each, or null where no chamber ran. A list of such documents is decided one by one.
// It checks no signature and no commitment: `parley check` does. It decides every claim again by the plain sums
// and products of the specification in BigInt, with its bounds and p-values, then the profile, importing
// nothing, and says where it disagrees: exit code 1.

const ASSURANCE = ["declared", "re-executed", "neutral-operator", "attested", "proven"];
const SPOILED = ["fail", "refuse", "invalid"];
const BETS = [1n, 2n, 4n, 8n, 16n, 24n, 30n]; // in 32nds
const ONE = 1n << 64n;
const rows = [[1n]];

function choose(n, k) {
  if (k < 0 || k > n) return 0n;
  while (rows.length <= n) {
    const last = rows[rows.length - 1];
    const next = [1n];
    for (let i = 1; i < last.length; i += 1) next.push(last[i - 1] + last[i]);
    next.push(1n);
    rows.push(next);
  }
  return rows[n][k];
}

// E against "at most nullCount successes" after s successes and f failures, as [numerator, denominator]; null is infinite.
function evidence(frame, nullCount, declared, s, f) {
  if (s > nullCount) return null;
  const weight = (k) => choose(k, s) * choose(frame - k, f);
  const under = weight(nullCount);
  if (under === 0n) return [0n, 1n];
  const alternatives = BigInt(frame - nullCount);
  let above = 0n;
  for (let k = nullCount + 1; k <= frame; k += 1) above += weight(k);
  if (declared === null) return [above, alternatives * under];
  return [above + weight(Math.max(declared, nullCount)) * alternatives, 2n * alternatives * under];
}

const ratio = (text) => text.split("/").map(BigInt);
const crosses = (e, [alphaNum, alphaDen]) => e === null || e[0] * alphaNum >= e[1] * alphaDen;
const below = ([a, b], [c, d]) => a * d <= c * b;

// Every E along a path of hits and misses, as [hit, E].
function* along(frame, nullCount, declared, hits) {
  let [s, f] = [0, 0];
  for (const hit of hits) {
    if (hit) s += 1;
    else f += 1;
    yield [hit, evidence(frame, nullCount, declared, s, f)];
  }
}

// The anytime-valid p-value of a path, as [numerator, denominator].
function pValue(frame, nullCount, declared, hits) {
  let least = [1n, 1n];
  for (const [hit, e] of along(frame, nullCount, declared, hits)) {
    if (e === null) return [0n, 1n];
    if (hit && e[0] > 0n && below([e[1], e[0]], least)) least = [e[1], e[0]];
  }
  return least;
}

// The least count that no success of the path rejects; a rejected count has every smaller one rejected.
function leastCount(frame, declared, alpha, hits) {
  let [low, high] = [hits.filter(Boolean).length, frame];
  while (low < high) {
    const middle = (low + high) >> 1;
    const rejected = [...along(frame, middle, declared, hits)].some(([hit, e]) => hit && crosses(e, alpha));
    if (rejected) low = middle + 1;
    else high = middle;
  }
  return low;
}

// The least multiple of 10^-12 that is not below a fraction, at most 1, in its shortest spelling.
function decimal([num, den]) {
  const scaled = (num * 10n ** 12n + den - 1n) / den;
  if (scaled >= 10n ** 12n) return "1";
  return scaled === 0n ? "0" : `0.${scaled.toString().padStart(12, "0")}`.replace(/0+$/, "");
}

// One claim about a rate: its own crossing. With a chamber the run stops where it stopped without, decided or not.
const counting = {
  values: (unit) => [...unit.bits].map((bit) => (bit === "?" ? null : Number(bit))),
  worst: 0,
  decide(unit, claim, values, last) {
    const [alphaC, alphaV] = [ratio(claim.alpha_compliant), ratio(claim.alpha_violation)];
    let [ones, zeros] = [0, 0];
    for (let n = 1; n <= Math.min(values.length, last); n += 1) {
      if (values[n - 1] === 1) ones += 1;
      if (values[n - 1] === 0) zeros += 1;
      const met = crosses(evidence(unit.frame, unit.threshold - 1, unit.declared, ones, n - ones), alphaC);
      const missed = crosses(evidence(unit.frame, unit.frame - unit.threshold, null, zeros, n - zeros), alphaV);
      if (met || missed || n === unit.budget || n === last) {
        const test = met === missed ? "INCONCLUSIVE" : met ? "COMPLIANT" : "VIOLATION";
        return { test, counted: n, successes: ones, failures: zeros };
      }
    }
    return { test: "OPEN", counted: values.length, successes: ones, failures: zeros };
  },
  figures(unit, claim, values) {
    const confirmed = values.map((value) => value === 1);
    const refuted = values.map((value) => value === 0);
    const alphas = [ratio(claim.alpha_compliant), ratio(claim.alpha_violation)];
    return {
      population: unit.frame,
      threshold_count: unit.threshold,
      declared_count: unit.declared === null ? 0 : unit.declared,
      count_low: leastCount(unit.frame, unit.declared, alphas[0], confirmed),
      count_high: unit.frame - leastCount(unit.frame, null, alphas[1], refuted),
      p_compliant_at_most: decimal(pValue(unit.frame, unit.threshold - 1, unit.declared, confirmed)),
      p_violation_at_most: decimal(this.accusation(unit, values)),
    };
  },
  accusation: (unit, values) =>
    pValue(unit.frame, unit.frame - unit.threshold, null, values.map((value) => value === 0)),
};

// One claim of an audited receipt: claimed results in unit.claimed, the receipt's count in unit.count.
const comparing = {
  ...counting,
  honest: (unit, values) => values.map((value, n) => !(unit.claimed[n] === "1" && value !== 1)),
  nullCount: (unit) => unit.frame - unit.count + unit.threshold - 1,
  decide(unit, claim, values, last) {
    const [alphaC, alphaV] = [ratio(claim.alpha_compliant), ratio(claim.alpha_violation)];
    const honest = this.honest(unit, values);
    let [kept, ones, zeros] = [0, 0, 0];
    for (let n = 1; n <= Math.min(values.length, last); n += 1) {
      if (honest[n - 1]) kept += 1;
      if (values[n - 1] === 1) ones += 1;
      if (values[n - 1] === 0) zeros += 1;
      const met = crosses(evidence(unit.frame, this.nullCount(unit), unit.frame, kept, n - kept), alphaC);
      const missed = crosses(evidence(unit.frame, unit.frame - unit.threshold, null, zeros, n - zeros), alphaV);
      if (met || missed || n === unit.budget || n === last) {
        const test = met === missed ? "INCONCLUSIVE" : met ? "COMPLIANT" : "VIOLATION";
        return { test, counted: n, successes: ones, failures: zeros };
      }
    }
    return { test: "OPEN", counted: values.length, successes: ones, failures: zeros };
  },
  figures(unit, claim, values) {
    const honest = this.honest(unit, values);
    const overstated = unit.frame - leastCount(unit.frame, unit.frame, ratio(claim.alpha_compliant), honest);
    const least = Math.max(unit.count - overstated, values.filter((value) => value === 1).length);
    return {
      ...counting.figures(unit, claim, values),
      count_low: least,
      p_compliant_at_most: decimal(pValue(unit.frame, this.nullCount(unit), unit.frame, honest)),
    };
  },
  // The second axis, over every challenged unit.
  integrity(unit, claim, values, counted, [num, den]) {
    const tolerated = Number((num * BigInt(unit.frame)) / den);
    const wrong = values.map((value, n) => value !== null && String(value) !== unit.claimed[n]);
    let breached = false;
    for (const [, e] of along(unit.frame, tolerated, null, wrong)) {
      breached = breached || crosses(e, ratio(claim.alpha_violation));
      if (e === null) break;
    }
    const mismatches = wrong.filter(Boolean).length;
    return {
      claimed: unit.count,
      overstated: this.honest(unit, values).slice(0, counted).filter((kept) => !kept).length,
      mismatches,
      tolerated,
      integrity: breached ? "BREACHED" : mismatches ? "WITHIN-TOLERANCE" : "INTACT",
      p_integrity_at_most: decimal(pValue(unit.frame, tolerated, null, wrong)),
    };
  },
};

// The products against "the total is at most nullTotal" along a path of scores: their sum after each, null once certain.
function* wealth(size, nullTotal, scores) {
  let products = BETS.map(() => ONE);
  let total = 0n;
  let left = BigInt(size);
  for (const score of scores.map(BigInt)) {
    const room = nullTotal - total;
    products = products.map((one, n) =>
      room > 0n
        ? (one * ((32n - BETS[n]) * room + BETS[n] * score * left)) / (32n * room)
        : (one * (32n - BETS[n])) / 32n,
    );
    total += score;
    left -= 1n;
    yield total > nullTotal ? null : products.reduce((a, b) => a + b);
  }
}

const enough = (sum, [num, den]) => sum === null || sum * num >= BigInt(BETS.length) * ONE * den;

function pOfWealth(size, nullTotal, scores) {
  let most = ONE * BigInt(BETS.length);
  for (const sum of wealth(size, nullTotal, scores)) {
    if (sum === null) return [0n, 1n];
    if (sum > most) most = sum;
  }
  return [ONE * BigInt(BETS.length), most];
}

function leastTotal(unit, alpha, scores) {
  let low = scores.reduce((a, b) => a + BigInt(b), 0n);
  let high = BigInt(unit.size * unit.top);
  while (low < high) {
    const middle = (low + high) >> 1n;
    if ([...wealth(unit.size, middle, scores)].some((sum) => enough(sum, alpha))) low = middle + 1n;
    else high = middle;
  }
  return Number(low);
}

// One claim about points.
const scoring = {
  values: (unit) => unit.scores,
  worst: 0,
  paths: (unit, values) => [
    values.map((score) => score ?? 0),
    values.map((score) => (score === null ? 0 : unit.top - score)),
  ],
  nulls: (unit) => [BigInt(unit.threshold - 1), BigInt(unit.size * unit.top - unit.threshold)],
  decide(unit, claim, values, last) {
    const [up, down] = this.paths(unit, values).map((path, n) => [...wealth(unit.size, this.nulls(unit)[n], path)]);
    let total = 0;
    for (let n = 1; n <= Math.min(values.length, last); n += 1) {
      total += values[n - 1] ?? 0;
      const met = enough(up[n - 1], ratio(claim.alpha_compliant));
      const missed = enough(down[n - 1], ratio(claim.alpha_violation));
      if (met || missed || n === unit.budget || n === last) {
        return { test: met === missed ? "INCONCLUSIVE" : met ? "COMPLIANT" : "VIOLATION", counted: n, total };
      }
    }
    return { test: "OPEN", counted: values.length, total };
  },
  figures(unit, claim, values) {
    const [got, missing] = this.paths(unit, values);
    return {
      population: unit.size,
      top: unit.top,
      threshold_total: unit.threshold,
      total_low: leastTotal(unit, ratio(claim.alpha_compliant), got),
      total_high: unit.size * unit.top - leastTotal(unit, ratio(claim.alpha_violation), missing),
      p_compliant_at_most: decimal(pOfWealth(unit.size, this.nulls(unit)[0], got)),
      p_violation_at_most: decimal(this.accusation(unit, values)),
    };
  },
  accusation(unit, values) {
    return pOfWealth(unit.size, this.nulls(unit)[1], this.paths(unit, values)[1]);
  },
};

// Holm's step-down procedure: the positions that it rejects at familywise risk alpha.
function holm(values, alpha) {
  const order = values.map((_, n) => n).sort((a, b) => (below(values[a], values[b]) ? (below(values[b], values[a]) ? a - b : -1) : 1));
  const rejected = [];
  for (let rank = 0; rank < order.length; rank += 1) {
    const [num, den] = values[order[rank]];
    if (!below([num * BigInt(order.length - rank), den], alpha)) break;
    rejected.push(order[rank]);
  }
  return rejected;
}

// Whether outputs spoiled on purpose can meet a claim; events are a list, or one list for each member of a pair.
function degradable(claim) {
  if (claim.type === "graded") return claim.direction === "at-most";
  const lists = Array.isArray(claim.events) ? [claim.events] : Object.values(claim.events);
  if (claim.direction === "at-most") return !lists.every((one) => SPOILED.every((o) => one.includes(o)));
  return lists.every((one) => SPOILED.some((o) => one.includes(o)));
}

// What may be said of a claim whose test found it met.
function labelled(claim, test, assurance) {
  if (test !== "COMPLIANT") return test;
  const short = ASSURANCE.indexOf(assurance) < ASSURANCE.indexOf(claim.min_assurance);
  return (degradable(claim) && assurance === "declared") || short ? "INCONCLUSIVE" : "COMPLIANT";
}

const withChamber = (unit, values, worst) =>
  unit.reproduced === null
    ? values
    : values.map((value, n) => (value !== null && unit.reproduced[n] === "0" ? worst : value));

function recompute({ terms, verdict, units }) {
  const said = new Map(verdict.claims.map((one) => [one.id, one]));
  const written = new Map(terms.claims.map((one) => [one.id, one]));
  const wrong = [];
  const words = [];
  const metric = [];
  for (const unit of units) {
    const claim = written.get(unit.id);
    const rule = unit.scores !== undefined ? scoring : unit.claimed !== undefined ? comparing : counting;
    if (rule === comparing) unit.count = terms.audited.counts[units.indexOf(unit)];
    const plainly = rule.values(unit);
    const values = withChamber(unit, plainly, rule.worst);
    const plain = rule.decide(unit, claim, plainly, unit.budget);
    const found = unit.reproduced === null ? plain : rule.decide(unit, claim, values, plain.counted);
    Object.assign(found, rule.figures(unit, claim, values.slice(0, found.counted)));
    let word = labelled(claim, found.test, verdict.assurance);
    if (rule === comparing) {
      const told = rule.integrity(unit, claim, values, found.counted, ratio(terms.audited.tolerance));
      if (told.integrity === "BREACHED" && found.test === "COMPLIANT") word = "INCONCLUSIVE";
      words.push(told.integrity);
      for (const [name, value] of Object.entries(told)) {
        if (said.get(unit.id).comparison[name] !== value) wrong.push(`${unit.id}: ${name}`);
      }
    }
    metric.push({ word, p: rule.accusation(unit, values) });
    console.log(`${word} ${found.test} ${found.counted} ${found.successes ?? found.total} ${found.failures ?? 0} ${unit.id}`);
    const theirs = said.get(unit.id);
    if (theirs.verdict !== word) wrong.push(`${unit.id}: verdict ${theirs.verdict}`);
    for (const [name, value] of Object.entries(found)) {
      if (theirs[name] !== value) wrong.push(`${unit.id}: ${name} ${theirs[name]}`);
    }
  }
  const worst = ["BREACHED", "WITHIN-TOLERANCE", "INTACT"].find((word) => words.includes(word));
  if (verdict.integrity !== worst) wrong.push(`integrity ${verdict.integrity}`);
  const risks = units.map((unit) => ratio(written.get(unit.id).alpha_violation));
  const risk = risks.reduce((least, one) => (below(one, least) ? one : least));
  const accused = holm(metric.map((one) => one.p), risk);
  const others = verdict.claims.filter((one) => !units.some((unit) => unit.id === one.id)).map((one) => one.verdict);
  const all = [...metric.map((one) => one.word), ...others];
  let overall = "INCONCLUSIVE";
  if (accused.some((n) => metric[n].word === "VIOLATION") || others.includes("VIOLATION")) overall = "VIOLATION";
  else if (accused.length === 0 && all.every((word) => word === "COMPLIANT")) overall = "COMPLIANT";
  console.log(`overall ${overall}`);
  if (overall !== verdict.overall) wrong.push(`overall ${verdict.overall}`);
  return wrong;
}

let text = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (chunk) => {
  text += chunk;
});
process.stdin.on("end", () => {
  const documents = [JSON.parse(text)].flat();
  const wrong = documents.flatMap(recompute);
  for (const one of wrong) console.log(`disagrees: the record says ${one}`);
  process.exitCode = wrong.length ? 1 : 0;
});
