import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { xxHash64 } from '../../balancer/hash/xx-hash-64.ts';
import { systemTurn } from '../../clock.ts';
import { defaultOf } from '../../defaults.ts';
import type { OutlierDetection } from '../../model/cluster.ts';
import { patientTimer } from '../../wire/late-timer.ts';
import type { Outcome } from '../pick.ts';
import { createRig, RULES } from './outlier.fixture.ts';

const OK: Outcome = { status: 200 };
const BAD: Outcome = { status: 500 };
const rules = (more: Partial<OutlierDetection>): OutlierDetection => ({ ...RULES, ...more });
const times = (count: number, outcome: Outcome): Outcome[] => new Array<Outcome>(count).fill(outcome);

describe('consecutive failures', () => {
  it('the threshold ejects at once, and the host is picked no more (consecutive_5xx)', () => {
    const rig = createRig(rules({ consecutive5xx: 3 }), 2);
    rig.tell('h0', BAD, BAD);
    expect(rig.ejected()).toEqual([]);
    rig.tell('h0', BAD);
    expect(rig.ejected()).toEqual(['h0']);
    expect([rig.call(), rig.call(), rig.call()]).toEqual(['h1', 'h1', 'h1']);
  });

  it('any answer below 500 begins anew; no outcome at all does not', () => {
    const rig = createRig(rules({ consecutive5xx: 3 }), 1);
    rig.tell('h0', BAD, BAD, { status: 404 }, BAD, {}, BAD, {});
    expect(rig.ejected()).toEqual([]);
    rig.tell('h0', BAD);
    expect(rig.ejected()).toEqual(['h0']);
  });

  it.each<{ rule: string; given: Partial<OutlierDetection>; outcomes: Outcome[]; out: boolean }>([
    {
      rule: 'resets, refusals and timeouts count as 5xx',
      given: { consecutive5xx: 3 },
      outcomes: [{ error: 'reset' }, { error: 'connect' }, { error: 'timeout' }],
      out: true,
    },
    {
      rule: 'a limit of ours does not count',
      given: { consecutive5xx: 1 },
      outcomes: times(3, { error: 'overflow' }),
      out: false,
    },
    {
      rule: 'a grpc-status counts as its HTTP status: UNAVAILABLE is 503',
      given: { consecutive5xx: 2 },
      outcomes: times(2, { status: 200, grpcStatus: 14 }),
      out: true,
    },
    { rule: 'NOT_FOUND is 404', given: { consecutive5xx: 1 }, outcomes: [{ status: 200, grpcStatus: 5 }], out: false },
    {
      rule: 'an unknown grpc-status is 500',
      given: { consecutive5xx: 1 },
      outcomes: [{ status: 200, grpcStatus: 99 }],
      out: true,
    },
    {
      rule: 'gateway failures are 502, 503 and 504',
      given: { consecutive5xx: 100, consecutiveGatewayFailure: 3, enforcingConsecutiveGatewayFailure: 100 },
      outcomes: [{ status: 502 }, { status: 503 }, { status: 504 }],
      out: true,
    },
    {
      rule: 'a 500 begins the gateway failures anew',
      given: { consecutive5xx: 100, consecutiveGatewayFailure: 2, enforcingConsecutiveGatewayFailure: 100 },
      outcomes: [{ status: 502 }, BAD, { status: 503 }],
      out: false,
    },
    {
      rule: 'gateway failures are detected only, by default',
      given: { consecutive5xx: 100, consecutiveGatewayFailure: 2 },
      outcomes: times(6, { status: 503 }),
      out: false,
    },
    {
      rule: 'enforcing 0 ejects nobody',
      given: { consecutive5xx: 1, enforcingConsecutive5xx: 0 },
      outcomes: times(6, BAD),
      out: false,
    },
    { rule: 'a threshold of 0 is never reached', given: { consecutive5xx: 0 }, outcomes: times(6, BAD), out: false },
    {
      rule: 'split: refused connections are local origin failures',
      given: { splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailure: 2, consecutive5xx: 1 },
      outcomes: times(2, { error: 'connect' }),
      out: true,
    },
    {
      rule: 'split: each connection begins them anew, so resets never add up',
      given: { splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailure: 2, consecutive5xx: 1 },
      outcomes: times(5, { error: 'reset' }),
      out: false,
    },
    {
      rule: 'split: answers of 5xx count as ever',
      given: { splitExternalLocalOriginErrors: true, consecutive5xx: 2 },
      outcomes: [BAD, { error: 'connect' }, BAD],
      out: true,
    },
  ])('$rule', ({ given, outcomes, out }) => {
    const rig = createRig(rules(given), 1);
    rig.tell('h0', ...outcomes);
    expect(rig.ejected()).toEqual(out ? ['h0'] : []);
  });

  it('an answer whose body breaks off is a failure after all', () => {
    const rig = createRig(rules({ consecutive5xx: 1 }), 1);
    const picked = rig.upstream.pick({});
    if (picked.kind === 'failure') throw new Error(picked.reason);
    picked.outcome(OK);
    picked.outcome({ error: 'reset' });
    picked.release();
    expect(rig.ejected()).toEqual(['h0']);
  });

  it("a timeout that a stall of this process made late is not the host's fault", async () => {
    const rig = createRig(rules({ consecutive5xx: 1 }), 1);
    const late = (stallMs: number) =>
      new Promise<void>((resolve) => {
        patientTimer({ clock: rig.clock, turn: systemTurn }, 1_000, () => {
          rig.tell('h0', { error: 'timeout' });
          resolve();
        });
        rig.clock.stall(stallMs);
        void rig.clock.pass(1_000);
      });
    await late(2_000);
    expect(rig.ejected()).toEqual([]);
    await late(0);
    expect(rig.ejected()).toEqual(['h0']);
  });

  it('TCP: a connection is a success, a refusal a failure', () => {
    const rig = createRig(rules({ consecutive5xx: 2 }), 1);
    rig.tell('h0', { error: 'connect' });
    const picked = rig.upstream.pick({});
    if (picked.kind === 'failure') throw new Error(picked.reason);
    picked.connected(true);
    rig.tell('h0', { error: 'connect' });
    expect(rig.ejected()).toEqual([]);
    rig.tell('h0', { error: 'connect' });
    expect(rig.ejected()).toEqual(['h0']);
  });
});

