import { createFakeClock, type FakeClock } from '../../../../test/harness/fake-clock.ts';
import { seededRandom } from '../../../../test/harness/seeded-random.ts';
import type { Cluster, OutlierDetection } from '../../model/cluster.ts';
import type { MeshEvent } from '../../model/events.ts';
import type { ClusterConfig } from '../../model/target.ts';
import type { Outcome } from '../pick.ts';
import type { Upstream } from '../types.ts';
import { createUpstream } from '../upstream.ts';

/** Envoy's defaults, with nothing that goes by rates. */
export const RULES: OutlierDetection = {
  intervalMs: 10_000,
  baseEjectionTimeMs: 30_000,
  maxEjectionTimeMs: 300_000,
  maxEjectionPercent: 100,
  consecutive5xx: 5,
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
  alwaysEjectOneHost: false,
};

export interface OutlierRig {
  readonly upstream: Upstream;
  readonly clock: FakeClock;
  readonly events: MeshEvent[];
  /** Picks until it is the host's turn (`h0`, `h1` …), whom it then tells; whether its turn came. */
  tell(host: string, ...outcomes: readonly Outcome[]): boolean;
  /** A call to whoever is next; its name, or why there is none. */
  call(): string;
  configure(rules: OutlierDetection | undefined, hosts?: number): void;
  ejected(): readonly string[];
}

const PATIENCE = 200;

export function createRig(
  rules: OutlierDetection | undefined,
  hosts: number,
  cluster: Partial<Cluster> = {},
  seed = 7,
): OutlierRig {
  const clock = createFakeClock();
  const events: MeshEvent[] = [];
  const emit = (event: MeshEvent): void => {
    events.push(event);
  };
  const upstream = createUpstream(configOf(rules, hosts, cluster), { clock, random: seededRandom(seed), emit });
  return {
    upstream,
    clock,
    events,
    tell(host, ...outcomes) {
      return outcomes.every((outcome) => tell(upstream, host, outcome));
    },
    call() {
      const picked = upstream.pick({});
      if (picked.kind === 'failure') return picked.flag;
      picked.outcome({ status: 200 });
      picked.release();
      return picked.host.address;
    },
    configure: (next, count = hosts) => upstream.update(configOf(next, count, cluster)),
    ejected: () =>
      upstream.hosts().flatMap(({ address, state }) => (state === 'ejected' ? [address.split(':')[0] ?? ''] : [])),
  };
}

function tell(upstream: Upstream, host: string, outcome: Outcome): boolean {
  for (let tries = 0; tries < PATIENCE; tries++) {
    const picked = upstream.pick({});
    if (picked.kind === 'failure') return false;
    const isIt = picked.host.address === host;
    if (isIt) {
      if (outcome.error !== 'connect') picked.connected();
      picked.outcome(outcome);
    }
    picked.release();
    if (isIt) return true;
  }
  return false;
}

function configOf(rules: OutlierDetection | undefined, hosts: number, more: Partial<Cluster>): ClusterConfig {
  return {
    cluster: {
      name: 'reviews',
      discovery: { kind: 'eds', serviceName: 'reviews' },
      connectTimeoutMs: 1_000,
      loadBalancer: { kind: 'round-robin' },
      panicThreshold: 0,
      localityWeighted: false,
      circuitBreakers: { default: {}, high: {} },
      http2: false,
      ...(rules && { outlierDetection: rules }),
      ...more,
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
