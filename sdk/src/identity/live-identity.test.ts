import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTestCa } from '../../../test/harness/certificates.ts';
import { createFakeClock, settle } from '../../../test/harness/fake-clock.ts';
import { defaultOf } from '../defaults.ts';
import type { MeshEvent } from '../model/events.ts';
import { createBundles } from './bundles.ts';
import type { IdentityState, Svid } from './identity.ts';
import { createIdentity } from './live-identity.ts';
import type { MeshRoots } from './mesh-roots.ts';
import { createRenewal } from './renewal.ts';
import type { SourceListener } from './source.ts';
import { parseSpiffeId } from './spiffe-id.ts';

const HOUR_MS = 3_600_000;
const MINUTE_MS = 60_000;
const ca = await createTestCa();
const other = await createTestCa({ subject: 'CN=other root' });
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const bundles = createBundles([['cluster.local', [ca.pem]]]);

let serial = 0;
function svid(notBeforeMs: number, notAfterMs: number): Svid {
  const id = parseSpiffeId('spiffe://cluster.local/ns/shop/sa/web');
  if (typeof id === 'string') throw new Error(id);
  serial += 1;
  return {
    id,
    chain: `certificate ${serial}`,
    key: createPrivateKey(privateKey.export({ type: 'pkcs8', format: 'pem' })),
    notBeforeMs,
    notAfterMs,
    serialNumber: String(serial),
  };
}

/** A CA that answers as it is told, with a clock of its own that runs `skewMs` ahead of ours. */
function renewing({ lifeMs = 24 * HOUR_MS, skewMs = 0, aliases = [] as string[], issued = bundles } = {}) {
  const clock = createFakeClock();
  const events: MeshEvent[] = [];
  const told: (IdentityState | undefined)[] = [];
  const state = { fault: undefined as string | undefined, asked: 0, skewMs, lifeMs };
  let tellRoots: ((roots: MeshRoots | undefined) => void) | undefined;
  const source = createRenewal(
    {
      kind: 'ca',
      from: 'CA test',
      hasWholeBundles: false,
      async issue() {
        state.asked += 1;
        if (state.fault !== undefined) throw new Error(state.fault);
        const nowMs = clock.wallTime() + state.skewMs;
        return { svid: svid(nowMs, nowMs + state.lifeMs), bundles: issued };
      },
    },
    { clock, random: () => 2 ** 31 },
  );
  const identity = createIdentity({
    source,
    clock,
    emit: (event) => events.push(event),
    aliases,
    watchRoots: (tell) => {
      tellRoots = tell;
      return () => {
        tellRoots = undefined;
      };
    },
  });
  identity.onChange((next) => told.push(next));
  const roots = (next: Partial<MeshRoots>) => tellRoots?.({ own: '', byTrustDomain: new Map(), revoked: '', ...next });
  const kinds = () => events.map(({ kind }) => kind);
  return { clock, events, kinds, told, state, identity, roots, isWatchingRoots: () => tellRoots !== undefined };
}