describe('how many may be ejected', () => {
  it.each([
    { hosts: 9, maxEjectionPercent: 10, most: 0 },
    { hosts: 10, maxEjectionPercent: 10, most: 1 },
    { hosts: 4, maxEjectionPercent: 50, most: 2 },
    { hosts: 3, maxEjectionPercent: 100, most: 3 },
    { hosts: 3, maxEjectionPercent: 0, most: 0 },
  ])('max_ejection_percent $maxEjectionPercent of $hosts: $most', ({ hosts, maxEjectionPercent, most }) => {
    const rig = createRig(rules({ consecutive5xx: 1, maxEjectionPercent }), hosts);
    for (let host = 0; host < hosts; host++) rig.tell(`h${host}`, BAD);
    expect(rig.ejected()).toHaveLength(most);
  });

  it('always_eject_one_host: one, whatever the percentage', () => {
    const rig = createRig(rules({ consecutive5xx: 1, maxEjectionPercent: 0, alwaysEjectOneHost: true }), 3);
    rig.tell('h0', BAD);
    rig.tell('h1', BAD);
    expect(rig.ejected()).toEqual(['h0']);
  });

  it('all ejected is UH without panic, and everybody with it (healthy_panic_threshold)', () => {
    const calm = createRig(rules({ consecutive5xx: 1 }), 2);
    const panic = createRig(rules({ consecutive5xx: 1 }), 2, { panicThreshold: 50 });
    for (const rig of [calm, panic]) for (const host of ['h0', 'h1']) rig.tell(host, BAD);
    expect(calm.call()).toBe('UH');
    expect(panic.ejected()).toEqual(['h0', 'h1']);
    expect(new Set([panic.call(), panic.call()])).toEqual(new Set(['h0', 'h1']));
  });
});

