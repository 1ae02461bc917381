import { describe, expect, it } from 'vitest';
import type { Cluster, Endpoint } from '../model/cluster.ts';
import type { ClusterConfig } from '../model/target.ts';
import type { PickContext } from './types.ts';
import { createUpstream } from './upstream.ts';

const endpoint = (port: number, more: Partial<Endpoint> = {}): Endpoint => ({
  address: '10.0.0.1',
  port,
  health: 'healthy',
  weight: 1,
  ...more,
});

/** Endpoints of each priority. */
function configOf(priorities: readonly (readonly Endpoint[])[], more: Partial<Cluster> = {}): ClusterConfig {
  const cluster: Cluster = {
    name: 'c',
    discovery: { kind: 'eds', serviceName: 'c' },
    connectTimeoutMs: 1_000,
    loadBalancer: { kind: 'pick-first', shuffles: false },
    panicThreshold: 0,
    localityWeighted: false,
    circuitBreakers: { default: {}, high: {} },
    http2: false,
    ...more,
  };
  const localities = priorities.map((endpoints, priority) => ({
    locality: { region: '', zone: '', subZone: '' },
    priority,
    weight: 1,
    endpoints,
  }));
  return { cluster, assignment: { clusterName: 'c', overprovisioningFactor: 140, localities } };
}

function open(config: ClusterConfig, random = 0) {
  const time = { ms: 0 };
  const clock = { now: () => time.ms, wallTime: () => 0, after: () => ({ cancel: () => {} }) };
  const upstream = createUpstream(config, { clock, random: () => random, emit: () => {} });
  /** Picks, and connects or cannot. */
  const call = (takes: (port: number) => boolean, context: PickContext = {}): number => {
    const pick = upstream.pick(context);
    if (pick.kind !== 'pick') return -1;
    if (takes(pick.host.port)) {
      pick.connected();
      pick.outcome({ status: 200 });
    } else pick.outcome({ error: 'connect' });
    pick.release();
    return pick.host.port;
  };
  return { upstream, time, call };
}

const all = (): boolean => true;
const none = (): boolean => false;
const LIST = [endpoint(1), endpoint(2), endpoint(3)];

describe('a cluster that picks the first', () => {
  it('keeps to one host, whatever it answers', () => {
    const { call } = open(configOf([LIST]));
    expect(Array.from({ length: 5 }, () => call(all))).toEqual([1, 1, 1, 1, 1]);
  });

  it('goes down the list past those that cannot be connected to, and keeps to who can be, also when the first is back', () => {
    const { time, call } = open(configOf([LIST]));
    expect([call((port) => port === 3), call((port) => port === 3), call((port) => port === 3)]).toEqual([1, 2, 3]);
    time.ms += 600_000;
    expect([call(all), call(all)]).toEqual([3, 3]);
  });

  it('begins anew at the top when the one it kept to is lost', () => {
    const { time, call } = open(configOf([LIST]));
    call((port) => port !== 1);
    expect(call(all)).toBe(2);
    time.ms += 600_000;
    expect(call((port) => port !== 2)).toBe(2);
    expect([call(all), call(all)]).toEqual([1, 1]);
  });

  it('tries somebody where nobody can be connected to', () => {
    const { call } = open(configOf([LIST]));
    expect(Array.from({ length: 4 }, () => call(none)).every((port) => port > 0)).toBe(true);
  });

  it('keeps to its host over an update that still has it, and takes the first of the new list otherwise', () => {
    const { upstream, call } = open(configOf([LIST]));
    call(all);
    upstream.update(configOf([[endpoint(9), endpoint(1)]]));
    expect(call(all)).toBe(1);
    upstream.update(configOf([[endpoint(9), endpoint(8)]]));
    expect(call(all)).toBe(9);
  });

  it('leaves a host that falls ill', () => {
    const { upstream, call } = open(configOf([LIST]));
    call(all);
    upstream.update(configOf([[endpoint(1, { health: 'unhealthy' }), endpoint(2)]]));
    expect([call(all), call(all)]).toEqual([2, 2]);
  });

  it('shuffles by the chance that is injected', () => {
    const loadBalancer = { kind: 'pick-first', shuffles: true } as const;
    const firsts = Array.from({ length: 12 }, (_, seed) => open(configOf([LIST], { loadBalancer }), seed).call(all));
    expect(new Set(firsts)).toEqual(new Set([1, 2, 3]));
    expect(open(configOf([LIST], { loadBalancer }), 5).call(all)).toBe(
      open(configOf([LIST], { loadBalancer }), 5).call(all),
    );
  });

  it('has one of each priority, and goes to the next priority where nobody of the first is left', () => {
    const { call } = open(
      configOf([
        [endpoint(1), endpoint(2)],
        [endpoint(5), endpoint(6)],
      ]),
    );
    expect([1, 2, 3, 4].map(() => call((port) => port > 4))).toEqual([1, 2, 5, 5]);
  });

  it('another attempt that avoids its host takes the next one, and the one it keeps to stays that', () => {
    const { upstream, call } = open(configOf([LIST]));
    call(all);
    const [kept] = upstream.hosts();
    expect(call(all, { exclude: ({ port }) => `10.0.0.1:${port}` === kept?.address })).toBe(2);
    expect(call(all)).toBe(1);
  });
});
