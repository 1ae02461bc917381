const UNIT_MS: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['μs', 1e-3],
  ['ms', 1],
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
]);

/** Largest google.protobuf.Duration, in ms. */
const LONGEST_MS = 315_576_000_000_000;

/**
 * Go's time.ParseDuration, which Istio reads durations with: `1s`, `500ms`, `1h30m`, `1.5s`; the result in ms, or what is
 * wrong with it. Finer than a millisecond is refused as Istio refuses it.
 */
export const parseDuration = (text: string): number | string => {
  if (text === '0') return 0;
  const part = /(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h)/y;
  let sum = 0;
  let at = 0;
  while (at < text.length) {
    part.lastIndex = at;
    const found = part.exec(text);
    if (found === null) return NOT_A_DURATION;
    sum += Number(found[1]) * (UNIT_MS.get(found[2] ?? '') ?? Number.NaN);
    at = part.lastIndex;
  }
  if (text === '' || !(sum <= LONGEST_MS)) return NOT_A_DURATION;
  const rounded = Math.round(sum);
  return Math.abs(sum - rounded) > 1e-9 ? 'whole milliseconds' : rounded;
};

const NOT_A_DURATION = 'a duration like "1s", "500ms" or "1h30m"';

/** The shortest way to write it, as Go prints it: `1h30m0s` is `1h30m` here. */
export const formatDuration = (ms: number): string => {
  if (ms < 1_000) return `${ms}ms`;
  const hours = Math.floor(ms / 3_600_000);
  const minutes = Math.floor((ms % 3_600_000) / 60_000);
  const seconds = (ms % 60_000) / 1_000;
  return `${hours ? `${hours}h` : ''}${minutes ? `${minutes}m` : ''}${seconds ? `${seconds}s` : ''}`;
};
