// A second, independent recomputation of the frame test: the plain sum of the specification in BigInt,
// without the closed form or a recurrence, importing nothing. One JSON audit a line on standard input:
//   {"frame", "threshold", "declared": K* or null, "alpha_c": [n, d], "alpha_v": [n, d], "budget", "bits"}
// where bits holds one of 0, 1 and ? (could not be graded) per unit in ticket order. Prints "DECISION n".

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

// Does E against "at most nullCount successes" reach 1/alpha after s successes and f failures?
function crosses(frame, nullCount, declared, s, f, [alphaNum, alphaDen]) {
  if (s > nullCount) return true;
  const weight = (k) => choose(k, s) * choose(frame - k, f);
  const under = weight(nullCount);
  if (under === 0n) return false;
  const alternatives = BigInt(frame - nullCount);
  let above = 0n;
  for (let k = nullCount + 1; k <= frame; k += 1) above += weight(k);
  let numerator = above;
  let denominator = alternatives * under;
  if (declared !== null) {
    numerator += weight(declared) * alternatives;
    denominator *= 2n;
  }
  return numerator * BigInt(alphaNum) >= denominator * BigInt(alphaDen);
}

function decide({ frame, threshold, declared, alpha_c: alphaC, alpha_v: alphaV, budget, bits }) {
  let ones = 0;
  let zeros = 0;
  for (let n = 1; n <= bits.length; n += 1) {
    if (bits[n - 1] === "1") ones += 1;
    if (bits[n - 1] === "0") zeros += 1;
    const met = crosses(frame, threshold - 1, declared, ones, n - ones, alphaC);
    const missed = crosses(frame, frame - threshold, null, zeros, n - zeros, alphaV);
    if (met && missed) return `INCONCLUSIVE ${n}`;
    if (met) return `COMPLIANT ${n}`;
    if (missed) return `VIOLATION ${n}`;
    if (n === budget) return `INCONCLUSIVE ${n}`;
  }
  return `OPEN ${bits.length}`;
}

let pending = "";
process.stdin.setEncoding("utf8");
process.stdin.on("data", (chunk) => {
  const lines = (pending + chunk).split("\n");
  pending = lines.pop();
  for (const line of lines) console.log(decide(JSON.parse(line)));
});
