import fc from 'fast-check';
import { paths } from './matches.ts';
import { CLUSTERS, RUNTIME } from './tables.ts';

/** A request as `inmesh explain --request` takes it. */
export interface Question {
  readonly method: string;
  readonly scheme: 'http' | 'https';
  readonly authority: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly runtime: Readonly<Record<string, number>>;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** What the Lua filter of the Envoy under test makes of `x-metadata`: `test.k`. */
const METADATA: ReadonlyMap<string, unknown> = new Map<string, unknown>([
  ['a', 'a'],
  ['1', 1],
  ['2.5', 2.5],
  ['true', true],
  ['false', false],
  ['list', ['a', 'b', 1]],
  ['map', { sub: 'ab' }],
]);

const host = fc.constantFrom('a.test', 'A.test', 'b.test', 'x-b.test', 'x.a.test', 'c.test', 'other', 'a.zz');
const authority = fc.tuple(host, fc.constantFrom('', '', ':80', ':8080')).map((parts) => parts.join(''));
const path = fc
  .tuple(
    paths,
    fc.constantFrom('', '', '?', '?v=a', '?v', '?w=1&v=ab', '?V=a&v=12&v=a', '?x=/a?v=a', '?v=a=b', '?&v=%61'),
  )
  .map((parts) => parts.join(''));

const value = fc.constantFrom('a', 'ab', 'abc', 'A', '1', '12', '-3', '1,2', 'a b', '', 'x=1', 'é', 'B');
const list = (of: fc.Arbitrary<string>, maxLength = 2) => fc.array(of, { minLength: 1, maxLength });

const contentType = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom('a', 'application/grpc-web', 'text/plain') },
  { weight: 1, arbitrary: fc.constantFrom('application/grpc', 'application/grpc+proto') },
);

const headers = fc.record(
  {
    'x-a': list(value),
    'x-b': list(value),
    'x-c': list(value),
    accept: list(value),
    'content-type': list(contentType, 1),
    cookie: list(fc.constantFrom('u=a', 't=1; u="ab"', 'u=; t=a', 'bad; u=12', 'v=1')),
    'x-cluster': list(fc.constantFrom(...CLUSTERS, 'missing', ''), 2),
    'x-host': list(authority, 1),
    'x-forwarded-host': list(fc.constantFrom('f', 'a.test'), 1),
    'x-envoy-attempt-count': list(fc.constantFrom('7'), 1),
    'x-metadata': list(fc.constantFrom(...METADATA.keys()), 1),
  },
  { requiredKeys: [] },
);

export const questions: fc.Arbitrary<Question> = fc
  .record({
    method: fc.constantFrom('GET', 'POST', 'PUT', 'DELETE'),
    scheme: fc.constantFrom('http', 'https'),
    authority,
    path,
    headers,
    random: fc.oneof(fc.integer({ min: 0, max: 400 }), fc.constant('18446744073709551615')),
  })
  .map(({ random, ...rest }) => {
    const metadata = METADATA.get(rest.headers['x-metadata']?.[0] ?? '');
    return {
      ...rest,
      headers: { ...rest.headers, 'x-random': [String(random)] },
      runtime: RUNTIME,
      metadata: metadata === undefined ? {} : { test: { k: metadata } },
    };
  });
