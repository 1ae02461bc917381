import { expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { bearerToken, createAuthenticator } from './authenticator.ts';
import { createBootstrapTokens } from './bootstrap-token.ts';
import { type Principal, refuse } from './principal.ts';
import { newTokenKey } from './token-key.ts';

const clock = createFakeClock();
const tokens = createBootstrapTokens({ key: newTokenKey(), trustDomain: 'cluster.local', clock });
const authenticate = createAuthenticator({ bootstrapTokens: async () => tokens });
const minted = () => tokens.mint({ namespace: 'shop', serviceAccount: 'web', ttlMs: 60_000 });
const BY_CERTIFICATE: Principal = {
  kind: 'workload',
  trustDomain: 'cluster.local',
  namespace: 'shop',
  serviceAccount: 'web',
  via: 'certificate',
};
const BAD = refuse('certificate', 'certificate: it has expired');

it('takes the certificate before the token (Istio’s order of authenticators)', async () => {
  expect(await authenticate({ token: 'garbage', certificate: BY_CERTIFICATE })).toBe(BY_CERTIFICATE);
});

it('takes a good token beside a certificate that proves nothing; without one the certificate’s fault is the answer', async () => {
  expect(await authenticate({ token: await minted(), certificate: BAD })).toMatchObject({ via: 'bootstrap-token' });
  expect(await authenticate({ certificate: BAD })).toBe(BAD);
  expect(await authenticate({})).toBeUndefined();
});

it('does not leave the holder of a bad token merely unproven', async () => {
  expect(await authenticate({ token: `${await minted()}x` })).toHaveProperty('refused');
  const nobody = createAuthenticator({});
  expect(await nobody({ token: await minted() })).toMatchObject({ refused: 'issuer' });
});

it.each([
  [[], undefined],
  [['Bearer abc.def'], 'abc.def'],
  [['bearer abc'], 'abc'],
])('reads authorization %j', (values, token) => {
  expect(bearerToken(values)).toBe(token);
});

it.each([
  [['Basic abc']],
  [['Bearer']],
  [['Bearer a b']],
  [['Bearer a', 'Bearer b']],
  [[Buffer.from('Bearer a')]],
  [['']],
])('refuses authorization %j', (values) => {
  expect(bearerToken(values)).toMatchObject({ refused: 'malformed' });
});
