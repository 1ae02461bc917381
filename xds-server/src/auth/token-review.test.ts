import { afterEach, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { createKubernetesApi } from '../kubernetes/api.ts';
import { type Answer, type Asked, httpsPeer } from './https-peer.fixture.ts';
import { createTokenReviewer } from './token-review.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const clock = createFakeClock();
const exp = Math.floor(clock.wallTime() / 1_000) + 3_600;
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
const tokenOf = (over: object = {}, alg = 'RS256'): string =>
  `${part({ alg })}.${part({ aud: ['istio-ca'], sub: 'system:serviceaccount:shop:web', exp, ...over })}.c2lnbmF0dXJl`;

const GOOD = {
  authenticated: true,
  audiences: ['istio-ca'],
  user: {
    username: 'system:serviceaccount:shop:web',
    extra: {
      'authentication.kubernetes.io/node-name': ['node-1'],
      'authentication.kubernetes.io/pod-name': ['web-7d9'],
      'authentication.kubernetes.io/pod-uid': ['0f0e'],
    },
  },
};

async function setUp(answer: (asked: Asked) => Answer | undefined = () => ({ status: 201, body: { status: GOOD } })) {
  const peer = await httpsPeer(answer);
  closers.push(peer.close);
  const api = createKubernetesApi({ server: new URL(peer.url), ca: peer.ca, token: () => 'own-token' });
  return { ...peer, verify: createTokenReviewer({ api, trustDomain: 'cluster.local', clock }) };
}

it('asks the API server for the audience istio-ca, as itself, and takes node and pod from its answer', async () => {
  const { verify, asked } = await setUp();
  const token = tokenOf();
  expect(await verify(token)).toEqual({
    kind: 'workload',
    trustDomain: 'cluster.local',
    namespace: 'shop',
    serviceAccount: 'web',
    via: 'kubernetes',
    expiresAtMs: exp * 1_000,
    node: 'node-1',
    pod: { name: 'web-7d9', uid: '0f0e' },
  });
  expect(asked).toMatchObject([
    {
      method: 'POST',
      path: '/apis/authentication.k8s.io/v1/tokenreviews',
      authorization: 'Bearer own-token',
      body: { kind: 'TokenReview', spec: { token, audiences: ['istio-ca'] } },
    },
  ]);
});

it.each([
  ['that it does not know', 'reviewed', { authenticated: false, error: 'invalid bearer token' }],
  ['for an audience it does not check', 'audience', { ...GOOD, audiences: undefined }],
  ['of a user', 'subject', { ...GOOD, user: { username: 'alice' } }],
  ['with an answer that says nothing', 'reviewed', {}],
])('refuses a token %s', async (_what, refused, status) => {
  const { verify } = await setUp(() => ({ status: 201, body: { status } }));
  expect(await verify(tokenOf())).toMatchObject({ refused });
});

it.each([
  ['for another audience', 'audience', tokenOf({ aud: ['https://kubernetes.default.svc'] })],
  ['that has expired', 'expired', tokenOf({ exp: 1 })],
  ['of a user', 'subject', tokenOf({ sub: 'alice' })],
  ['with alg none', 'algorithm', tokenOf({}, 'none')],
  ['that is none', 'malformed', 'garbage'],
])('does not even ask about a token %s', async (_what, refused, token) => {
  const { verify, asked } = await setUp();
  expect(await verify(token)).toMatchObject({ refused });
  expect(asked).toEqual([]);
});

it.each([
  [
    'forbids the question',
    () => ({ status: 403, body: { message: 'cannot create tokenreviews' } }),
    /403 cannot create/,
  ],
  ['is ill', () => ({ status: 500, body: 'x' }), /500/],
  ['answers endlessly', () => ({ status: 200, body: 'x'.repeat(5_000_000) }), /more than/],
] as const)('denies, for now, where the API server %s', async (_what, answer, message) => {
  const { verify } = await setUp(answer);
  const token = tokenOf();
  const said = await verify(token);
  expect(said).toMatchObject({ refused: 'review-unavailable', message: expect.stringMatching(message) });
  expect(JSON.stringify(said)).not.toContain('own-token');
});

it('does not speak to an API server that another CA vouches for', async () => {
  const { url } = await setUp();
  const { ca } = await setUp();
  const api = createKubernetesApi({ server: new URL(url), ca, token: () => 'own-token' });
  const verify = createTokenReviewer({ api, trustDomain: 'cluster.local', clock });
  expect(await verify(tokenOf())).toMatchObject({ refused: 'review-unavailable' });
});

it('asks about 64 tokens at a time: more come again', async () => {
  const { verify, asked } = await setUp(() => undefined);
  for (let times = 0; times < 64; times++) void verify(tokenOf({ times }));
  await expect.poll(() => asked.length, { timeout: 20_000 }).toBe(64);
  expect(await verify(tokenOf())).toMatchObject({ refused: 'review-unavailable' });
});