describe('an identity', () => {
  it('asks nobody before somebody wants to know', async () => {
    const { identity, state, isWatchingRoots } = renewing();
    await settle();
    expect([state.asked, isWatchingRoots(), identity.current()]).toEqual([0, false, undefined]);
    expect(identity.missing).toBe('CA test: nothing has come yet');
    const first = await identity.ready(1_000);
    expect([state.asked, isWatchingRoots(), first.generation]).toEqual([1, true, 1]);
    expect(identity.current()).toBe(first);
  });

  it('renews at half of its life; each certificate is a new generation that listeners are told', async () => {
    const { identity, clock, told, kinds } = renewing();
    await identity.ready(1_000);
    await clock.pass(36 * HOUR_MS + MINUTE_MS);
    expect(told.map((state) => state?.generation)).toEqual([1, 2, 3, 4]);
    expect(new Set(kinds())).toEqual(new Set(['identity-rotated']));
    expect(identity.describe()).toMatchObject({ source: 'CA test', problem: undefined });
  });

  it('a rotation every 2 s never leaves a moment without', async () => {
    const { identity, clock, told, state } = renewing({ lifeMs: 4_000 });
    await identity.ready(1_000);
    await clock.pass(120_000);
    expect(state.asked).toBe(61);
    expect(told).not.toContain(undefined);
  });

  it('the last certificate is used while it is valid and the CA is away; then it fails closed, and says why', async () => {
    const { identity, clock, state, told, kinds, events } = renewing();
    await identity.ready(1_000);
    state.fault = 'connect ECONNREFUSED 10.0.0.1:15012';
    await clock.pass(23 * HOUR_MS + 59 * MINUTE_MS);
    expect(identity.current()?.generation).toBe(1);
    expect(identity.describe()?.problem).toContain('ECONNREFUSED');
    await clock.pass(2 * MINUTE_MS);
    expect(identity.current()).toBeUndefined();
    expect(told.at(-1)).toBeUndefined();
    expect(identity.missing).toMatch(/^CA test: the certificate of spiffe:.* expired at 20.*; connect ECONNREFUSED/);
    expect(kinds().filter((kind) => kind === 'identity-expired')).toHaveLength(1);
    expect(events.find(({ kind }) => kind === 'identity-failed')).toMatchObject({ notAfterMs: expect.any(Number) });
    await expect(Promise.all([identity.ready(500), clock.pass(1_000)])).rejects.toMatchObject({
      code: 'MESH_IDENTITY_UNAVAILABLE',
      message: expect.stringContaining('expired'),
    });
  });

  it('recovers when the CA is back, at once when somebody says so', async () => {
    const { identity, clock, state, told } = renewing();
    await identity.ready(1_000);
    state.fault = 'gone';
    await clock.pass(48 * HOUR_MS);
    state.fault = undefined;
    const asked = state.asked;
    identity.nudge();
    await settle();
    expect([state.asked, identity.current()?.generation]).toEqual([asked + 1, 2]);
    expect(told.map((one) => one?.generation)).toEqual([1, undefined, 2]);
    expect(identity.describe()?.problem).toBeUndefined();
  });

  it('by itself within 150 s and a fifth', async () => {
    const { identity, clock, state } = renewing();
    await identity.ready(1_000);
    state.fault = 'gone';
    await clock.pass(48 * HOUR_MS);
    state.fault = undefined;
    await clock.pass(defaultOf('identityRetryMaxMs') * 1.2);
    expect(identity.current()?.generation).toBe(2);
  });

  it("a CA's clock that is minutes ahead of ours is no reason to refuse what it issued; an hour is", async () => {
    const near = renewing({ skewMs: 4 * MINUTE_MS });
    expect((await near.identity.ready(1_000)).generation).toBe(1);
    const far = renewing({ skewMs: HOUR_MS });
    await expect(Promise.all([far.identity.ready(500), far.clock.pass(1_000)])).rejects.toThrow(
      /is valid from .* on; by this process's clock it is/,
    );
  });

  it('of a clock that is behind no more than the whole life is taken', async () => {
    const { identity, clock, state } = renewing({ skewMs: 4 * MINUTE_MS, lifeMs: 10 * MINUTE_MS });
    await identity.ready(1_000);
    state.fault = 'gone';
    await clock.pass(10 * MINUTE_MS);
    expect(identity.current()).toBeUndefined();
  });

  it('an answer that is over already, by this clock, counts as none', async () => {
    const { identity, clock } = renewing({ skewMs: -48 * HOUR_MS });
    await expect(Promise.all([identity.ready(500), clock.pass(1_000)])).rejects.toThrow(/expired at/);
  });

  it('a process that slept: timers that are hours late, by the wall clock alone', async () => {
    const clock = createFakeClock();
    let wallMs = 0;
    const sleepy = { ...clock, wallTime: () => clock.wallTime() + wallMs };
    let asked = 0;
    const source = createRenewal(
      {
        kind: 'ca',
        from: 'CA test',
        hasWholeBundles: false,
        async issue() {
          asked += 1;
          return { svid: svid(sleepy.wallTime(), sleepy.wallTime() + HOUR_MS), bundles };
        },
      },
      { clock: sleepy, random: () => 2 ** 31 },
    );
    const identity = createIdentity({ source, clock: sleepy, emit: () => {} });
    await identity.ready(1_000);
    // A suspend moves the wall clock and not the monotonic one.
    wallMs = 10 * HOUR_MS;
    await clock.pass(defaultOf('certificateCheckMs'));
    expect(asked).toBe(2);
    expect(identity.current()?.svid.notAfterMs).toBeGreaterThan(sleepy.wallTime());
  });

  it("the control plane's roots are added to the CA's: root rotation needs no new certificate", async () => {
    const { identity, roots, events } = renewing();
    await identity.ready(1_000);
    roots({ own: `${ca.pem}${other.pem}` });
    const state = identity.current();
    expect(state?.generation).toBe(2);
    expect(state?.bundles.of('cluster.local')).toHaveLength(2);
    expect(events.at(-1)).toMatchObject({ kind: 'identity-rotated', changed: 'roots', generation: 2 });
    roots({ own: `${other.pem}${ca.pem}` });
    expect(identity.current()?.generation).toBe(2);
  });

  it('trust domains that the control plane federates, and aliases of our own', async () => {
    const { identity, roots } = renewing({ aliases: ['old.example'] });
    await identity.ready(1_000);
    roots({ byTrustDomain: new Map([['partner.example', other.pem]]) });
    const state = identity.current();
    expect(state?.trustDomains).toEqual(['cluster.local', 'old.example']);
    expect(state?.bundles.of('partner.example')).toHaveLength(1);
    expect(state?.bundles.of('old.example')).toEqual(state?.bundles.of('cluster.local'));
    expect(state?.bundles.of('stranger.example')).toBeUndefined();
  });

  it('without roots of its own trust domain it proves who we are to a control plane, and is none to call by', async () => {
    const { identity, roots, isWatchingRoots } = renewing({ issued: createBundles([]) });
    const ready = identity.ready(60_000);
    await identity.held(1_000);
    expect([identity.own()?.id.uri, identity.current()]).toEqual(['spiffe://cluster.local/ns/shop/sa/web', undefined]);
    expect(identity.missing).toMatch(/no roots of its trust domain.*ROOTCA.*INMESH_ROOT_FILE/);
    expect(isWatchingRoots()).toBe(true);
    roots({ own: ca.pem });
    expect((await ready).bundles.of('cluster.local')).toHaveLength(1);
  });

  it('a mesh that is closed has none, and nobody waits for it any longer', async () => {
    const { identity, clock, isWatchingRoots, state } = renewing();
    state.fault = 'gone';
    const waiting = identity.ready(60_000);
    await settle();
    identity.close();
    await expect(waiting).rejects.toThrow(/the mesh was closed/);
    await expect(identity.ready(1)).rejects.toThrow(/the mesh was closed/);
    expect([isWatchingRoots(), identity.current(), clock.pending()]).toEqual([false, undefined, []]);
  });
});

