/** Natural logarithm of n! by Stirling's series above a small table; accurate to 1e-10, enough for tail probabilities. */
function logFactorial(n: number): number {
  if (n < 16) {
    let product = 1;
    for (let factor = 2; factor <= n; factor++) product *= factor;
    return Math.log(product);
  }
  const x = n + 1;
  return (x - 0.5) * Math.log(x) - x + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * x) - 1 / (360 * x ** 3);
}

function probability(n: number, k: number, p: number): number {
  if (p === 0) return k === 0 ? 1 : 0;
  if (p === 1) return k === n ? 1 : 0;
  return Math.exp(logFactorial(n) - logFactorial(k) - logFactorial(n - k) + k * Math.log(p) + (n - k) * Math.log1p(-p));
}

/** The smallest interval of counts that a fair draw of `n` with share `p` leaves with at most `risk` on either side together. */
export function binomialBounds(n: number, p: number, risk = 1e-6): { readonly low: number; readonly high: number } {
  let low = 0;
  for (let tail = probability(n, 0, p); tail < risk / 2 && low < n; tail += probability(n, low, p)) low++;
  let high = n;
  for (let tail = probability(n, n, p); tail < risk / 2 && high > 0; tail += probability(n, high, p)) high--;
  return { low, high };
}
