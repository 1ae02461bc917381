/** Of upper bounds, ms: a busy machine may come late. */
const SLACK_MS = 3_000;

/** Whether a call came to its end too soon or too late, in words. */
export function missedTime(bounds: readonly [number, number] | undefined, ms: number): string | undefined {
  if (bounds === undefined) return undefined;
  if (ms < bounds[0]) return 'too soon';
  return ms > bounds[1] + SLACK_MS ? 'too late' : undefined;
}

/** Standard normal quantile of 1 - 10⁻⁶. */
const Z = 4.7534;

/** What was served where that is within chance, else about what was seen. */
export function sharesLine(expected: Readonly<Record<string, number>>, reached: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of reached) counts.set(name, (counts.get(name) ?? 0) + 1);
  const total = reached.length;
  const names = new Set([...Object.keys(expected), ...counts.keys()]);
  const isWithin = [...names].every((name) => {
    const share = expected[name] ?? 0;
    const bound = Z * Math.sqrt(total * share * (1 - share)) + (share === 0 || share === 1 ? 0 : 2);
    return Math.abs((counts.get(name) ?? 0) - total * share) <= bound;
  });
  const percent = (name: string): number =>
    isWithin ? (expected[name] ?? 0) * 100 : Math.round(((counts.get(name) ?? 0) / total) * 10) * 10;
  return [...names]
    .sort()
    .map((name) => `${name} ${isWithin ? '' : 'about '}${Math.round(percent(name) * 100) / 100} %`)
    .join(', ');
}
