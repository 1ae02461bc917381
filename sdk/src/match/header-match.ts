import type { HeaderMatch } from '../model/match.ts';
import type { MeshRequest } from '../model/request.ts';
import { asciiLower } from './ascii.ts';
import { requestHeaderValue } from './headers.ts';
import { compileString, describeString, type RegexSource } from './string.ts';

export interface HeaderTest {
  /** Lower case. */
  readonly name: string;
  readonly match: HeaderMatch;
  /** Whether a value fits, `invert` not applied. */
  readonly test: (value: string) => boolean;
}

export const compileHeader = (match: HeaderMatch, regexes?: RegexSource): HeaderTest => ({
  name: asciiLower(match.name),
  match,
  test: valueTest(match, regexes),
});

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

/** Envoy HeaderUtility::matchHeaders. */
export function headerMatches({ name, match, test }: HeaderTest, request: MeshRequest): boolean {
  const value = requestHeaderValue(request, name);
  if (value === undefined && !match.treatMissingAsEmpty) {
    // An absent header fits no value, inverted or not; only presence is asked about absence.
    return match.value.kind === 'present' && match.value.present === match.invert;
  }
  return test(value ?? '') !== match.invert;
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
