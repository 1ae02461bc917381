import { describe, expect, it } from 'vitest';
import type { PathMatch } from '../model/match.ts';
import { path } from '../route/route.fixture.ts';
import { compilePath, describePath, explainPath } from './path.ts';
import { cachedRegexes } from './string.ts';

describe('compilePath (Envoy RouteMatch.path_specifier)', () => {
  it.each<[PathMatch, string[], string[]]>([
    [path('exact', '/a'), ['/a', '/a?b'], ['/A', '/a/', '/ab', '/']],
    [path('prefix', '/a'), ['/a', '/ab', '/a/b', '/a?b'], ['/A', '/', '/?a']],
    [path('prefix', '/a/'), ['/a/', '/a/b'], ['/a', '/a?/']],
    [path('prefix', '/a?b'), [], ['/a?b', '/a?bc']],
    [path('path-separated-prefix', '/a'), ['/a', '/a/', '/a/b', '/a?b'], ['/ab', '/', '/ab/c']],
    [path('path-separated-prefix', '/a?b'), [], ['/a?b', '/a?b/']],
    [path('exact', '/aB', false), ['/AB', '/ab?x'], ['/abc']],
    [path('prefix', '/aB', false), ['/ABc'], ['/a', '/bab']],
    [path('path-separated-prefix', '/aB', false), ['/Ab', '/ab/c'], ['/abc']],
    [{ kind: 'regex', value: '/a+' }, ['/aa', '/aa?x'], ['/aab', 'x/a']],
    [{ kind: 'regex', value: '(' }, [], ['(', '/']],
    [{ kind: 'template', value: '/{a}' }, ['/x', '/x?y'], ['/', '/x/y']],
    [{ kind: 'template', value: 'no' }, [], ['no', '/']],
  ])('%j', (match, matching, others) => {
    const test = compilePath(match, cachedRegexes());
    for (const candidate of matching) expect([candidate, test(candidate)]).toEqual([candidate, true]);
    for (const candidate of others) expect([candidate, test(candidate)]).toEqual([candidate, false]);
  });

  it('tells itself', () => {
    expect(describePath(path('path-separated-prefix', '/a', false))).toBe('path segment prefix "/a" ignoring case');
    expect(describePath({ kind: 'regex', value: '/.*' })).toBe('path regex "/.*"');
    expect(explainPath(path('exact', '/a'), '/b?c')).toBe('path: wanted exact "/a", got "/b"');
  });
});
