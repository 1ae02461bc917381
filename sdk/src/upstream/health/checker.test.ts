import { expect, it } from 'vitest';
import { createFakeClock, settle } from '../../../../test/harness/fake-clock.ts';
import { seededRandom } from '../../../../test/harness/seeded-random.ts';
import type { MeshEvent } from '../../model/events.ts';
import type { HealthCheck } from '../../model/health-check.ts';
import type { ClusterConfig } from '../../model/target.ts';
import { RULES } from '../outlier/outlier.fixture.ts';
import { createUpstream } from '../upstream.ts';
import { CHECK } from './health.fixture.ts';
import type { CheckResult } from './state.ts';

const GOOD: CheckResult = { kind: 'ok', isDegraded: false };
const BAD: CheckResult = { kind: 'failed', isRetriable: true, reason: 'refused' };

function configOf(hosts: number, check: HealthCheck | undefined): ClusterConfig {
  return {
    cluster: {
      name: 'reviews',
      discovery: { kind: 'eds', serviceName: 'reviews' },
      connectTimeoutMs: 1_000,
      loadBalancer: { kind: 'round-robin' },
      panicThreshold: 0,
      localityWeighted: false,
      outlierDetection: { ...RULES, consecutive5xx: 1 },
      circuitBreakers: { default: {}, high: {} },
      http2: false,
      ...(check && { healthChecks: [check] }),
    },
    assignment: {
      clusterName: 'reviews',
      overprovisioningFactor: 140,
      localities: [
        {
          locality: { region: '', zone: '', subZone: '' },
          priority: 0,
          weight: 1,
          endpoints: Array.from({ length: hosts }, (_, at) => ({
            address: `h${at}`,
            port: 80,
            health: 'healthy' as const,
            weight: 1,
          })),
        },
      ],
    },
  };
}

/** What each host answers: a result, or nothing at all. */
function rig(hosts: number, { check }: { readonly check?: HealthCheck } = { check: CHECK }) {
  const clock = createFakeClock();
  const answers = new Map<string, CheckResult | undefined>();
  const asked: string[] = [];
  const events: MeshEvent[] = [];
  let running = 0;
  const upstream = createUpstream(configOf(hosts, check), {
    clock,
    random: seededRandom(5),
    emit: (event) => events.push(event),
    probe({ host }, done) {
      asked.push(host.address);
      running++;
      const result = answers.has(host.address) ? answers.get(host.address) : GOOD;
      let isOver = false;
      const end = (): void => {
        if (!isOver) running--;
        isOver = true;
      };
      if (result !== undefined)
        queueMicrotask(() => {
          if (isOver) return;
          end();
          done(result);
        });
      return { cancel: end };
    },
  });
  const usable = () => upstream.hosts().flatMap(({ address, state }) => (state === 'healthy' ? [address] : []));
  return { clock, answers, asked, events, upstream, usable, running: () => running };
}

it('nobody is used before a check; the cluster is ready when each host has been checked once', async () => {
  const { upstream, answers, clock, usable } = rig(2);
  answers.set('h1', BAD);
  const ready = upstream.prepare();
  expect(upstream.pick({}).kind).toBe('failure');
  expect(upstream.hosts()[0]).toMatchObject({ state: 'unhealthy', reason: 'health check: not checked yet' });
  await clock.pass(0);
  await ready;
  expect(usable()).toEqual(['h0:80']);
  expect(upstream.hosts()[1]?.reason).toBe('health check: refused');
});

it('a host that stops answering is left out after the threshold, and comes back after the other one', async () => {
  const { upstream, answers, clock, usable, events } = rig(2);
  void upstream.prepare();
  await clock.pass(0);
  upstream.pick({});
  answers.set('h0', undefined);
  await clock.pass(10_000);
  expect(usable()).toEqual(['h1:80']);
  expect(upstream.hosts()[0]?.reason).toBe('health check: no answer within 500 ms');
  answers.set('h0', GOOD);
  await clock.pass(10_000);
  expect(usable()).toEqual(['h0:80', 'h1:80']);
  const told = events.flatMap((event) => (event.kind === 'host-health' && event.host === 'h0:80' ? [event.state] : []));
  expect(told).toEqual(['healthy', 'unhealthy', 'healthy']);
});

it('the first call ends the long pauses of a cluster that is not called', async () => {
  const { upstream, asked, clock } = rig(1);
  void upstream.prepare();
  await clock.pass(0);
  asked.length = 0;
  await clock.pass(5_000);
  expect(asked).toEqual([]);
  upstream.peek({});
  await clock.pass(5_000);
  expect(asked).toEqual([]);
  upstream.pick({});
  await clock.pass(3_000);
  expect(asked).toHaveLength(3);
});

it('a check goes on while hosts are replaced: the new ones are checked, the old ones no more', async () => {
  const { upstream, asked, clock, usable } = rig(3);
  void upstream.prepare();
  await clock.pass(0);
  upstream.update(configOf(1, CHECK));
  asked.length = 0;
  await clock.pass(200_000);
  expect(new Set(asked)).toEqual(new Set(['h0']));
  upstream.update(configOf(2, CHECK));
  expect(usable()).toEqual(['h0:80']);
  await clock.pass(0);
  expect(usable()).toEqual(['h0:80', 'h1:80']);
});

it('a stall of this process fails no host: the check is made again', async () => {
  const { upstream, answers, clock, usable } = rig(1, { check: { ...CHECK, unhealthyThreshold: 1 } });
  void upstream.prepare();
  await clock.pass(0);
  answers.set('h0', undefined);
  await clock.pass(50_000);
  answers.set('h0', GOOD);
  clock.stall(5_000);
  await clock.pass(0);
  await settle();
  await clock.pass(10);
  expect(usable()).toEqual(['h0:80']);
});

it('a good check ends an ejection (successful_active_health_check_uneject_host)', async () => {
  const { upstream, clock } = rig(1);
  void upstream.prepare();
  await clock.pass(0);
  const picked = upstream.pick({});
  if (picked.kind === 'failure') throw new Error(picked.reason);
  picked.outcome({ status: 500 });
  picked.release();
  expect(upstream.hosts()[0]?.state).toBe('ejected');
  await clock.pass(50_000);
  expect(upstream.ejections()).toMatchObject([{ isEjected: false }]);
});

it('a cluster that is called already loses nobody when checks begin, and all are back when they end', async () => {
  const { upstream, answers, clock, usable } = rig(2, {});
  upstream.pick({});
  answers.set('h0', BAD);
  upstream.update(configOf(2, CHECK));
  expect(usable()).toHaveLength(2);
  await clock.pass(20_000);
  expect(usable()).toEqual(['h1:80']);
  upstream.update(configOf(2, undefined));
  expect(usable()).toHaveLength(2);
  expect(clock.pending()).toEqual([]);
});

it('closing leaves no timer and no check behind, and ends the wait', async () => {
  const { upstream, answers, clock, running } = rig(2);
  for (const host of ['h0', 'h1']) answers.set(host, undefined);
  const ready = upstream.prepare();
  await clock.pass(10);
  expect(running()).toBe(2);
  upstream.close();
  await ready;
  expect([running(), clock.pending()]).toEqual([0, []]);
});
