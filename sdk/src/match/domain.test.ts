import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findDomain, indexDomains, withoutPort } from './domain.ts';

const found = (domains: readonly string[], host: string): string | undefined =>
  findDomain(indexDomains(domains.map((domain) => ({ domains: [domain], value: domain }))), host);

describe('findDomain (Envoy VirtualHost.domains)', () => {
  const all = ['a.test', '*.test', '*a.test', 'a.*', 'a.te*', '*'];
  it.each([
    ['a.test', 'a.test'],
    ['A.TEST', 'a.test'],
    ['xa.test', '*a.test'],
    ['b.test', '*.test'],
    ['a.tea', 'a.te*'],
    ['a.b', 'a.*'],
    ['.test', '*'],
    ['a.', '*'],
    ['', '*'],
  ])('%j is one of %j', (host, domain) => {
    expect(found(all, host)).toBe(domain);
  });

  it('finds nothing where nothing fits', () => {
    expect(found(['a.test', '*.test'], 'a.other')).toBeUndefined();
  });

  it('agrees with looking at every domain', () => {
    const label = fc.constantFrom('a', 'ab', 'b', '');
    const name = fc.array(label, { minLength: 1, maxLength: 3 }).map((labels) => labels.join('.'));
    const domain = fc
      .oneof(
        name,
        name.map((text) => `*${text}`),
        name.map((text) => `${text}*`),
      )
      .filter(Boolean);
    const size = (text: string): number => text.length;
    fc.assert(
      fc.property(fc.uniqueArray(domain, { maxLength: 8 }), name, (domains, host) => {
        const suffix = domains.filter((one) => one.startsWith('*') && one !== '*' && host.endsWith(one.slice(1)));
        const prefix = domains.filter(
          (one) => !one.startsWith('*') && one.endsWith('*') && host.startsWith(one.slice(0, -1)),
        );
        const longest = (list: readonly string[]): string | undefined =>
          list.filter((one) => size(one) <= size(host)).sort((a, b) => size(b) - size(a))[0];
        const expected =
          domains.find((one) => one === host && !one.includes('*')) ??
          longest(suffix) ??
          longest(prefix) ??
          domains.find((one) => one === '*');
        expect(found(domains, host)).toBe(expected);
      }),
    );
  });
});

it.each([
  ['a:80', 'a'],
  ['a', 'a'],
  ['[::1]:80', '[::1]'],
  ['[::1]', '[::1]'],
])('takes the port off %j', (authority, host) => {
  expect(withoutPort(authority)).toBe(host);
});
