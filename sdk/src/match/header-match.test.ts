import { describe, expect, it } from 'vitest';
import type { HeaderMatch } from '../model/match.ts';
import { header, request, text } from '../route/route.fixture.ts';
import { compileHeader, describeHeader, explainHeader, headerMatches } from './header-match.ts';
import { headerValue } from './headers.ts';

const present = (name: string, isPresent: boolean, more: Partial<HeaderMatch> = {}): HeaderMatch => ({
  name,
  invert: false,
  treatMissingAsEmpty: false,
  ...more,
  value: { kind: 'present', present: isPresent },
});
const range = (start: number, end: number, more: Partial<HeaderMatch> = {}): HeaderMatch => ({
  name: 'n',
  invert: false,
  treatMissingAsEmpty: false,
  ...more,
  value: { kind: 'range', start, end },
});
const matches = (rule: HeaderMatch, headers: readonly string[]): boolean =>
  headerMatches(compileHeader(rule), request({ headers }));

describe('headerMatches (Envoy HeaderMatcher)', () => {
  const jason = header('end-user', text('exact', 'jason'));

  it.each<[rule: string, match: HeaderMatch, headers: string[], expected: boolean]>([
    ['a value that fits', jason, ['end-user', 'jason'], true],
    ['another value', jason, ['end-user', 'bob'], false],
    ['an absent header fits no value', jason, [], false],
    ['inverted: another value', { ...jason, invert: true }, ['end-user', 'bob'], true],
    ['inverted: an absent header fits no value either', { ...jason, invert: true }, [], false],
    [
      'inverted with treat_missing_header_as_empty: absent fits',
      { ...jason, invert: true, treatMissingAsEmpty: true },
      [],
      true,
    ],
    [
      'treat_missing_header_as_empty: absent is the empty text',
      header('x', text('exact', ''), { treatMissingAsEmpty: true }),
      [],
      true,
    ],
    [
      'repeats: one fitting value is enough (Envoy match_headers_individually)',
      header('a', text('exact', '2')),
      ['a', '1', 'b', 'x', 'a', '2'],
      true,
    ],
    ['repeats: they are not joined', header('a', text('exact', '1,2')), ['a', '1', 'a', '2'], false],
    [
      'repeats, inverted: one fitting value is too many',
      header('a', text('exact', '2'), { invert: true }),
      ['a', '1', 'a', '2'],
      false,
    ],
    [
      'repeats, inverted: no fitting value',
      header('a', text('exact', '3'), { invert: true }),
      ['a', '1', 'a', '2'],
      true,
    ],
    ['repeats in a range', range(1, 10), ['n', 'x', 'n', '7'], true],
    [
      'headers Envoy keeps once are joined',
      header('accept', text('exact', 'a,b')),
      ['accept', 'a', 'accept', 'b'],
      true,
    ],
    [
      'headers Envoy keeps once have no single values',
      header('accept', text('exact', 'a')),
      ['accept', 'a', 'accept', 'b'],
      false,
    ],
    [
      'a name in the rule is folded to lower case',
      header('End-User', text('exact', 'jason')),
      ['end-user', 'jason'],
      true,
    ],
    ['present', present('a', true), ['a', ''], true],
    ['present, absent', present('a', true), [], false],
    ['not present, absent', present('a', false), [], true],
    ['not present, present', present('a', false), ['a', '1'], false],
    ['inverted present, absent', present('a', true, { invert: true }), [], true],
    ['inverted present, present', present('a', true, { invert: true }), ['a', '1'], false],
    ['inverted not present, present', present('a', false, { invert: true }), ['a', '1'], true],
    ['inverted not present, absent', present('a', false, { invert: true }), [], false],
    ['range: its start is in', range(1, 10), ['n', '1'], true],
    ['range: its end is out', range(1, 10), ['n', '10'], false],
    ['range: negative', range(-5, 0), ['n', '-5'], true],
    ['range: blanks and a plus are allowed (absl::SimpleAtoi)', range(1, 10), ['n', ' +7\t'], true],
    ['range: no number', range(1, 10), ['n', '7a'], false],
    ['range: no hexadecimal', range(1, 100), ['n', '0x7'], false],
    ['range: no fraction', range(1, 10), ['n', '1.5'], false],
    ['range: the empty text is no number', range(-1, 1), ['n', ''], false],
    ['range: no overflow of 64 bits', range(1, Number.MAX_VALUE), ['n', '9223372036854775808'], false],
    ['range: no underflow of 64 bits', range(-Number.MAX_VALUE, 1), ['n', '-9223372036854775809'], false],
    ['range: large numbers', range(1, 2 ** 63), ['n', '+9223372036854775'.padEnd(19, '0')], true],
    ['range, inverted', range(1, 10, { invert: true }), ['n', '20'], true],
    ['a value named __proto__ is a header like any other', header('__proto__', text('exact', 'a')), [], false],
  ])('%s', (_, match, headers, expected) => {
    expect(matches(match, headers)).toBe(expected);
  });

  it.each([
    [':method', 'GET'],
    [':authority', 'reviews:9080'],
    ['host', 'reviews:9080'],
    [':scheme', 'http'],
    [':path', '/a?b'],
  ])('reads %s', (name, value) => {
    expect(headerMatches(compileHeader(header(name, text('exact', value))), request({ path: '/a?b' }))).toBe(true);
  });

  it('knows no other pseudo-header', () => {
    expect(headerMatches(compileHeader(present(':status', true)), request())).toBe(false);
  });

  it('joins without a comma where there is nothing to separate', () => {
    expect(headerValue(['a', '', 'a', '1', 'a', '', 'a', '2'], 'a')).toBe('1,2');
  });

  it('leaves out a name without a value', () => {
    expect(headerValue(['a'], 'a')).toBeUndefined();
  });

  it.each<[HeaderMatch, string, string]>([
    [jason, 'header end-user exact "jason"', 'header end-user: wanted exact "jason", got nothing'],
    [
      { ...jason, invert: true },
      'header end-user anything but exact "jason"',
      'header end-user: wanted anything but exact "jason", got nothing',
    ],
    [header(':method', text('exact', 'POST')), 'method exact "POST"', 'method: wanted exact "POST", got "GET"'],
    [present('a', true), 'header a any value', 'header a: wanted any value, got nothing'],
    [present('a', false), 'header a none', 'header a: wanted none, got nothing'],
    [range(1, 10), 'header n a number from 1 to below 10', 'header n: wanted a number from 1 to below 10, got nothing'],
    [
      header('a', text('prefix', 'b'), { treatMissingAsEmpty: true }),
      'header a prefix "b" (absent counts as empty)',
      'header a: wanted prefix "b" (absent counts as empty), got nothing',
    ],
  ])('tells %j', (match, described, explained) => {
    expect(describeHeader(match)).toBe(described);
    expect(explainHeader(compileHeader(match), request())).toBe(explained);
  });
});
