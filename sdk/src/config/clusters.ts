import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Discovery, ResourceWatcher } from '../discovery/discovery.ts';
import type { Cluster } from '../model/cluster.ts';
import type { EventSink } from '../model/events.ts';
import type { ClusterConfig, ClusterState } from '../model/target.ts';
import { transportsInUse, transportsOf } from '../model/transport.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { ClusterTree, type TreeOwner } from './cluster-tree.ts';
import { type EndpointOwner, EndpointWatch } from './endpoint-watch.ts';
import { type Part, PENDING } from './part.ts';
import { TlsParts, type TlsSources } from './tls-parts.ts';

/** Who uses clusters. */
export interface ClusterHolder {
  /** Called for every new state of a cluster it holds. */
  clusterChanged(): void;
}

/** The clusters in use, each subscribed once however many targets route to it; aggregates with all they are made of. */
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
  return new ClusterStore(parts);
}

/** Who asks for the clusters of aggregates. */
interface Nodes {
  watch(name: string): ClusterWatch;
  known(name: string): ClusterWatch | undefined;
  drop(watch: ClusterWatch): void;
}

class ClusterStore implements Clusters, Nodes {
  readonly #parts: ClustersParts;
  readonly #held = new Map<string, ClusterWatch>();

  constructor(parts: ClustersParts) {
    this.#parts = parts;
  }

  hold(name: string, holder: ClusterHolder): void {
    this.watch(name).hold(holder);
  }

  release(name: string, holder: ClusterHolder): void {
    const watch = this.#held.get(name);
    if (watch === undefined) return;
    watch.release(holder);
    this.drop(watch);
  }

  state(name: string): ClusterState | undefined {
    return this.#held.get(name)?.state;
  }

  watch(name: string): ClusterWatch {
    const watch = this.#held.get(name) ?? new ClusterWatch(name, this.#parts, this);
    this.#held.set(name, watch);
    return watch;
  }

  known(name: string): ClusterWatch | undefined {
    return this.#held.get(name);
  }

  drop(watch: ClusterWatch): void {
    if (watch.holders.length > 0 || watch.trees.length > 0 || !this.#held.delete(watch.name)) return;
    watch.close();
  }
}

/** CDS and, where the cluster asks for it, EDS of one cluster. Watches by methods: thousands are held. */
class ClusterWatch implements ResourceWatcher<Cluster>, EndpointOwner, TreeOwner {
  readonly name: string;
  readonly parts: ClustersParts;
  holders: readonly ClusterHolder[] = [];
  /** Aggregates it is part of. */
  trees: readonly ClusterTree[] = [];
  /** By itself. */
  own: ClusterState | undefined;
  readonly #nodes: Nodes;
  /** Of an aggregate that somebody holds. */
  #tree: ClusterTree | undefined;
  #cluster: Part<Cluster> = PENDING;
  #endpoints: EndpointWatch | undefined;
  #grace: Timer | undefined;
  /** A new version that waits for the endpoints it belongs to. */
  #early: { readonly value: Cluster; readonly timer: Timer } | undefined;
  /** Of a cluster with TLS. */
  #tls: TlsParts | undefined;

  constructor(name: string, parts: ClustersParts, nodes: Nodes) {
    this.name = name;
    this.parts = parts;
    this.#nodes = nodes;
    parts.discovery.subscribe(clusterType, name, this);
  }

  close(): void {
    this.#grace?.cancel();
    this.#early?.timer.cancel();
    this.parts.discovery.unsubscribe(clusterType, this.name, this);
    this.#endpoints?.close();
    this.#tls?.close();
  }

  get clock(): Clock {
    return this.parts.clock;
  }

  /** With all it is made of. */
  get state(): ClusterState | undefined {
    return this.#tree === undefined ? this.own : this.#tree.state;
  }

  hold(holder: ClusterHolder): void {
    this.holders = this.holders.concat(holder);
    if (this.holders.length === 1) this.#grow();
  }

  release(holder: ClusterHolder): void {
    this.holders = this.holders.filter((other) => other !== holder);
    if (this.holders.length === 0) this.#grow();
  }

  holdNode(name: string, tree: ClusterTree): void {
    const node = this.#nodes.watch(name);
    node.trees = node.trees.concat(tree);
  }

  releaseNode(name: string, tree: ClusterTree): void {
    const node = this.#nodes.known(name);
    if (node === undefined) return;
    node.trees = node.trees.filter((other) => other !== tree);
    this.#nodes.drop(node);
  }

  nodeState(name: string): ClusterState | undefined {
    return this.#nodes.known(name)?.own;
  }

  treeChanged(): void {
    const before = this.state;
    this.#grow();
    if (this.state !== before) this.#tell();
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
    const isHeld = now.kind === 'value' && this.own?.kind === 'ready' && (this.#endpoints?.hasSome ?? false);
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
    this.own = this.#compute();
    this.#grow();
    for (const tree of this.trees) tree.nodeChanged();
    this.#tell();
  }

  #tell(): void {
    for (const holder of this.holders) holder.clusterChanged();
  }

  /** The tree of an aggregate, as long as somebody holds it. */
  #grow(): void {
    const { own } = this;
    const config = own?.kind === 'ready' && own.config.cluster.discovery.kind === 'aggregate' ? own.config : undefined;
    const before = this.#tree;
    if (config === undefined || this.holders.length === 0) this.#tree = undefined;
    else if (before?.config !== config) this.#tree = new ClusterTree(config, this, before?.state);
    this.#tree?.walk();
    // Only now: what both are made of goes on.
    if (before !== this.#tree) before?.close();
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
      const assignment = 'assignment' in discovery ? discovery.assignment : undefined;
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
      if (!this.#tls.isWarm) return this.own?.kind === 'ready' ? this.own : undefined;
    }
    return { kind: 'ready', config };
  }
}

/** The same for the same ways of TLS. */
const transportsText = ({ tls, transportMatches }: Cluster): string =>
  JSON.stringify([tls, transportMatches], (_, value: unknown) => (value instanceof Map ? [...value] : value));