describe('the end of an ejection', () => {
  it('comes at the first interval after base × times, and the counts are new', async () => {
    const rig = createRig(rules({ consecutive5xx: 2, baseEjectionTimeMs: 25_000 }), 1);
    rig.tell('h0', BAD, BAD);
    await rig.clock.pass(29_999);
    expect(rig.ejected()).toEqual(['h0']);
    await rig.clock.pass(1);
    expect(rig.ejected()).toEqual([]);
    rig.tell('h0', BAD);
    expect(rig.call()).toBe('h0');
  });

  it('the next one lasts longer, up to the maximum; whole intervals of health shorten it again', async () => {
    const rig = createRig(rules({ consecutive5xx: 1, maxEjectionTimeMs: 60_000 }), 1);
    const lasted = async (): Promise<number> => {
      rig.tell('h0', BAD);
      let ms = 0;
      for (; rig.ejected().length > 0; ms += 10_000) await rig.clock.pass(10_000);
      return ms;
    };
    expect([await lasted(), await lasted(), await lasted(), await lasted()]).toEqual([30_000, 60_000, 60_000, 60_000]);
    await rig.clock.pass(100_000);
    expect(await lasted()).toBe(30_000);
  });

  it('jitter is drawn within its maximum and added', () => {
    const ends = Array.from({ length: 20 }, (_, seed) => {
      const rig = createRig(rules({ consecutive5xx: 1, maxEjectionTimeJitterMs: 500 }), 1, {}, seed + 1);
      rig.tell('h0', BAD);
      const [{ sinceMs, untilMs } = { sinceMs: 0, untilMs: 0 }] = rig.upstream.ejections();
      return untilMs - sinceMs;
    });
    expect(Math.min(...ends)).toBeGreaterThanOrEqual(30_000);
    expect(Math.max(...ends)).toBeLessThanOrEqual(30_500);
    expect(new Set(ends).size).toBeGreaterThan(10);
  });

  it('may be by hand', () => {
    const rig = createRig(rules({ consecutive5xx: 1 }), 1);
    rig.tell('h0', BAD);
    expect(rig.upstream.uneject('h9:80')).toBe(false);
    expect(rig.upstream.uneject('h0:80')).toBe(true);
    expect(rig.upstream.uneject('h0:80')).toBe(false);
    expect(rig.call()).toBe('h0');
    expect(rig.events.map(({ kind }) => kind)).toEqual(['ejected', 'unejected']);
  });

  it('comes at once when outlier detection is switched off', () => {
    const rig = createRig(rules({ consecutive5xx: 1 }), 1);
    rig.tell('h0', BAD);
    rig.configure(undefined);
    expect(rig.call()).toBe('h0');
    expect(rig.clock.pending()).toEqual([]);
  });
});

describe('the ledger', () => {
  it('tells who, why, since when, until when and what was counted; explain sees the same', async () => {
    const rig = createRig(rules({ consecutive5xx: 2 }), 2);
    rig.tell('h0', OK, BAD, BAD);
    const entry = { cluster: 'reviews', host: 'h0:80', reason: 'consecutive-5xx', count: 1 };
    const counters = { consecutive5xx: 2, consecutiveGatewayFailures: 0, requests: 3, failures: 2 };
    const [told] = rig.upstream.ejections();
    expect(told).toMatchObject({ ...entry, isEjected: true, counters });
    expect((told?.untilMs ?? 0) - (told?.sinceMs ?? 0)).toBe(30_000);
    const until = new Date(told?.untilMs ?? 0).toISOString();
    expect(rig.upstream.hosts()[0]).toMatchObject({ state: 'ejected', reason: `consecutive-5xx, until ${until}` });
    await rig.clock.pass(40_000);
    expect(rig.upstream.ejections()).toMatchObject([{ ...entry, isEjected: false }]);
  });
});

describe('a changed cluster', () => {
  it('new rules keep what was counted', () => {
    const rig = createRig(rules({ consecutive5xx: 5 }), 1);
    rig.tell('h0', ...times(3, BAD));
    rig.configure(rules({ consecutive5xx: 4 }));
    rig.tell('h0', BAD);
    expect(rig.ejected()).toEqual(['h0']);
  });

  it('a host that goes is forgotten: it counts no more, and comes back new', () => {
    const rig = createRig(rules({ consecutive5xx: 1, maxEjectionPercent: 50 }), 4);
    for (const host of ['h3', 'h2']) rig.tell(host, BAD);
    rig.configure(rules({ consecutive5xx: 1, maxEjectionPercent: 50 }), 2);
    rig.tell('h0', BAD);
    expect(rig.ejected()).toEqual(['h0']);
    rig.configure(rules({ consecutive5xx: 1, maxEjectionPercent: 50 }), 4);
    expect(rig.ejected()).toEqual(['h0']);
  });

  it('dialled addresses that were forgotten are forgotten here too (ORIGINAL_DST)', () => {
    const rig = createRig(rules({ consecutive5xx: 1 }), 0, { discovery: { kind: 'original-dst' } });
    const most = defaultOf('originalDestinationHosts');
    for (let port = 1; port <= 2 * most; port++) {
      const picked = rig.upstream.pick({ originalDestination: { address: '10.0.0.1', port } });
      if (picked.kind === 'failure') throw new Error(picked.reason);
      picked.outcome(BAD);
      picked.release();
    }
    expect(rig.upstream.ejections().length).toBeLessThanOrEqual(most);
  });

  it('only the keys of the ejected host move, and they come back (Maglev)', async () => {
    const rig = createRig(rules({ consecutive5xx: 1 }), 5, {
      loadBalancer: { kind: 'maglev', tableSize: 1_009, useHostname: false },
    });
    await rig.upstream.prepare();
    const hostOf = (key: number): string => {
      const picked = rig.upstream.pick({ hash: xxHash64(`key-${key}`) });
      if (picked.kind === 'failure') return picked.flag;
      picked.release();
      return picked.host.address;
    };
    const keys = Array.from({ length: 500 }, (_, key) => key);
    const before = keys.map(hostOf);
    const picked = rig.upstream.pick({ hash: xxHash64('key-0') });
    if (picked.kind === 'failure') throw new Error(picked.reason);
    picked.outcome(BAD);
    picked.release();
    const out = picked.host.address;
    expect(keys.map(hostOf)).not.toContain(out);
    await rig.upstream.prepare();
    const during = keys.map(hostOf);
    const moved = keys.filter((key) => before[key] !== out && before[key] !== during[key]);
    expect(moved.length).toBeLessThan(25);
    await rig.clock.pass(40_000);
    await rig.upstream.prepare();
    expect(keys.map(hostOf)).toEqual(before);
  });
});

