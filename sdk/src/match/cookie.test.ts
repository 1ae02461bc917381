import { describe, expect, it } from 'vitest';
import { compileCookie, cookieOf, describeCookie } from './cookie.ts';
import { cachedRegexes } from './string.ts';

const exact = (value: string, invert = false) =>
  compileCookie({ name: 'u', match: { kind: 'exact', value, ignoreCase: false }, invert }, cachedRegexes());

describe('cookies', () => {
  it.each([
    [['u=a; u=b'], 'a'],
    [['v=1', 'u=a'], 'a'],
    [['t=1;  u="q r"; v'], 'q r'],
    [['u="'], '"'],
    [['u='], ''],
    [['u; uu=1; U=2'], undefined],
    [[], undefined],
  ])('of %j the first of the name counts, unquoted (Envoy Utility::forEachCookie)', (cookies, value) => {
    expect(
      cookieOf(
        cookies.flatMap((cookie) => ['cookie', cookie]),
        'u',
      ),
    ).toBe(value);
  });

  it('fit by their value; an absent one fits none, which is what an inverted match wants (Envoy CookieMatcher)', () => {
    const headers = ['cookie', 'u=a'];
    expect([exact('a')(headers), exact('b')(headers), exact('a')([])]).toEqual([true, false, false]);
    expect([exact('a', true)(headers), exact('b', true)(headers), exact('a', true)([])]).toEqual([false, true, true]);
    expect(exact('')(['cookie', 'u='])).toBe(true);
  });

  it('fit an expression as a whole', () => {
    const test = compileCookie({ name: 'u', match: { kind: 'regex', value: 'a|b' }, invert: false }, cachedRegexes());
    expect(['a', 'b', 'ab'].map((value) => test(['cookie', `u=${value}`]))).toEqual([true, true, false]);
  });

  it('tell what they want', () => {
    const match = { kind: 'exact', value: 'a', ignoreCase: false } as const;
    expect(describeCookie({ name: 'u', match, invert: true })).toBe('cookie u anything but exact "a"');
  });
});
