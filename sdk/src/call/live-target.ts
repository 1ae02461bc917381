import type { Clock, Random } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { EventSink } from '../model/events.ts';
import type { RouteConfiguration } from '../model/route.ts';
import type { ClusterConfig, TargetConfig } from '../model/target.ts';
import { compileRouteTableSteps } from '../route/compile.ts';
import type { RouteTable } from '../route/table.ts';
import { runSliced } from '../upstream/slices.ts';
import { createUpstream, type Upstream } from '../upstream/upstream.ts';

/** One target's configuration, compiled, with its upstreams alive. A call keeps the one it began with. */
export interface LiveTarget {
  readonly target: string;
  readonly config: TargetConfig;
  readonly table: RouteTable;
  /** By cluster name; without those that failed. */
  readonly upstreams: ReadonlyMap<string, Upstream>;
}

export interface LiveTargets {
  /**
   * Compiles a configuration; resolves when picks by it can be made. Upstreams that stand already take over what is new
   * about them at once: where endpoints are is true for every call, whatever route it follows.
   */
  prepare(config: TargetConfig, previous?: LiveTarget): Promise<LiveTarget>;
  /** No new call will use it. An upstream that no other target uses is closed. */
  retire(target: LiveTarget): void;
  /** Every living upstream, by cluster name. */
  readonly upstreams: ReadonlyMap<string, Upstream>;
}

export interface LiveTargetsDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: EventSink;
  /** Told when hosts may have gone: `Connections.drainRemoved`. */
  readonly onHostsChanged?: () => void;
}

/** A large table is compiled in slices, so that calls under way go on; a small one at once. */
function compiled(config: RouteConfiguration, clock: Clock): RouteTable | Promise<RouteTable> {
  const steps = compileRouteTableSteps(config);
  const first = steps.next();
  if (first.done) return first.value;
  return new Promise((resolve, reject) => {
    runSliced({ clock, sliceMs: defaultOf('sliceMs'), steps, done: resolve, failed: reject });
  });
}

/** Upstreams are shared by cluster name: what one target learns of a cluster (health, load) holds for the others. */
export function createLiveTargets({ clock, random, emit, onHostsChanged }: LiveTargetsDeps): LiveTargets {
  const upstreams = new Map<string, Upstream>();
  const users = new Map<Upstream, number>();

  const acquire = (config: ClusterConfig): Upstream => {
    const { name } = config.cluster;
    let upstream = upstreams.get(name);
    if (upstream === undefined) {
      upstream = createUpstream(config, { clock, random, emit });
      upstreams.set(name, upstream);
    } else if (upstream.config() !== config) upstream.update(config);
    users.set(upstream, (users.get(upstream) ?? 0) + 1);
    return upstream;
  };

  const release = (upstream: Upstream): void => {
    const left = (users.get(upstream) ?? 0) - 1;
    if (left > 0) {
      users.set(upstream, left);
      return;
    }
    users.delete(upstream);
    upstreams.delete(upstream.name);
    upstream.close();
  };

  return {
    upstreams,
    async prepare(config, previous) {
      const own = new Map<string, Upstream>();
      for (const [name, state] of config.clusters) if (state.kind === 'ready') own.set(name, acquire(state.config));
      onHostsChanged?.();
      const { routeConfiguration } = config;
      const table =
        previous?.config.routeConfiguration === routeConfiguration
          ? previous.table
          : await compiled(routeConfiguration, clock);
      await Promise.all([...own.values()].map((upstream) => upstream.prepare()));
      return { target: config.target, config, table, upstreams: own };
    },
    retire(target) {
      for (const upstream of target.upstreams.values()) release(upstream);
      onHostsChanged?.();
    },
  };
}
