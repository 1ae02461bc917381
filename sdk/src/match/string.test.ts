import { describe, expect, it } from 'vitest';
import type { StringMatch } from '../model/match.ts';
import { cachedRegexes, compileString, describeString } from './string.ts';

const plain = (kind: 'exact' | 'prefix' | 'suffix' | 'contains', value: string, ignoreCase = false): StringMatch => ({
  kind,
  value,
  ignoreCase,
});

describe('compileString (Envoy StringMatcher)', () => {
  it.each<[StringMatch, string[], string[]]>([
    [plain('exact', 'aB'), ['aB'], ['ab', 'aBc', '']],
    [plain('exact', ''), [''], ['a']],
    [plain('prefix', 'ab'), ['ab', 'abc'], ['a', 'AB', 'xab']],
    [plain('suffix', 'ab'), ['ab', 'xab'], ['b', 'abx']],
    [plain('contains', 'ab'), ['ab', 'xaby'], ['a b']],
    [plain('exact', 'aB', true), ['AB', 'ab'], ['abc', 'a']],
    [plain('prefix', 'aB', true), ['ABc'], ['a', 'xab']],
    [plain('suffix', 'aB', true), ['xAb'], ['b', 'abx']],
    [plain('contains', 'aB', true), ['xABy', 'ab'], ['a b']],
    [{ kind: 'regex', value: 'a|b' }, ['a', 'b'], ['ab']],
    [{ kind: 'regex', value: '(' }, [], ['', '(']],
  ])('%j', (match, matching, others) => {
    const test = compileString(match);
    for (const text of matching) expect(test(text)).toBe(true);
    for (const text of others) expect(test(text)).toBe(false);
  });

  it('ignores case within ASCII alone (absl::EqualsIgnoreCase)', () => {
    expect(compileString(plain('exact', 'k', true))('\u212a')).toBe(false);
    expect(compileString(plain('contains', '\u212a', true))('k')).toBe(false);
  });

  it('compares the bytes of a rule outside ASCII', () => {
    for (const text of ['é', '€', '\u{1f600}']) {
      const bytes = Buffer.from(text, 'utf8').toString('latin1');
      expect(compileString(plain('exact', text))(bytes)).toBe(true);
      expect(compileString(plain('exact', text))(text)).toBe(false);
    }
  });

  it('compiles a pattern once a table', () => {
    const regexes = cachedRegexes();
    expect(regexes('a+')).toBe(regexes('a+'));
    expect(regexes('(')).toBe(regexes('('));
  });

  it('describes itself', () => {
    expect(describeString(plain('exact', 'a'))).toBe('exact "a"');
    expect(describeString(plain('prefix', 'a', true))).toBe('prefix "a" ignoring case');
    expect(describeString({ kind: 'regex', value: 'a.*' })).toBe('regex "a.*"');
  });
});
