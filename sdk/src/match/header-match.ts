import type { HeaderList } from '../model/headers.ts';
import type { HeaderMatch } from '../model/match.ts';
import type { MeshRequest } from '../model/request.ts';
import { asciiLower } from './ascii.ts';
import { isSingle, requestHeaderValue } from './headers.ts';
import { compileString, describeString, type RegexSource } from './string.ts';

export interface HeaderTest {
  /** Lower case. */
  readonly name: string;
  readonly match: HeaderMatch;
  /** Repeats count as one value. */
  readonly single: boolean;
  /** Whether a value fits, `invert` not applied. */
  readonly test: (value: string) => boolean;
}

export function compileHeader(match: HeaderMatch, regexes?: RegexSource): HeaderTest {
  const name = asciiLower(match.name);
  return { name, match, single: isSingle(name), test: valueTest(match, regexes) };
}

function valueTest({ value }: HeaderMatch, regexes?: RegexSource): (value: string) => boolean {
  switch (value.kind) {
    case 'string':
      return compileString(value.match, regexes);
    case 'present':
      return () => value.present;
    case 'range':
      return (text) => inRange(text, value.start, value.end);
  }
}

/** Envoy HeaderMatcher: one fitting value of a repeated header is enough; inverted, one is too many. */
export function headerMatches(rule: HeaderTest, request: MeshRequest): boolean {
  return rule.single ? singleMatches(rule, request) : anyMatches(rule, request.headers);
}

function singleMatches(rule: HeaderTest, request: MeshRequest): boolean {
  const value = requestHeaderValue(request, rule.name);
  return value === undefined ? absentMatches(rule) : rule.test(value) !== rule.match.invert;
}

/** As `headerMatches`, for headers that are no request's. */
export function anyMatches(rule: HeaderTest, headers: HeaderList): boolean {
  let isPresent = false;
  for (let i = 0; i + 1 < headers.length; i += 2) {
    if (headers[i] !== rule.name) continue;
    if (rule.test(headers[i + 1] ?? '')) return !rule.match.invert;
    isPresent = true;
  }
  return isPresent ? rule.match.invert : absentMatches(rule);
}

/** An absent header fits no value, inverted or not; only presence is asked about absence. */
function absentMatches({ match, test }: HeaderTest): boolean {
  if (match.treatMissingAsEmpty) return test('') !== match.invert;
  return match.value.kind === 'present' && match.value.present === match.invert;
}

const LARGEST_INT64 = 2n ** 63n - 1n;
const SMALLEST_INT64 = -(2n ** 63n);

/** Half open. absl::SimpleAtoi: decimal, one sign, blanks around it, nothing else, no overflow. */
function inRange(text: string, start: number, end: number): boolean {
  const digits = /^[\t-\r ]*([+-]?\d+)[\t-\r ]*$/.exec(text)?.[1];
  if (digits === undefined) return false;
  const value = Number(digits);
  if (Number.isSafeInteger(value)) return value >= start && value < end;
  const exact = BigInt(digits.replace('+', ''));
  return exact >= SMALLEST_INT64 && exact <= LARGEST_INT64 && exact >= start && exact < end;
}

/** `header end-user exact "jason"`, for a reader. */
export const describeHeader = (match: HeaderMatch): string => `${headerLabel(match.name)} ${describeWanted(match)}`;

/** Why the request does not fit: `header end-user: wanted exact "jason", got nothing`. */
export function explainHeader({ name, match }: HeaderTest, request: MeshRequest): string {
  const value = requestHeaderValue(request, name);
  return `${headerLabel(match.name)}: wanted ${describeWanted(match)}, got ${value === undefined ? 'nothing' : JSON.stringify(value)}`;
}

const headerLabel = (name: string): string => (name.startsWith(':') ? name.slice(1) : `header ${name}`);

function describeWanted({ value, invert, treatMissingAsEmpty }: HeaderMatch): string {
  if (value.kind === 'present') return value.present !== invert ? 'any value' : 'none';
  const wanted =
    value.kind === 'range' ? `a number from ${value.start} to below ${value.end}` : describeString(value.match);
  return `${invert ? 'anything but ' : ''}${wanted}${treatMissingAsEmpty ? ' (absent counts as empty)' : ''}`;
}
