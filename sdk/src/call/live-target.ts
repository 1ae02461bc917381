import type { Clock, Random } from '../clock.ts';
import { DnsClusters } from '../connection/dns/dns-clusters.ts';
import { createNames } from '../connection/dns/names.ts';
import { createResolver, type Resolver } from '../connection/dns/resolver.ts';
import { defaultOf } from '../defaults.ts';
import type { EventSink } from '../model/events.ts';
import type { RouteConfiguration } from '../model/route.ts';
import type { ClusterConfig, TargetConfig } from '../model/target.ts';
import { compileRouteTable, compileRouteTableSteps } from '../route/compile.ts';
import type { RouteTable } from '../route/table.ts';
import { AggregateUpstream, type Members } from '../upstream/aggregate.ts';
import type { StartProbe } from '../upstream/health/checker.ts';
import type { StartLoadStream } from '../upstream/load/stream.ts';
import type { LoadTallies } from '../upstream/load-tally.ts';
import { runSliced } from '../upstream/slices.ts';
import type { Upstream } from '../upstream/types.ts';
import { createUpstream } from '../upstream/upstream.ts';

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
  /** For DNS clusters; the system's where absent. */
  readonly resolver?: Resolver;
  /** How hosts are asked for their health; over the network where absent. */
  readonly probe?: StartProbe;
  /** How a host is asked for its load; over the network where absent. */
  readonly loadStream?: StartLoadStream;
  /** Where calls are counted that the control plane wants to hear of. */
  readonly loads?: LoadTallies;
}

/** Routes up to which a table is compiled by its first decision: it takes about as long as that decision. */
const FEW_ROUTES = 16;

/** A route table, and the making of it. */
class Routes {
  readonly #config: RouteConfiguration;
  #table: RouteTable | undefined;

  constructor(config: RouteConfiguration) {
    this.#config = config;
  }

  get table(): RouteTable {
    this.#table ??= compileRouteTable(this.#config);
    return this.#table;
  }

  /** Compiles a table that is not small, in slices, so that calls under way go on. */
  async prepare(clock: Clock): Promise<void> {
    if (this.#config.virtualHosts.reduce((sum, { routes }) => sum + routes.length, 0) <= FEW_ROUTES) return;
    const steps = compileRouteTableSteps(this.#config);
    this.#table = await new Promise<RouteTable>((resolve, reject) => {
      runSliced({ clock, sliceMs: defaultOf('sliceMs'), steps, done: resolve, failed: reject });
    });
  }
}

class PreparedTarget implements LiveTarget {
  readonly config: TargetConfig;
  readonly routes: Routes;
  readonly held: readonly Upstream[];
  #upstreams: ReadonlyMap<string, Upstream> | undefined;

  constructor(config: TargetConfig, routes: Routes, held: readonly Upstream[]) {
    this.config = config;
    this.routes = routes;
    this.held = held;
  }

  get upstreams(): ReadonlyMap<string, Upstream> {
    this.#upstreams ??= new Map(this.held.map((upstream) => [upstream.name, upstream]));
    return this.#upstreams;
  }

  get target(): string {
    return this.config.target;
  }

  get table(): RouteTable {
    return this.routes.table;
  }
}

/** Upstreams are shared by cluster name: what one target learns of a cluster (health, load) holds for the others. */
export function createLiveTargets(deps: LiveTargetsDeps): LiveTargets {
  const { clock, random, emit, onHostsChanged, resolver, probe, loadStream, loads } = deps;
  const upstreamDeps = {
    clock,
    random,
    emit,
    ...(onHostsChanged && { onHostsChanged }),
    ...(probe && { probe }),
    ...(loadStream && { loadStream }),
    ...(loads && { loads }),
  };
  const dns = new DnsClusters(
    () => createNames({ clock, random, resolver: resolver ?? createResolver() }),
    () => onHostsChanged?.(),
  );
  const upstreams = new Map<string, Upstream>();
  const users = new Map<Upstream, number>();

  const acquire = (config: ClusterConfig): Upstream => {
    const { name } = config.cluster;
    const isAggregate = config.cluster.discovery.kind === 'aggregate';
    let upstream = upstreams.get(name);
    if (upstream === undefined || upstream instanceof AggregateUpstream !== isAggregate) {
      // One that becomes the other kind of cluster is another one: who has the old one keeps it.
      upstream = isAggregate
        ? new AggregateUpstream(config, { clock, random, ...members })
        : createUpstream(dns.initial(config), upstreamDeps);
      upstreams.set(name, upstream);
      dns.adopt(upstream, config);
    } else if (dns.configOf(upstream) !== config) dns.adopt(upstream, config);
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
    if (upstreams.get(upstream.name) === upstream) upstreams.delete(upstream.name);
    dns.drop(upstream);
    upstream.close();
  };

  const members: Members = { acquire, release, settled: (upstream) => dns.settled(upstream, clock) };

  return {
    upstreams,
    async prepare(config, previous) {
      const states = [...config.clusters.values()];
      const held = states.filter((state) => state.kind === 'ready').map((state) => acquire(state.config));
      onHostsChanged?.();
      const { routeConfiguration } = config;
      const isSame = previous instanceof PreparedTarget && previous.config.routeConfiguration === routeConfiguration;
      const routes = isSame ? previous.routes : new Routes(routeConfiguration);
      if (!isSame) await routes.prepare(clock);
      await Promise.all(held.map((upstream) => dns.settled(upstream, clock)));
      await Promise.all(held.map((upstream) => upstream.prepare()));
      return new PreparedTarget(config, routes, held);
    },
    retire(target) {
      for (const upstream of target.upstreams.values()) release(upstream);
      onHostsChanged?.();
    },
  };
}
