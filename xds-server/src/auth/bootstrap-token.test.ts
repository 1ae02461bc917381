import { createHmac, generateKeyPairSync } from 'node:crypto';
import { SignJWT } from 'jose';
import { expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { createBootstrapTokens } from './bootstrap-token.ts';
import { newTokenKey } from './token-key.ts';

const clock = createFakeClock();
const key = newTokenKey();
const tokens = createBootstrapTokens({ key, trustDomain: 'cluster.local', clock });
const claims = { namespace: 'shop', serviceAccount: 'reviews', ttlMs: 60_000 };
const words = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
const now = Math.floor(clock.wallTime() / 1_000);
const payload = {
  iss: 'inmesh',
  aud: 'istio-ca',
  sub: 'system:serviceaccount:shop:reviews',
  iat: now,
  exp: now + 60,
};
const signed = (over: object, header: object = {}, by = key): Promise<string> =>
  new SignJWT({ ...payload, ...over })
    .setProtectedHeader({ alg: 'ES256', typ: 'inmesh-bootstrap+jwt', ...header })
    .sign(by);

it('proves the namespace and service account it was made for, until it expires', async () => {
  const token = await tokens.mint(claims);
  expect(await tokens.verify(token)).toEqual({
    kind: 'workload',
    trustDomain: 'cluster.local',
    namespace: 'shop',
    serviceAccount: 'reviews',
    via: 'bootstrap-token',
    expiresAtMs: (now + 60) * 1_000,
  });
});

it('is refused once it has expired', async () => {
  const later = createFakeClock();
  const ours = createBootstrapTokens({ key, trustDomain: 'cluster.local', clock: later });
  const token = await ours.mint(claims);
  await later.pass(61_000);
  expect(await ours.verify(token)).toMatchObject({ refused: 'expired' });
});

const other = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const hmac = (head: object): string => {
  const text = `${words(head)}.${words(payload)}`;
  const secret = other.publicKey.export({ type: 'spki', format: 'pem' });
  return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
};

it.each([
  ['signed by another key', 'signature', () => signed({}, {}, other.privateKey)],
  ['for another audience', 'audience', () => signed({ aud: 'vault' })],
  ['of another issuer', 'issuer', () => signed({ iss: 'https://accounts.example' })],
  ['not valid yet', 'not-yet-valid', () => signed({ nbf: now + 600 })],
  ['without an end', 'malformed', () => signed({ exp: undefined })],
  ['of a user instead of a service account', 'subject', () => signed({ sub: 'system:admin' })],
  ['with a path in its subject', 'subject', () => signed({ sub: 'system:serviceaccount:shop/sa/root:x' })],
  ['of another kind', 'malformed', () => signed({}, { typ: 'JWT' })],
  [
    'with another algorithm',
    'algorithm',
    () => signed({}, { alg: 'ES256' }).then((t) => `${words({ alg: 'PS256' })}${t.slice(t.indexOf('.'))}`),
  ],
  [
    'with alg none (RFC 8725 §3.1)',
    'algorithm',
    () => `${words({ alg: 'none', typ: 'inmesh-bootstrap+jwt' })}.${words(payload)}.`,
  ],
  [
    'with HMAC over a public key (RFC 8725 §3.2)',
    'algorithm',
    () => hmac({ alg: 'HS256', typ: 'inmesh-bootstrap+jwt' }),
  ],
  ['whose kid is a path', 'signature', () => signed({}, { kid: '../../../../etc/passwd' }, other.privateKey)],
  ['of two parts', 'malformed', () => 'a.b'],
  ['of no JSON', 'malformed', () => 'a.b.c'],
  ['that is empty', 'malformed', () => ''],
  ['that is too long', 'malformed', () => 'a'.repeat(20_000)],
])('refuses a token %s', async (_what, refused, make) => {
  const token = await make();
  const answer = await tokens.verify(token);
  expect(answer).toMatchObject({ refused });
  if (token.length > 20) expect(JSON.stringify(answer)).not.toContain(token.slice(0, 20));
});

it('refuses a token with one bit changed, wherever it is', async () => {
  const token = await tokens.mint(claims);
  for (let at = 0; at < token.length - 1; at += 7) {
    const changed = Buffer.from(token);
    changed[at] = (changed[at] ?? 0) ^ 1;
    expect(await tokens.verify(changed.toString('latin1')), `byte ${at}`).toHaveProperty('refused');
  }
});

it.each([
  [{ namespace: 'a/b' }, /namespace: got "a\/b"/],
  [{ serviceAccount: '..' }, /service account: got "\.\."/],
  [{ ttlMs: 0 }, /ttl: got 0 ms/],
  [{ ttlMs: Number.NaN }, /ttl/],
  [{ ttlMs: 91 * 86_400_000 }, /1 s to 90 days/],
])('makes none for %j', async (over, message) => {
  await expect(tokens.mint({ ...claims, ...over })).rejects.toThrow(message);
});
