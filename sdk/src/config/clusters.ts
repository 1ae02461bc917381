import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Discovery, ResourceWatcher } from '../discovery/discovery.ts';
import type { Cluster } from '../model/cluster.ts';
import type { EventSink } from '../model/events.ts';
import type { ClusterConfig, ClusterState } from '../model/target.ts';
import { transportsInUse, transportsOf } from '../model/transport.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { type EndpointOwner, EndpointWatch } from './endpoint-watch.ts';
import { type Part, PENDING } from './part.ts';
import { TlsParts, type TlsSources } from './tls-parts.ts';

/** Who uses clusters. */
export interface ClusterHolder {
  /** Called for every new state of a cluster it holds. */
  clusterChanged(): void;
}

/** The clusters in use, each subscribed once however many targets route to it. */
export interface Clusters {
  /** Holds a cluster until it is released. */
  hold(name: string, holder: ClusterHolder): void;
  release(name: string, holder: ClusterHolder): void;
  /** undefined: not known yet, or not held. The same object until something changes. */
  state(name: string): ClusterState | undefined;
}

export interface ClustersParts {
  readonly clock: Clock;
  readonly discovery: Discovery;
  readonly emit: EventSink;
  readonly tls?: TlsSources;
}

export function createClusters(parts: ClustersParts): Clusters {
  const held = new Map<string, ClusterWatch>();
  return {
    hold(name, holder) {
      const watch = held.get(name) ?? new ClusterWatch(name, parts);
      held.set(name, watch);
      watch.holders = watch.holders.concat(holder);
    },
    release(name, holder) {
      const watch = held.get(name);
      if (watch === undefined) return;
      watch.holders = watch.holders.filter((other) => other !== holder);
      if (watch.holders.length > 0) return;
      held.delete(name);
      watch.close();
    },
    state: (name) => held.get(name)?.state,
  };
}

/** CDS and, where the cluster asks for it, EDS of one cluster. Watches by methods: thousands are held. */
class ClusterWatch implements ResourceWatcher<Cluster>, EndpointOwner {
  readonly name: string;
  readonly parts: ClustersParts;
  holders: readonly ClusterHolder[] = [];
  state: ClusterState | undefined;
  #cluster: Part<Cluster> = PENDING;
  #endpoints: EndpointWatch | undefined;
  #grace: Timer | undefined;
  /** A new version that waits for the endpoints it belongs to. */
  #early: { readonly value: Cluster; readonly timer: Timer } | undefined;
  /** Of a cluster with TLS. */
  #tls: TlsParts | undefined;

  constructor(name: string, parts: ClustersParts) {
    this.name = name;
    this.parts = parts;
    parts.discovery.subscribe(clusterType, name, this);
  }

  close(): void {
    this.#grace?.cancel();
    this.#early?.timer.cancel();
    this.parts.discovery.unsubscribe(clusterType, this.name, this);
    this.#endpoints?.close();
    this.#tls?.close();
  }

  /**
   * A control plane that was just restarted knows neither which of its workloads take TLS nor as whom they run, until they are
   * back. While the endpoints of before stay, so does how they are spoken to: never in clear, nor with whoever answers.
   */
  onResource(value: Cluster): void {
    const waitMs = this.#changesTransports(value)
      ? Math.max(this.parts.discovery.settlesInMs(), this.#partingMs(value))
      : 0;
    if (waitMs === 0) {
      this.#setCluster({ kind: 'value', value });
      return;
    }
    this.#early?.timer.cancel();
    const timer = this.parts.clock.after(waitMs, () => this.#setCluster({ kind: 'value', value }));
    this.#early = { value, timer };
  }

  /** When the last endpoint that takes TLS goes, the cluster says so before the endpoints do. */
  #partingMs({ tls, transportMatches }: Cluster): number {
    const now = this.#cluster;
    const isChosenByEndpoint = now.kind === 'value' && now.value.transportMatches !== undefined;
    return isChosenByEndpoint && tls === undefined && transportMatches === undefined ? defaultOf('clusterGraceMs') : 0;
  }

  #changesTransports(next: Cluster): boolean {
    const now = this.#cluster;
    const isHeld = now.kind === 'value' && this.state?.kind === 'ready' && (this.#endpoints?.hasSome ?? false);
    return isHeld && transportsText(now.value) !== transportsText(next);
  }

  /**
   * Unlike endpoints, a cluster that is said to be gone is gone (Envoy CDS). One in use goes a moment later: some control
   * planes (istiod) withdraw it just before the routes that no longer name it, and no call need fail for that.
   */
  onAbsent(reason: string): void {
    if (this.#cluster.kind !== 'value') {
      this.#setCluster({ kind: 'absent', reason });
      return;
    }
    this.#grace ??= this.parts.clock.after(defaultOf('clusterGraceMs'), () =>
      this.#setCluster({ kind: 'absent', reason }),
    );
  }

  onError(reason: string): void {
    if (this.#cluster.kind !== 'value') this.#setCluster({ kind: 'bad', reason });
  }

  endpointsChanged(): void {
    const early = this.#early?.value;
    if (early === undefined) this.#changed();
    else this.#setCluster({ kind: 'value', value: early });
  }

  #changed(): void {
    this.state = this.#compute();
    for (const holder of this.holders) holder.clusterChanged();
  }

  #setCluster(cluster: Part<Cluster>): void {
    this.#grace?.cancel();
    this.#grace = undefined;
    this.#early?.timer.cancel();
    this.#early = undefined;
    this.#cluster = cluster;
    const discovery = cluster.kind === 'value' ? cluster.value.discovery : undefined;
    this.#watchEndpoints(discovery?.kind === 'eds' ? discovery.serviceName : undefined);
    this.#changed();
  }

  #watchEndpoints(serviceName: string | undefined): void {
    if (this.#endpoints?.serviceName === serviceName) return;
    this.#endpoints?.close();
    this.#endpoints = serviceName === undefined ? undefined : new EndpointWatch(serviceName, this);
  }

  #compute(): ClusterState | undefined {
    const cluster = this.#cluster;
    if (cluster.kind === 'pending') return undefined;
    if (cluster.kind !== 'value') return { kind: 'failed', reason: cluster.reason };
    const { discovery } = cluster.value;
    if (discovery.kind !== 'eds') {
      const assignment = discovery.kind === 'original-dst' ? undefined : discovery.assignment;
      return this.#ready({ cluster: cluster.value, assignment });
    }
    const endpoints = this.#endpoints?.assignment ?? PENDING;
    if (endpoints.kind === 'pending') return undefined;
    // Without endpoints the cluster is usable and empty: its calls answer UH, as in Envoy.
    const assignment = endpoints.kind === 'value' ? endpoints.value : undefined;
    return this.#ready({ cluster: cluster.value, assignment });
  }

  /** As long as the secrets of a new version are on their way the one before stays. */
  #ready(config: ClusterConfig): ClusterState | undefined {
    const { cluster, assignment } = config;
    const named = transportsOf(cluster);
    const { tls, clock } = this.parts;
    if (tls !== undefined && (named.length > 0 || this.#tls !== undefined)) {
      this.#tls ??= new TlsParts(tls, clock, () => this.#changed());
      this.#tls.want(named, transportsInUse(cluster, assignment));
      if (!this.#tls.isWarm) return this.state?.kind === 'ready' ? this.state : undefined;
    }
    return { kind: 'ready', config };
  }
}

/** The same for the same ways of TLS. */
const transportsText = ({ tls, transportMatches }: Cluster): string =>
  JSON.stringify([tls, transportMatches], (_, value: unknown) => (value instanceof Map ? [...value] : value));
