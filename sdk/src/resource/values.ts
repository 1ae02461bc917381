import type { Duration } from '@bufbuild/protobuf/wkt';
import type { RuntimeFractionalPercent } from '../../gen/core.js';
import { FractionalPercent_DenominatorType as Denominator, type FractionalPercent } from '../../gen/core.js';
import { parseRegex } from '../match/regex.ts';
import type { Fraction } from '../model/match.ts';
import type { Scope } from './scope.ts';

/** google.protobuf.Duration: at most ±315,576,000,000 s; here none may be negative. */
const LONGEST_SECONDS = 315_576_000_000n;

/** ms; undefined where the field is not set. */
export function durationMs(duration: Duration | undefined, at: Scope): number | undefined {
  if (duration === undefined) return undefined;
  const { seconds, nanos } = duration;
  if (seconds < 0n || nanos < 0 || seconds > LONGEST_SECONDS || nanos > 999_999_999) {
    at.error(`${seconds} s ${nanos} ns, from 0 to ${LONGEST_SECONDS} s allowed`);
    return undefined;
  }
  return Number(seconds) * 1000 + nanos / 1_000_000;
}

/** As `durationMs`, but 0 is no value either (Envoy `duration.gt: {}`). */
export function positiveMs(duration: Duration | undefined, at: Scope): number | undefined {
  const ms = durationMs(duration, at);
  if (ms === 0) at.error('0 s, more than 0 allowed');
  return ms;
}

export function inRange(value: number, low: number, high: number, at: Scope): number {
  // So written, NaN is out of every range.
  if (!(value >= low && value <= high)) at.error(`${value}, ${low} to ${high} allowed`);
  return value;
}

export function required(text: string, at: Scope): string {
  if (text === '') at.error('empty, a value is required');
  return text;
}

/** Lower case; a name there must be. */
export const headerName = (name: string, at: Scope): string => required(name, at).toLowerCase();

const DENOMINATORS: ReadonlyMap<Denominator, Fraction['denominator']> = new Map([
  [Denominator.HUNDRED, 100],
  [Denominator.TEN_THOUSAND, 10_000],
  [Denominator.MILLION, 1_000_000],
]);

export function fraction(percent: FractionalPercent | undefined, at: Scope): Fraction {
  if (percent === undefined) return { numerator: 0, denominator: 100 };
  const denominator = DENOMINATORS.get(percent.denominator);
  if (denominator === undefined) {
    at.at('denominator').error(`${percent.denominator}, HUNDRED, TEN_THOUSAND or MILLION allowed`);
  }
  return { numerator: percent.numerator, denominator: denominator ?? 100 };
}

/** There is no runtime here: the default counts. */
export function runtimeFraction(value: RuntimeFractionalPercent, at: Scope): Fraction {
  const { defaultValue, runtimeKey } = value;
  if (defaultValue === undefined) at.at('default_value').error('missing, a value is required');
  return { ...fraction(defaultValue, at.at('default_value')), ...(runtimeKey !== '' && { runtimeKey }) };
}

/** RE2 syntax; the pattern is compiled here so that a bad one is refused before it can reach a call. */
export function regexPattern(pattern: string, at: Scope): string {
  const parsed = pattern === '' ? 'it is empty' : parseRegex(pattern);
  if (typeof parsed === 'string') at.error(`"${pattern.slice(0, 200)}" is no regular expression (RE2): ${parsed}`);
  return pattern;
}
