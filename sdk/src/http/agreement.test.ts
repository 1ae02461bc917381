import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { dialledOf, pathOf } from './dialled.ts';
import { normaliseFetch } from './fetch/fetch-input.ts';
import { flatten, readHeaders } from './request-headers.ts';
import { readDispatch } from './undici/dispatch-input.ts';

/** What the platform says of the same input; undefined: it refuses it. */
function platform<T>(ask: () => T): T | undefined {
  try {
    return ask();
  } catch {
    return undefined;
  }
}

const sorted = (list: readonly string[]): string[] => {
  const pairs: string[] = [];
  for (let index = 0; index < list.length; index += 2) pairs.push(`${list[index]}: ${list[index + 1]}`);
  return pairs.sort();
};

const name = fc.oneof(
  // Not `__proto__`: the platform forgets a header of that name.
  fc.constantFrom('a', 'A', 'X-B', 'content-type', 'constructor', 'toString', '', 'a b', 'é', 'a:'),
  fc.string({ maxLength: 5 }),
);
const value = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 6 }),
  fc.constantFrom(' x ', '\tx', 'a\r\nb', '\0', 'é', '€', ''),
);

describe('the same input means the same to the platform', () => {
  it('headers in a record', () => {
    fc.assert(
      // Two spellings of one name are two lines here and one joined line there: the same to whoever reads them.
      fc.property(
        fc.uniqueArray(fc.tuple(name, value), { selector: ([key]) => key.toLowerCase(), maxLength: 4 }),
        (pairs) => {
          const record = Object.fromEntries(pairs);
          const theirs = platform(() => flatten(new Headers(record)));
          const ours = platform(() => readHeaders(record));
          expect(ours && sorted(ours)).toEqual(theirs && sorted(theirs));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('URLs, methods and redirect modes', () => {
    const url = fc.oneof(
      fc.webUrl({ withQueryParameters: true, withFragments: true }),
      fc.constantFrom(
        'http://A.:81/../x?y#z',
        'https://[::1]/a b',
        'http://a:99999',
        '//a',
        'http://',
        'http://a/%zz',
        'http://a\\b\\..\\c',
      ),
      fc.string({ maxLength: 12 }).map((text) => `http://${text}`),
    );
    const init = fc.record(
      {
        method: fc.oneof(
          fc.constantFrom('get', 'PATCH', 'patch', 'Post', 'CONNECT', 'trace', 'X', ''),
          fc.string({ maxLength: 4 }),
        ),
        redirect: fc.constantFrom('follow', 'manual', 'error', 'x'),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(url, init, (text, options) => {
        const theirs = platform(() => new Request(text, options as RequestInit));
        const ours = platform(() => normaliseFetch(text, options as RequestInit));
        // What we leave to the platform, it decides.
        if (ours === undefined || ours === 'platform') return;
        expect(theirs).toBeDefined();
        expect([ours.url.href, ours.method, ours.redirect]).toEqual([theirs?.url, theirs?.method, theirs?.redirect]);
      }),
      { numRuns: 2_000 },
    );
  });

  it('paths given to a dispatcher: decided and sent as a URL has them', () => {
    const piece = fc.constantFrom(
      'a',
      '..',
      '.',
      '%2e',
      '%2E%2e',
      '%2f',
      '//',
      '\\',
      '%',
      '%zz',
      '?',
      '&x=',
      "'",
      '"',
      '<',
      '{',
      '|',
      '^',
      '`',
      ';',
      '#',
      '~',
      'é',
      ':',
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const path = `/${pieces.join('/')}`;
        const ours = platform(() => readDispatch({ origin: 'http://host', path, method: 'GET' })?.request.path);
        if (ours !== undefined) expect(ours).toBe(pathOf(new URL(`http://host${path}`)));
      }),
      { numRuns: 5_000 },
    );
  });

  it('and what is dialled never depends on a header', () => {
    fc.assert(
      fc.property(fc.webUrl(), value, (url, host) => {
        const input = platform(() => normaliseFetch(url, { headers: { host } }));
        if (input === undefined || input === 'platform') return;
        expect(dialledOf(input.url).target).toBe(dialledOf(new URL(url)).target);
      }),
    );
  });
});