it('whatever a CA does for however long: never an expired certificate, none missing that could be had, no hot loop', async () => {
  const outage = fc.record({
    upMs: fc.integer({ min: 0, max: 3 * HOUR_MS }),
    downMs: fc.integer({ min: 0, max: 3 * HOUR_MS }),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(outage, { minLength: 1, maxLength: 4 }),
      fc.integer({ min: 10, max: 120 }),
      async (outages, minutes) => {
        const { identity, clock, state } = renewing({ lifeMs: minutes * MINUTE_MS });
        identity.start();
        const check = async (ms: number): Promise<void> => {
          for (let passed = 0; passed < ms; passed += 5 * MINUTE_MS) {
            await clock.pass(Math.min(5 * MINUTE_MS, ms - passed));
            const notAfterMs = identity.current()?.svid.notAfterMs;
            expect(notAfterMs ?? Number.POSITIVE_INFINITY).toBeGreaterThan(clock.wallTime());
            // 150 s and a fifth after the CA is back at the latest.
            if (state.fault === undefined && passed > 0) expect(notAfterMs).toBeDefined();
          }
        };
        for (const { upMs, downMs } of outages) {
          state.fault = undefined;
          await check(upMs);
          state.fault = 'gone';
          await check(downMs);
        }
        // One in half a life while all is well, one in 120 s while it is not, and the first few of each outage.
        const hours = clock.now() / HOUR_MS;
        expect(state.asked).toBeLessThan(hours * 31 + hours * (60 / minutes) * 3 + outages.length * 12 + 2);
        identity.close();
        expect(clock.pending()).toEqual([]);
      },
    ),
    { numRuns: 40 },
  );
});

describe('a source that pushes', () => {
  it('what is told again changes nothing; what is unusable leaves what is held', async () => {
    const clock = createFakeClock();
    const events: MeshEvent[] = [];
    let on: SourceListener | undefined;
    const source = {
      kind: 'files' as const,
      from: 'files x',
      hasWholeBundles: true,
      start(to: SourceListener) {
        on = to;
      },
      close() {},
    };
    const identity = createIdentity({ source, clock, emit: (event) => events.push(event) });
    const waiting = identity.ready(1_000);
    const good = { svid: svid(clock.wallTime(), clock.wallTime() + HOUR_MS), bundles };
    on?.found(good);
    expect((await waiting).generation).toBe(1);
    on?.found({ ...good });
    on?.found({ svid: svid(0, 1), bundles });
    on?.failed('/x/key.pem: there is no PEM private key in it');
    expect(identity.current()?.generation).toBe(1);
    expect(events.map(({ kind }) => kind)).toEqual(['identity-rotated', 'identity-failed', 'identity-failed']);
  });
});

it('an identity that is printed shows no key', async () => {
  const { readSvid } = await import('./svid.ts');
  const made = await ca.issue({ uris: ['spiffe://cluster.local/ns/shop/sa/web'] });
  const read = readSvid(made.pem, made.key);
  expect(JSON.stringify(read)).not.toMatch(/PRIVATE|BEGIN/);
  expect(inspect(read, { depth: 9 })).toMatch(/^\{\s+id: 'spiffe:/);
  expect(inspect(read, { depth: 9 })).not.toMatch(/PRIVATE|BEGIN/);
});
