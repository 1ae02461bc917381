import { describe, expect, it } from 'vitest';
import { decode, errors, host, match } from './route-configuration.fixture.ts';

describe('RouteMatch', () => {
  it.each([
    [{ prefix: '/a' }, { kind: 'prefix', value: '/a', caseSensitive: true }],
    [
      { path: '/a', caseSensitive: false },
      { kind: 'exact', value: '/a', caseSensitive: false },
    ],
    [{ safeRegex: { regex: '/a|/b' } }, { kind: 'regex', value: '/a|/b' }],
    [{ pathSeparatedPrefix: '/a/b' }, { kind: 'path-separated-prefix', value: '/a/b', caseSensitive: true }],
  ])('path %j', (given, path) => {
    expect(match(given).path).toEqual(path);
  });

  it('headers: names in lower case, presence when nothing is said, old and new spellings alike', () => {
    const headers = [
      { name: 'X-A' },
      { name: 'b', presentMatch: false },
      { name: 'c', exactMatch: 'v', invertMatch: true },
      { name: 'd', stringMatch: { prefix: 'p', ignoreCase: true }, treatMissingHeaderAsEmpty: true },
      { name: 'e', rangeMatch: { start: '-5', end: '10' } },
      { name: 'f', safeRegexMatch: { regex: 'x+' } },
    ];
    expect(match({ prefix: '/', headers }).headers).toEqual([
      { name: 'x-a', invert: false, treatMissingAsEmpty: false, value: { kind: 'present', present: true } },
      { name: 'b', invert: false, treatMissingAsEmpty: false, value: { kind: 'present', present: false } },
      {
        name: 'c',
        invert: true,
        treatMissingAsEmpty: false,
        value: { kind: 'string', match: { kind: 'exact', value: 'v', ignoreCase: false } },
      },
      {
        name: 'd',
        invert: false,
        treatMissingAsEmpty: true,
        value: { kind: 'string', match: { kind: 'prefix', value: 'p', ignoreCase: true } },
      },
      { name: 'e', invert: false, treatMissingAsEmpty: false, value: { kind: 'range', start: -5, end: 10 } },
      {
        name: 'f',
        invert: false,
        treatMissingAsEmpty: false,
        value: { kind: 'string', match: { kind: 'regex', value: 'x+' } },
      },
    ]);
  });

  it('query parameters, fractions, gRPC', () => {
    const decoded = match({
      prefix: '/',
      queryParameters: [{ name: 'q', stringMatch: { exact: '1' } }, { name: 'p' }],
      runtimeFraction: { defaultValue: { numerator: 25, denominator: 'TEN_THOUSAND' }, runtimeKey: 'k' },
      grpc: {},
    });
    expect(decoded).toMatchObject({
      queryParameters: [
        { name: 'q', value: { kind: 'string', match: { kind: 'exact', value: '1' } } },
        { name: 'p', value: { kind: 'present', present: true } },
      ],
      fraction: { numerator: 25, denominator: 10_000, runtimeKey: 'k' },
      grpc: true,
    });
  });

  it.each([
    [{ connectMatcher: {} }, { path: { kind: 'connect', value: '' } }],
    [
      { prefix: '/', cookies: [{ name: 'u', stringMatch: { exact: '1' }, invertMatch: true }] },
      { cookies: [{ name: 'u', match: { kind: 'exact', value: '1', ignoreCase: false }, invert: true }] },
    ],
    [
      { prefix: '/', dynamicMetadata: [{ filter: 'f', path: [{ key: 'k' }], value: { boolMatch: true } }] },
      { metadata: [{ namespace: 'f', path: ['k'], value: { kind: 'boolean', value: true }, invert: false }] },
    ],
    [{ prefix: '/', tlsContext: { presented: false } }, { path: { kind: 'prefix' } }],
    [{ prefix: '/', tlsContext: { presented: true } }, { never: "the caller's certificate, of which there is none" }],
    [
      { prefix: '/', filterState: [{ key: 'k', stringMatch: { exact: 'v' } }] },
      { never: 'filter state, of which there is none' },
    ],
  ])('reads %j', (given, expected) => {
    const decoded = decode(host({ match: given, route: { cluster: 'c' } }));
    expect('ok' in decoded && decoded.ok.virtualHosts[0]?.routes[0]?.match).toMatchObject(expected);
  });

  it.each([
    [{ safeRegex: { regex: '(' } }, 'match.safe_regex.regex: "(" is no regular expression (RE2)'],
    [{ safeRegex: { regex: '(?=x)' } }, 'is no regular expression'],
    [{ safeRegex: { regex: '(a)\\1' } }, 'is no regular expression'],
    [{ safeRegex: { regex: '' } }, 'it is empty'],
    [{ pathSeparatedPrefix: '/a/' }, 'match.path_separated_prefix: "/a/"'],
    [{}, 'match: no path'],
    [{ prefix: '/', headers: [{ name: '' }] }, 'match.headers[0].name: empty'],
    [{ prefix: '/', headers: [{ name: 'a', prefixMatch: '' }] }, 'match.headers[0].prefix_match: empty'],
    [
      { prefix: '/', headers: [{ name: 'a', safeRegexMatch: { regex: '[' } }] },
      'match.headers[0].safe_regex_match.regex: "["',
    ],
    [{ prefix: '/', cookies: [{ name: 'u' }] }, 'match.cookies[0].string_match: missing'],
    [
      { prefix: '/', dynamicMetadata: [{ filter: 'f', path: [{ key: 'k' }] }] },
      'match.dynamic_metadata[0].value: no value to match',
    ],
    [
      { prefix: '/', dynamicMetadata: [{ filter: '', value: { nullMatch: {} } }] },
      'match.dynamic_metadata[0].path: empty',
    ],
  ])('refuses %j, naming the place', (given, expected) => {
    const found = errors(host({ match: given, route: { cluster: 'c' } }));
    expect(found.join('\n')).toContain(expected);
    expect(found[0]).toMatch(/^virtual_hosts\[0\]\.routes\[0\]\.match/);
  });
});
