// A second, independent recomputation of a verdict, from what `parley show --units RECORD` prints, on standard
// input: the terms, the verdict, and for every metric claim its plan and its results in ticket order:
//   {"id", "frame", "threshold", "declared": K* or null, "budget", "bits": 0, 1 or ? each,
//    "reproduced": 0 or 1 each, or null where no chamber ran}
// It checks no signature and no commitment: `parley check` does. It decides every claim again by the plain sum
// of the specification in BigInt, then the profile, importing nothing, and says where it disagrees: exit code 1.

const ASSURANCE = ["declared", "re-executed", "neutral-operator", "attested", "proven"];
const OUTCOMES = ["pass", "fail", "refuse", "invalid"];
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
  return [above + weight(declared) * alternatives, 2n * alternatives * under];
}

const ratio = (text) => text.split("/").map(BigInt);
const crosses = (e, [alphaNum, alphaDen]) => e === null || e[0] * alphaNum >= e[1] * alphaDen;
const below = ([a, b], [c, d]) => a * d <= c * b;

// One claim: its own crossing. With a chamber the run stops where it stopped without, decided or not.
function decide(unit, claim, bits, last) {
  const [alphaC, alphaV] = [ratio(claim.alpha_compliant), ratio(claim.alpha_violation)];
  let [ones, zeros] = [0, 0];
  for (let n = 1; n <= Math.min(bits.length, last); n += 1) {
    if (bits[n - 1] === "1") ones += 1;
    if (bits[n - 1] === "0") zeros += 1;
    const met = crosses(evidence(unit.frame, unit.threshold - 1, unit.declared, ones, n - ones), alphaC);
    const missed = crosses(evidence(unit.frame, unit.frame - unit.threshold, null, zeros, n - zeros), alphaV);
    const over = met || missed || n === unit.budget || n === last;
    const test = met === missed ? "INCONCLUSIVE" : met ? "COMPLIANT" : "VIOLATION";
    if (over) return { test, counted: n, successes: ones, failures: zeros };
  }
  return { test: "OPEN", counted: bits.length, successes: ones, failures: zeros };
}

// The anytime-valid p-value against "the threshold is met", over all units, as [numerator, denominator].
function pViolation(unit, bits) {
  let least = [1n, 1n];
  let zeros = 0;
  for (let n = 1; n <= bits.length; n += 1) {
    if (bits[n - 1] === "0") zeros += 1;
    const e = evidence(unit.frame, unit.frame - unit.threshold, null, zeros, n - zeros);
    if (e === null) return [0n, 1n];
    if (e[0] > 0n && below([e[1], e[0]], least)) least = [e[1], e[0]];
  }
  return least;
}

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

// What may be said of a claim whose test found it met.
function labelled(claim, test, assurance) {
  if (test !== "COMPLIANT") return test;
  const successes = OUTCOMES.filter((one) => claim.events.includes(one) === (claim.direction === "at-least"));
  const degradable = successes.join() !== "pass";
  const short = ASSURANCE.indexOf(assurance) < ASSURANCE.indexOf(claim.min_assurance);
  return (degradable && assurance === "declared") || short ? "INCONCLUSIVE" : "COMPLIANT";
}

const withChamber = (unit) =>
  unit.reproduced === null
    ? unit.bits
    : [...unit.bits].map((bit, n) => (bit !== "?" && unit.reproduced[n] === "0" ? "0" : bit)).join("");

function recompute({ terms, verdict, units }) {
  const said = new Map(verdict.claims.map((one) => [one.id, one]));
  const written = new Map(terms.claims.map((one) => [one.id, one]));
  const independent = verdict.binding !== undefined && verdict.binding.operator.run_by !== "prover";
  const wrong = [];
  const metric = [];
  for (const unit of units) {
    const claim = written.get(unit.id);
    const plain = decide(unit, claim, unit.bits, unit.budget);
    const found = unit.reproduced === null ? plain : decide(unit, claim, withChamber(unit), plain.counted);
    const word = labelled(claim, found.test, verdict.assurance);
    metric.push({ word, p: pViolation(unit, independent ? withChamber(unit) : unit.bits) });
    console.log(`${word} ${found.test} ${found.counted} ${found.successes} ${found.failures} ${unit.id}`);
    const theirs = said.get(unit.id);
    if (theirs.verdict !== word) wrong.push(`${unit.id}: verdict ${theirs.verdict}`);
    for (const name of ["test", "counted", "successes", "failures"]) {
      if (theirs[name] !== found[name]) wrong.push(`${unit.id}: ${name} ${theirs[name]}`);
    }
  }
  const risks = units.map((unit) => ratio(written.get(unit.id).alpha_violation));
  const risk = risks.reduce((least, one) => (below(one, least) ? one : least));
  const accused = holm(metric.map((one) => one.p), risk).some((n) => metric[n].word === "VIOLATION");
  const others = verdict.claims.filter((one) => one.type !== "metric").map((one) => one.verdict);
  const all = [...metric.map((one) => one.word), ...others];
  let overall = "INCONCLUSIVE";
  if (accused || others.includes("VIOLATION")) overall = "VIOLATION";
  else if (all.every((word) => word === "COMPLIANT")) overall = "COMPLIANT";
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
  const wrong = recompute(JSON.parse(text));
  for (const one of wrong) console.log(`disagrees: the record says ${one}`);
  process.exitCode = wrong.length ? 1 : 0;
});
