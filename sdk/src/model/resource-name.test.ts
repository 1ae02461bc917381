import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonicalName, formatXdstp, isXdstp, nameFromTemplate, parseXdstp } from './resource-name.ts';

const LISTENER = 'envoy.config.listener.v3.Listener';

describe('xdstp names (xRFC TP1, gRFC A47)', () => {
  it('have an authority, a type, an id and context parameters', () => {
    expect(parseXdstp(`xdstp://xds.example.com/${LISTENER}/grpc/client/a:80?b=2&a=1`)).toEqual({
      authority: 'xds.example.com',
      type: LISTENER,
      id: 'grpc/client/a:80',
      context: new Map([
        ['a', '1'],
        ['b', '2'],
      ]),
    });
    expect(parseXdstp(`xdstp:///${LISTENER}/x`)).toMatchObject({ authority: '', id: 'x' });
  });

  it.each([
    ['context parameters in order of their keys', 'xdstp://a/t/x?b=2&a=1', 'xdstp://a/t/x?a=1&b=2'],
    ['the authority in lower case', 'xdstp://A.Example/t/x', 'xdstp://a.example/t/x'],
    ['what need not be encoded is not', 'xdstp://a/t/%61%2Db%7e', 'xdstp://a/t/a-b~'],
    ['hexadecimal in upper case', 'xdstp://a/t/a%2fb', 'xdstp://a/t/a%2Fb'],
    ['what must be encoded is', 'xdstp://a/t/ä b"', 'xdstp://a/t/%C3%A4%20b%22'],
    ['an IPv6 target', 'xdstp://a/t/[::1]:80', 'xdstp://a/t/%5B::1%5D:80'],
    ['in a value too', 'xdstp://a/t/x?k=%26%3D+%61', 'xdstp://a/t/x?k=%26%3D%2Ba'],
    ['an empty value', 'xdstp://a/t/x?k=', 'xdstp://a/t/x?k='],
    ['an empty query', 'xdstp://a/t/x?', 'xdstp://a/t/x'],
    ['plain names are what they are', 'outbound|80||A.b%2f?b=2&a=1', 'outbound|80||A.b%2f?b=2&a=1'],
  ])('canonical: %s', (_rule, name, canonical) => {
    expect(canonicalName(name)).toBe(canonical);
    expect(canonicalName(canonical)).toBe(canonical);
  });

  it('an encoded slash is no slash', () => {
    expect(canonicalName('xdstp://a/t/x%2Fy')).not.toBe(canonicalName('xdstp://a/t/x/y'));
  });

  it.each([
    ['xdstp:a', 'is not xdstp://AUTHORITY/TYPE/ID'],
    ['xdstp://a', 'is not xdstp://AUTHORITY/TYPE/ID'],
    ['xdstp://a/t', 'is not xdstp://AUTHORITY/TYPE/ID'],
    ['xdstp://a/t/', 'is not xdstp://AUTHORITY/TYPE/ID'],
    ['xdstp://a//x', 'is not xdstp://AUTHORITY/TYPE/ID'],
    ['xdstp://a/t/x%2', 'no percent-encoding'],
    ['xdstp://a/t/x%zz', 'no percent-encoding'],
    ['xdstp://a/t/x?k=%', 'no percent-encoding'],
    ['xdstp://a/t/x?k=%FF', 'no percent-encoding'],
    ['xdstp://a/t/x?k', 'context parameter "k"'],
    ['xdstp://a/t/x?=v', 'context parameter "=v"'],
    ['xdstp://a/t/x?k=1&%6B=2', 'twice'],
    ['xdstp://a/t/x#entry', 'directives'],
    ['xdstp://a/t/*', 'collections'],
    ['xdstp://a/t/x/*?k=1', 'collections'],
  ])('%s is refused, and stays as it is', (name, why) => {
    expect(parseXdstp(name)).toContain(why);
    expect(parseXdstp(name)).toContain(name);
    expect(canonicalName(name)).toBe(name);
  });

  it('any text is read or refused, canonical once and for all', () => {
    const text = fc.oneof(
      fc.string(),
      fc.string({ unit: 'binary' }),
      fc.constantFrom('%', '%2', '%41', '/', '?', '=', '&', '#', '*'),
    );
    fc.assert(
      fc.property(fc.array(text, { maxLength: 8 }), (parts) => {
        const name = `xdstp://${parts.join('')}`;
        const once = canonicalName(name);
        expect(canonicalName(once)).toBe(once);
        const parsed = parseXdstp(name);
        if (typeof parsed !== 'string') expect(parseXdstp(formatXdstp(parsed))).toEqual(parsed);
      }),
    );
  });
});

describe('the name of a listener', () => {
  it.each([
    ['%s', 'reviews:9080', 'reviews:9080'],
    ['%s', 'a b%', 'a b%'],
    ['prefix/%s', 'reviews:9080', 'prefix/reviews:9080'],
    [`xdstp://a/${LISTENER}/%s?p=1`, 'reviews:9080', `xdstp://a/${LISTENER}/reviews:9080?p=1`],
    [`xdstp://a/${LISTENER}/%s`, '[::1]:80', `xdstp://a/${LISTENER}/%5B::1%5D:80`],
    [`xdstp://a/${LISTENER}/%s`, 'a/b?c#d%$&', `xdstp://a/${LISTENER}/a/b%3Fc%23d%25$&`],
  ])('%s for %s is %s (gRFC A47: encoded in xdstp names alone)', (template, target, name) => {
    expect(nameFromTemplate(template, target)).toBe(name);
    expect(isXdstp(name)).toBe(template.startsWith('xdstp'));
  });
});
