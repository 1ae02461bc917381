import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { exportJWK, SignJWT } from 'jose';
import { afterEach, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { httpsPeer } from './https-peer.fixture.ts';
import { createJwtIssuer } from './jwt-issuer.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

const MINUTE_MS = 60_000;
const rsa = () => generateKeyPairSync('rsa', { modulusLength: 2_048 });

/** An issuer with a discovery document and keys that a test changes. */
async function setUp() {
  const clock = createFakeClock();
  const keys = new Map<string, KeyObject>();
  let isUp = true;
  const peer = await httpsPeer(({ path }) => {
    if (!isUp) return { status: 503, body: 'down' };
    if (path === '/.well-known/openid-configuration')
      return { status: 200, body: { issuer: peer.url, jwks_uri: `${peer.url}/keys` } };
    return path === '/keys' ? { status: 200, body: { keys: published } } : { status: 404, body: '' };
  });
  closers.push(peer.close);
  let published: object[] = [];
  const publish = async (...kids: string[]) => {
    for (const kid of kids) {
      const { publicKey, privateKey } = rsa();
      keys.set(kid, privateKey);
      published.push({ ...(await exportJWK(publicKey)), kid, alg: 'RS256' });
    }
  };
  await publish('one');
  const issuer = createJwtIssuer({ issuer: peer.url, ca: peer.ca }, { trustDomain: 'cluster.local', clock });
  const token = (over: object = {}, kid = 'one') => {
    const now = Math.floor(clock.wallTime() / 1_000);
    const claims = {
      iss: peer.url,
      aud: ['istio-ca'],
      sub: 'system:serviceaccount:shop:web',
      iat: now,
      exp: now + 7_200,
    };
    const key = keys.get(kid);
    if (key === undefined) throw new Error(kid);
    return new SignJWT({ ...claims, ...over }).setProtectedHeader({ alg: 'RS256', kid }).sign(key);
  };
  return {
    clock,
    peer,
    issuer,
    token,
    publish,
    withdraw: () => {
      published = [];
    },
    keys,
    down: () => {
      isUp = false;
    },
  };
}

it('takes a service account’s token of its issuer, whose keys it finds by discovery', async () => {
  const { issuer, token, clock } = await setUp();
  expect(await issuer.verify(await token())).toEqual({
    kind: 'workload',
    trustDomain: 'cluster.local',
    namespace: 'shop',
    serviceAccount: 'web',
    via: 'oidc',
    expiresAtMs: (Math.floor(clock.wallTime() / 1_000) + 7_200) * 1_000,
  });
});

it('takes what a token of Kubernetes is bound to, where it speaks of the subject', async () => {
  const { issuer, token } = await setUp();
  const bound = (namespace: string, name = 'web') => ({
    'kubernetes.io': {
      namespace,
      serviceaccount: { name, uid: 's' },
      node: { name: 'node-1', uid: 'n' },
      pod: { name: 'web-7d9', uid: '0f0e' },
    },
  });
  const proven = { node: 'node-1', pod: { name: 'web-7d9', uid: '0f0e' } };
  expect(await issuer.verify(await token(bound('shop')))).toMatchObject(proven);
  for (const over of [bound('bank'), bound('shop', 'root'), { 'kubernetes.io': 'x' }, { 'kubernetes.io': null }]) {
    const said = await issuer.verify(await token(over));
    expect(said).toMatchObject({ serviceAccount: 'web' });
    expect(said).not.toHaveProperty('pod');
    expect(said).not.toHaveProperty('node');
  }
});

it.each([
  ['of another audience', 'audience', { aud: 'vault' }],
  ['of another issuer', 'issuer', { iss: 'https://evil.example' }],
  ['of a user', 'subject', { sub: 'alice' }],
  ['that has expired', 'expired', { exp: 1 }],
  ['without an end', 'expired', { exp: undefined }],
  ['that is not valid yet', 'not-yet-valid', { nbf: 9_999_999_999 }],
])('refuses a token %s', async (_what, refused, over) => {
  const { issuer, token } = await setUp();
  expect(await issuer.verify(await token(over))).toMatchObject({ refused });
});

it('refuses a token signed by a key that its issuer does not have, whatever its kid says', async () => {
  const { issuer, token, keys } = await setUp();
  keys.set('../../keys/one', rsa().privateKey);
  keys.set('one', rsa().privateKey);
  expect(await issuer.verify(await token({}, 'one'))).toMatchObject({ refused: 'signature' });
  expect(await issuer.verify(await token({}, '../../keys/one'))).toMatchObject({ refused: 'unknown-key' });
});

it('asks anew for a key it does not know, and no more often than every ten seconds', async () => {
  const { issuer, token, publish, peer, clock, keys } = await setUp();
  expect(await issuer.verify(await token())).not.toHaveProperty('refused');
  await publish('two');
  await clock.pass(11_000);
  expect(await issuer.verify(await token({}, 'two'))).not.toHaveProperty('refused');
  const before = peer.asked.length;
  keys.set('three', rsa().privateKey);
  for (let times = 0; times < 20; times++)
    expect(await issuer.verify(await token({}, 'three'))).toMatchObject({ refused: 'unknown-key' });
  expect(peer.asked.length).toBe(before);
});

it('goes on with the last good keys for an hour after its issuer is gone, then denies', async () => {
  const { issuer, token, down, clock } = await setUp();
  const long = await token({ exp: Math.floor(clock.wallTime() / 1_000) + 86_400 });
  expect(await issuer.verify(long)).not.toHaveProperty('refused');
  down();
  await clock.pass(59 * MINUTE_MS);
  expect(await issuer.verify(long)).not.toHaveProperty('refused');
  await clock.pass(2 * MINUTE_MS);
  expect(await issuer.verify(long)).toMatchObject({ refused: 'keys-unavailable' });
});

it('takes no token by a key that its issuer has withdrawn, once it has looked', async () => {
  const { issuer, token, withdraw, clock } = await setUp();
  const one = await token();
  expect(await issuer.verify(one)).not.toHaveProperty('refused');
  withdraw();
  await clock.pass(6 * MINUTE_MS);
  expect(await issuer.verify(one)).toMatchObject({ refused: 'unknown-key' });
});

it('denies where it never had keys, and does not ask again at once', async () => {
  const { issuer, token, down, peer } = await setUp();
  down();
  expect(await issuer.verify(await token())).toMatchObject({ refused: 'keys-unavailable' });
  const before = peer.asked.length;
  expect(await issuer.verify(await token())).toMatchObject({ refused: 'keys-unavailable' });
  expect(peer.asked.length).toBe(before);
});

it('fetches no keys in plain text from another machine', async () => {
  const { token, clock } = await setUp();
  const rule = { issuer: 'http://issuer.example', jwksUri: 'http://issuer.example/keys' };
  const plain = createJwtIssuer(rule, { trustDomain: 'cluster.local', clock });
  const answer = await plain.verify(await token({ iss: rule.issuer }));
  expect(answer).toMatchObject({ refused: 'keys-unavailable', message: expect.stringContaining('want https') });
});
