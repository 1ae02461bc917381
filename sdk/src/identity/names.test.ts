import { describe, expect, it } from 'vitest';
import type { NameMatch } from '../model/tls.ts';
import type { SubjectName } from './certificate.ts';
import { acceptsAny, describeMatches } from './names.ts';

const uri = (value: string): SubjectName => ({ type: 'uri', value });
const dns = (value: string): SubjectName => ({ type: 'dns', value });
const match = (kind: NameMatch['kind'], value: string, rest: Partial<NameMatch> = {}): NameMatch => ({
  kind,
  value,
  ...rest,
});

describe('acceptsAny', () => {
  it.each<readonly [string, NameMatch, SubjectName, boolean]>([
    [
      'a SPIFFE ID whose trust domain is written otherwise',
      match('exact', 'spiffe://TD.test/a'),
      uri('spiffe://td.TEST/a'),
      true,
    ],
    [
      'a SPIFFE ID whose path is written otherwise',
      match('exact', 'spiffe://td.test/a'),
      uri('spiffe://td.test/A'),
      false,
    ],
    ['one that begins alike', match('exact', 'spiffe://td.test/ns/a/sa/b'), uri('spiffe://td.test/ns/a/sa/bc'), false],
    ['a prefix', match('prefix', 'spiffe://td.test/ns/a/'), uri('spiffe://td.test/ns/a/sa/b'), true],
    ['a prefix in other case', match('prefix', 'SPIFFE://'), uri('spiffe://td.test/a'), false],
    [
      'a prefix in other case, where that is no matter',
      match('prefix', 'SPIFFE://', { ignoreCase: true }),
      uri('spiffe://td.test/a'),
      true,
    ],
    ['a name of another type', match('exact', 'a.test', { type: 'dns' }), uri('a.test'), false],
    ['a name of any type', match('exact', 'a.test'), { type: 'email', value: 'a.test' }, true],
    ['a wildcard of the certificate', match('exact', 'a.b.test', { type: 'dns' }), dns('*.b.test'), true],
    ['a wildcard for two labels', match('exact', 'a.a.b.test'), dns('*.b.test'), false],
    ['a wildcard for none', match('exact', 'b.test'), dns('*.b.test'), false],
    ['a wildcard under a top-level domain', match('exact', 'b.test'), dns('*.test'), false],
    ['a wildcard that is asked for as such', match('exact', '*.b.test'), dns('*.b.test'), true],
    ['a wildcard in the middle of a label', match('exact', 'ab.c.test'), dns('a*.c.test'), false],
    ['a regular expression, whole', match('regex', 'spiffe://[^/]+/a'), uri('spiffe://td.test/a'), true],
    ['a regular expression, in part', match('regex', 'spiffe://[^/]+/a'), uri('spiffe://td.test/ab'), false],
    ['a regular expression that cannot be compiled', match('regex', '(?=a)'), uri('a'), false],
    ['one that backtracks without end elsewhere', match('regex', '(a+)+$'), uri(`${'a'.repeat(5_000)}!`), false],
  ])('%s', (_, wanted, name, result) => {
    expect(acceptsAny([wanted], [name])).toBe(result);
  });

  it('takes one of many for one of many, and nobody for none', () => {
    const names = [dns('a.test'), uri('spiffe://td.test/a')];
    expect(acceptsAny([match('exact', 'x'), match('suffix', '/a')], names)).toBe(true);
    expect(acceptsAny([], names)).toBe(false);
    expect(acceptsAny([match('prefix', '')], [])).toBe(false);
  });

  it('are told in messages, not without end', () => {
    const many = Array.from({ length: 12 }, (_, at) => match('exact', `n${at}`, { type: 'dns' }));
    expect(describeMatches([match('prefix', 'spiffe://')])).toBe('prefix "spiffe://"');
    expect(describeMatches(many)).toMatch(/^dns "n0" or .* or 4 more$/);
  });
});
