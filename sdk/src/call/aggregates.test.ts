import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeOrigins, serveHttp } from '../connection/origin.fixture.ts';
import { notesOnMembers } from '../explain/notes.ts';
import type { ForwardAction, RetryPolicy } from '../model/action.ts';
import type { Cluster } from '../model/cluster.ts';
import type { ClusterMember, ClusterState } from '../model/target.ts';
import { forward, route } from '../route/route.fixture.ts';
import { CHECK } from '../upstream/health/health.fixture.ts';
import { type Answer, ask, cluster, createStage, type Stage } from './call.fixture.ts';

let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

const retry: RetryPolicy = {
  on: ['5xx', 'connect-failure'],
  retriableStatusCodes: [],
  numRetries: 1,
  baseIntervalMs: 1,
  maxIntervalMs: 2,
  previousHosts: false,
  hostSelectionAttempts: 1,
};

async function origin(body: string, status = 200): Promise<number> {
  const { port } = await serveHttp((_, response) => {
    response.statusCode = status;
    response.end(body);
  });
  return port;
}

function aggregate(members: Readonly<Record<string, ClusterState>>, more: Partial<Cluster> = {}): ClusterState {
  const list = Object.entries(members).map(([name, state]): ClusterMember => ({ name, state }));
  const discovery = { kind: 'aggregate' as const, clusters: list.map(({ name }) => name) };
  const one = cluster('all', [], { discovery, ...more });
  return one.kind === 'ready'
    ? { kind: 'ready', config: { cluster: one.config.cluster, assignment: undefined, members: list } }
    : one;
}

const targetOf = (state: ClusterState, action: Partial<ForwardAction> = {}) =>
  stage.target([route('r', {}, forward({ all: 1 }, action))], { all: state });

const OUTLIERS: Cluster['outlierDetection'] = {
  intervalMs: 10_000,
  baseEjectionTimeMs: 30_000,
  maxEjectionTimeMs: 300_000,
  maxEjectionPercent: 100,
  consecutive5xx: 1,
  enforcingConsecutive5xx: 100,
  consecutiveGatewayFailure: 5,
  enforcingConsecutiveGatewayFailure: 0,
  consecutiveLocalOriginFailure: 5,
  enforcingConsecutiveLocalOriginFailure: 100,
  splitExternalLocalOriginErrors: false,
  successRate: { minimumHosts: 5, requestVolume: 100, stdevFactor: 1_900, enforcing: 0, enforcingLocalOrigin: 0 },
  failurePercentage: { threshold: 85, minimumHosts: 5, requestVolume: 50, enforcing: 0, enforcingLocalOrigin: 0 },
  maxEjectionTimeJitterMs: 0,
  unejectOnHealthCheck: true,
  alwaysEjectOneHost: true,
};

const told = ({ status, text }: Answer) => `${status} ${text}`;

describe('calls to an aggregate cluster', () => {
  it('go to its first cluster, and over a retry to the next when the first one’s own outlier detection has ejected all', async () => {
    const members = {
      a: cluster('a', [await origin('bad', 503)], { outlierDetection: OUTLIERS }),
      b: cluster('b', [await origin('b')]),
    };
    const target = await targetOf(aggregate(members), { retry });
    const answer = await ask(stage, target).ended;
    expect(told(answer)).toBe('200 b');
    expect(answer.call?.story.cluster).toBe('all');
    expect(answer.call?.story.attempts.map(({ status }) => status)).toEqual([503, 200]);
    expect(told(await ask(stage, target).ended)).toBe('200 b');
    expect(notesOnMembers(target.upstreams.get('all'), () => 0)).toEqual(['all is a, then b: b is called']);
    expect(
      target.upstreams
        .get('all')
        ?.uneject(`127.0.0.1:${target.upstreams.get('all')?.hosts()[0]?.address.split(':')[1]}`),
    ).toBe(true);
    expect(notesOnMembers(target.upstreams.get('all'), () => 0)).toEqual(['all is a, then b: a is called']);
  });

  it('are limited by the clusters, not by the aggregate', async () => {
    const a = cluster('a', [await origin('a')], { circuitBreakers: { default: { maxRequests: 0 }, high: {} } });
    const limited = await targetOf(aggregate({ a }));
    const answer = await ask(stage, limited).ended;
    expect(answer.status).toBe(503);
    expect(answer.call?.story.flag).toBe('UO');
    const free = cluster('b', [await origin('b')]);
    const whole = await targetOf(
      aggregate({ b: free }, { circuitBreakers: { default: { maxRequests: 0 }, high: {} } }),
    );
    expect(told(await ask(stage, whole).ended)).toBe('200 b');
  });

  it('are 503 UH where no cluster has a host, with the reason of each; a cluster that fails is passed over', async () => {
    const gone: ClusterState = { kind: 'failed', reason: 'it does not exist' };
    const none = await targetOf(aggregate({ gone, a: cluster('a', []) }));
    const answer = await ask(stage, none).ended;
    expect(answer.status).toBe(503);
    expect(answer.call?.story.flag).toBe('UH');
    expect(notesOnMembers(none.upstreams.get('all'), () => 0)).toEqual([
      'all is gone, then a: a is called',
      'gone is passed over: it does not exist',
    ]);
    const target = await targetOf(aggregate({ gone, a: cluster('a', [await origin('a')]) }));
    expect(told(await ask(stage, target).ended)).toBe('200 a');
  });

  it('are given up by the drops of the cluster they would go to', async () => {
    const dropped = (fraction: number): ClusterState => {
      const one = cluster('a', [1]);
      if (one.kind === 'failed' || one.config.assignment === undefined) return one;
      const drops = [{ category: 'much', fraction: { numerator: fraction, denominator: 100 as const } }];
      return { kind: 'ready', config: { ...one.config, assignment: { ...one.config.assignment, drops } } };
    };
    const answer = await ask(stage, await targetOf(aggregate({ a: dropped(100) }))).ended;
    expect(answer.call?.story.flag).toBe('UDO');
  });

  it('share the upstreams of routes that name its clusters themselves', async () => {
    const a = cluster('a', [await origin('a')]);
    const target = await stage.target([route('r', {}, forward({ all: 1 }))], { all: aggregate({ a }), a });
    expect(target.upstreams.get('all')?.members()).toEqual([target.upstreams.get('a')]);
  });

  it('a cluster that becomes an aggregate: the calls that began before keep what they have', async () => {
    const before = await stage.target([route('r', {}, forward({ all: 1 }))], {
      all: cluster('all', [await origin('x')]),
    });
    const after = await targetOf(aggregate({ a: cluster('a', [await origin('a')]) }));
    expect(told(await ask(stage, after).ended)).toBe('200 a');
    expect(told(await ask(stage, before).ended)).toBe('200 x');
  });

  it('wait for the first health checks of its clusters', async () => {
    const healthChecks = [{ ...CHECK, intervalMs: 60_000 }];
    const target = await targetOf(aggregate({ a: cluster('a', [1], { healthChecks }) }));
    const [host] = target.upstreams.get('all')?.hosts() ?? [];
    expect(host).toMatchObject({ cluster: 'a', state: 'unhealthy' });
  });
});
