import { afterEach, expect, it } from 'vitest';
import { createFakeClock, type FakeClock } from '../../../test/harness/fake-clock.ts';
import type { Principal } from '../auth/principal.ts';
import { type Authority, createAuthority } from '../ca/authority.ts';
import { defaultOf } from '../defaults.ts';
import { createOwnCertificate } from './own-certificate.ts';
import { createOwnSecrets } from './own-secrets.ts';

const closers: (() => void)[] = [];
afterEach(() => {
  for (const close of closers.splice(0)) close();
});

const HOUR_MS = 3_600_000;
const GATEWAY: Principal = {
  kind: 'workload',
  trustDomain: 'cluster.local',
  namespace: 'shop',
  serviceAccount: 'gateway',
  via: 'kubernetes',
};

async function setUp() {
  const clock = createFakeClock();
  const authority = await createAuthority({ trustDomain: 'cluster.local', clock });
  closers.push(() => authority.close());
  return { clock, authority };
}

function secretsOf(clock: FakeClock, authority: () => Promise<Authority>) {
  const failures: string[] = [];
  let changes = 0;
  let isAsked = true;
  const secrets = createOwnSecrets({
    authority,
    clock,
    hash: (bytes) => Buffer.from(bytes).toString('base64'),
    changed: () => changes++,
    failed: (message) => failures.push(message),
    isAsked: () => isAsked,
  });
  closers.push(() => secrets.close());
  return { secrets, failures, changes: () => changes, ask: (value: boolean) => (isAsked = value) };
}

const svid = (secrets: ReturnType<typeof secretsOf>['secrets'], id = 'gw-1') => secrets.svid(id, GATEWAY)?.version;

it('renews an Envoy’s certificate at half of its life, and says so', async () => {
  const { clock, authority } = await setUp();
  const { secrets, changes } = secretsOf(clock, async () => authority);
  expect(svid(secrets)).toBeUndefined();
  await expect.poll(() => svid(secrets)).toBeDefined();
  const first = svid(secrets);
  expect(changes()).toBe(1);
  await clock.pass(11 * HOUR_MS);
  expect(svid(secrets)).toBe(first);
  await clock.pass(2 * HOUR_MS);
  await expect.poll(() => svid(secrets)).not.toBe(first);
  expect(changes()).toBe(2);
});

it('gives two Envoys of one service account a key each', async () => {
  const { clock, authority } = await setUp();
  const { secrets } = secretsOf(clock, async () => authority);
  await expect.poll(() => svid(secrets, 'gw-1')).toBeDefined();
  await expect.poll(() => svid(secrets, 'gw-2')).toBeDefined();
  expect(svid(secrets, 'gw-1')).not.toBe(svid(secrets, 'gw-2'));
});

it('makes no more for the node ids that somebody makes up than one identity may ask for', async () => {
  const { clock, authority } = await setUp();
  let made = 0;
  const issueKeyPair = (): Promise<never> => {
    made++;
    return Promise.reject(new Error('not here'));
  };
  const counting = { ...authority, issueKeyPair };
  const { secrets, failures, changes } = secretsOf(clock, async () => counting as unknown as Authority);
  for (let count = 0; count < 2_000; count++) svid(secrets, `gw-${count}`);
  await expect.poll(() => made).toBe(500);
  expect(failures.filter((one) => one.includes('more certificates'))).toHaveLength(1);
  // Who was too fast is served later, without asking again.
  await clock.pass(defaultOf('renewalRetryMs'));
  expect(changes()).toBe(1);
});

it('forgets a key that nobody asks for any more, and makes no new one', async () => {
  const { clock, authority } = await setUp();
  const { secrets, ask } = secretsOf(clock, async () => authority);
  await expect.poll(() => svid(secrets)).toBeDefined();
  const before = svid(secrets);
  ask(false);
  await clock.pass(13 * HOUR_MS);
  expect(clock.pending().filter((ms) => ms < 13 * HOUR_MS && ms > HOUR_MS)).toEqual([]);
  await expect.poll(() => svid(secrets)).not.toBe(before);
});

it('tries again where the CA is not there, and says what failed without a key', async () => {
  const { clock, authority } = await setUp();
  let isThere = false;
  const { secrets, failures } = secretsOf(clock, async () => {
    if (!isThere) throw new Error('the disk is gone');
    return authority;
  });
  expect(svid(secrets)).toBeUndefined();
  await expect
    .poll(() => failures)
    .toEqual(['the certificate of spiffe://cluster.local/ns/shop/sa/gateway cannot be had: the disk is gone']);
  isThere = true;
  await clock.pass(11_000);
  await expect.poll(() => svid(secrets)).toBeDefined();
});

it('the control plane renews its own certificate at half of its life, and follows a new root at once', async () => {
  const { clock, authority } = await setUp();
  const own = await createOwnCertificate({ authority, dns: ['localhost'], ips: [], clock, failed: () => {} });
  closers.push(() => own.close());
  const first = own.current();
  expect(first?.svid.id.uri).toBe('spiffe://cluster.local/ns/istio-system/sa/istiod');
  await authority.rotateRoot();
  expect(own.current()?.generation).toBeGreaterThan(first?.generation ?? 0);
  expect(own.current()?.bundles.of('cluster.local')).toHaveLength(2);
  expect(own.current()?.svid.serialNumber).toBe(first?.svid.serialNumber);
  await clock.pass(13 * HOUR_MS);
  await expect.poll(() => own.current()?.svid.serialNumber).not.toBe(first?.svid.serialNumber);
});
