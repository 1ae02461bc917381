import { describe, expect, it } from 'vitest';
import { query, text } from '../route/route.fixture.ts';
import { compileQuery, describeQuery, explainQuery, queryMatches, queryParameter } from './query.ts';

describe('queryParameter (Envoy QueryParamsMulti::parseQueryString)', () => {
  it.each([
    ['/a?v=1', 'v', '1'],
    ['/a?x=2&v=1', 'v', '1'],
    ['/a?v=1&v=2', 'v', '1'],
    ['/a?v', 'v', ''],
    ['/a?v&x=1', 'v', ''],
    ['/a?v=', 'v', ''],
    ['/a?v=1=2', 'v', '1=2'],
    ['/a?v=%31', 'v', '%31'],
    ['/a?V=1', 'v', undefined],
    ['/a?vv=1', 'v', undefined],
    ['/a?=1', '', '1'],
    ['/a?', 'v', undefined],
    ['/a', 'v', undefined],
    ['/a?x=/?v=1', 'v', undefined],
    ['/a?&&v=1', 'v', '1'],
    ['/a?__proto__=1', '__proto__', '1'],
  ])('%s has %s = %s', (path, name, value) => {
    expect(queryParameter(path, name)).toBe(value);
  });
});

describe('queryMatches (Envoy QueryParameterMatcher)', () => {
  const isV2 = query('v', text('exact', '2'));
  const present = (wanted: boolean) => ({ name: 'v', value: { kind: 'present' as const, present: wanted } });

  it.each([
    [isV2, '/?v=2', true],
    [isV2, '/?v=1', false],
    [isV2, '/', false],
    [present(true), '/?v', true],
    [present(true), '/', false],
    [present(false), '/?v', false],
    [present(false), '/', true],
  ])('%j on %s: %s', (match, path, expected) => {
    expect(queryMatches(compileQuery(match), path)).toBe(expected);
  });

  it('tells itself', () => {
    expect(describeQuery(isV2)).toBe('query parameter v exact "2"');
    expect(describeQuery(present(true))).toBe('query parameter v any value');
    expect(explainQuery(isV2, '/?v=1')).toBe('query parameter v: wanted exact "2", got "1"');
    expect(explainQuery(present(false), '/')).toBe('query parameter v: wanted none, got nothing');
  });
});
