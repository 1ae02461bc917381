/** Bounds that honest chance leaves once in a million times. */

/** Standard normal quantile of 1 - 10⁻⁶. */
const Z = 4.7534;

/** How often each host was chosen. */
export function tally(picks: readonly number[]): ReadonlyMap<number, number> {
  const counts = new Map<number, number>();
  for (const host of picks) counts.set(host, (counts.get(host) ?? 0) + 1);
  return counts;
}

/**
 * What is wrong with the counts for these shares of the whole, by Pearson's chi-square; undefined where it is nothing.
 * Schedules spread more evenly than chance, so for them the bound is a loose one, never a wrong one.
 */
export function misfit(picks: readonly number[], shares: ReadonlyMap<number, number>): string | undefined {
  const counts = tally(picks);
  let statistic = 0;
  let cells = 0;
  for (const [host, share] of shares) {
    if (share === 0) continue;
    const expected = picks.length * share;
    if (expected < 5) throw new RangeError(`${picks.length} draws are too few for a share of ${share}`);
    statistic += ((counts.get(host) ?? 0) - expected) ** 2 / expected;
    cells++;
  }
  const stray = [...counts.keys()].filter((host) => !shares.get(host));
  if (stray.length > 0) return `chosen though their share is 0: ${stray.join(', ')}`;
  const limit = chiSquareLimit(cells - 1);
  if (statistic <= limit) return undefined;
  const seen = [...shares].map(([host, share]) => `${host}: ${counts.get(host) ?? 0} of ${picks.length * share}`);
  return `chi-square ${statistic.toFixed(1)} > ${limit.toFixed(1)} (${seen.join(', ')})`;
}

/** Upper bound of chi-square at 10⁻⁶ (Wilson and Hilferty's approximation); 0 degrees of freedom leave no room. */
function chiSquareLimit(degrees: number): number {
  if (degrees === 0) return 1e-9;
  const spread = 2 / (9 * degrees);
  return degrees * (1 - spread + Z * Math.sqrt(spread)) ** 3;
}

/** Hosts whose counts in two samples of the same size cannot have come from the same share. */
export function disagreeing(theirs: readonly number[], ours: readonly number[]): string[] {
  const [one, other] = [tally(theirs), tally(ours)];
  return [...new Set([...one.keys(), ...other.keys()])].flatMap((host) => {
    const [a, b] = [one.get(host) ?? 0, other.get(host) ?? 0];
    // The difference of two Poisson counts; 4 more where they are small.
    return Math.abs(a - b) <= 6 * Math.sqrt(a + b) + 4 ? [] : [`host ${host}: Envoy ${a}, here ${b}`];
  });
}

/** Where in the longer list the shorter one stands, -1 where nowhere. */
export function offsetOf(part: readonly number[], whole: readonly number[]): number {
  for (let offset = 0; offset + part.length <= whole.length; offset++) {
    if (part.every((value, at) => whole[at + offset] === value)) return offset;
  }
  return -1;
}