describe('an idle process', () => {
  it('has no timer before anything happens, and none once all is forgiven', async () => {
    const rig = createRig(rules({ consecutive5xx: 1 }), 2);
    for (let call = 0; call < 20; call++) rig.call();
    expect(rig.clock.pending()).toEqual([]);
    rig.tell('h0', BAD);
    expect(rig.clock.pending()).toHaveLength(1);
    await rig.clock.pass(60_000);
    expect(rig.clock.pending()).toEqual([]);
  });

  it('rates keep a timer only while there are calls', async () => {
    const successRate = { ...RULES.successRate, enforcing: 100 };
    const rig = createRig(rules({ successRate }), 2);
    rig.call();
    expect(rig.clock.pending()).toHaveLength(1);
    await rig.clock.pass(20_000);
    expect(rig.clock.pending()).toEqual([]);
  });
});

describe('whatever happens', () => {
  const outcome = fc.constantFrom<Outcome>(OK, BAD, { status: 503 }, { error: 'reset' }, { error: 'connect' }, {});
  const action = fc.oneof(
    { weight: 8, arbitrary: fc.record({ host: fc.nat(5), outcome, repeat: fc.integer({ min: 1, max: 3 }) }) },
    { weight: 2, arbitrary: fc.record({ ms: fc.integer({ min: 1, max: 40_000 }) }) },
    { weight: 1, arbitrary: fc.record({ hosts: fc.integer({ min: 1, max: 6 }) }) },
  );

  it('no more than the percentage is out, every ejection ends, no timer is left', async () => {
    const property = fc.asyncProperty(
      fc.array(action, { maxLength: 25 }),
      fc.nat(100),
      fc.boolean(),
      async (actions, maxEjectionPercent, alwaysEjectOneHost) => {
        const failurePercentage = {
          threshold: 50,
          minimumHosts: 1,
          requestVolume: 2,
          enforcing: 60,
          enforcingLocalOrigin: 0,
        };
        const given = rules({ consecutive5xx: 2, maxEjectionPercent, alwaysEjectOneHost, failurePercentage });
        const rig = createRig(given, 6);
        let hosts = 6;
        let shrunk = false;
        for (const one of actions) {
          if ('ms' in one) await rig.clock.pass(one.ms);
          else if ('hosts' in one) {
            shrunk ||= one.hosts < hosts;
            hosts = one.hosts;
            rig.configure(given, hosts);
          } else for (let at = 0; at < one.repeat; at++) rig.tell(`h${one.host}`, one.outcome);
          const most = Math.max(Math.floor((hosts * maxEjectionPercent) / 100), alwaysEjectOneHost ? 1 : 0);
          if (!shrunk) expect(rig.ejected().length).toBeLessThanOrEqual(most);
        }
        await rig.clock.pass(310_000);
        expect(rig.ejected()).toEqual([]);
        await rig.clock.pass(400_000);
        expect(rig.clock.pending()).toEqual([]);
        expect(rig.call()).not.toBe('UH');
      },
    );
    await fc.assert(property, { numRuns: 60 });
  });
});
