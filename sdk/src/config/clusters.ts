import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { Cluster, LoadAssignment } from '../model/cluster.ts';
import type { EventSink } from '../model/events.ts';
import type { ClusterState } from '../model/target.ts';
import { clusterType } from '../resource/cluster/cluster.ts';
import { loadAssignmentType } from '../resource/endpoint/load-assignment.ts';
import { type Part, PENDING } from './part.ts';

export type Unsubscribe = () => void;

/** The clusters in use, each subscribed once however many targets route to it. */
export interface Clusters {
  /** Holds a cluster until the returned function is called; `changed` is called for every new state. */
  hold(name: string, changed: () => void): Unsubscribe;
  /** undefined: not known yet, or not held. The same object until something changes. */
  state(name: string): ClusterState | undefined;
}

export interface ClustersParts {
  readonly clock: Clock;
  readonly discovery: Discovery;
  readonly emit: EventSink;
}

export function createClusters(parts: ClustersParts): Clusters {
  const held = new Map<string, ClusterWatch>();
  return {
    hold(name, changed) {
      const watch = held.get(name) ?? new ClusterWatch(name, parts);
      held.set(name, watch);
      watch.holders.add(changed);
      return () => {
        watch.holders.delete(changed);
        if (watch.holders.size > 0) return;
        held.delete(name);
        watch.close();
      };
    },
    state: (name) => held.get(name)?.state,
  };
}

/** CDS and, where the cluster asks for it, EDS of one cluster. */
class ClusterWatch {
  state: ClusterState | undefined;
  readonly holders = new Set<() => void>();
  readonly #parts: ClustersParts;
  readonly #name: string;
  readonly #unsubscribe: Unsubscribe;
  #cluster: Part<Cluster> = PENDING;
  #assignment: Part<LoadAssignment> = PENDING;
  #grace: Timer | undefined;
  #disbelief: Timer | undefined;
  #endpoints: { readonly serviceName: string; readonly unsubscribe: Unsubscribe } | undefined;

  constructor(name: string, parts: ClustersParts) {
    this.#name = name;
    this.#parts = parts;
    this.#unsubscribe = parts.discovery.subscribe(clusterType, name, {
      onResource: (value) => this.#setCluster({ kind: 'value', value }),
      onAbsent: (reason) => this.#remove(reason),
      onError: (reason) => {
        if (this.#cluster.kind !== 'value') this.#setCluster({ kind: 'bad', reason });
      },
    });
  }

  close(): void {
    this.#grace?.cancel();
    this.#disbelief?.cancel();
    this.#unsubscribe();
    this.#endpoints?.unsubscribe();
  }

  #setCluster(cluster: Part<Cluster>): void {
    this.#grace?.cancel();
    this.#grace = undefined;
    this.#cluster = cluster;
    const discovery = cluster.kind === 'value' ? cluster.value.discovery : undefined;
    this.#watchEndpoints(discovery?.kind === 'eds' ? discovery.serviceName : undefined);
    this.#update();
  }

  /**
   * Unlike endpoints, a cluster that is said to be gone is gone (Envoy CDS). One in use goes a moment later: some control
   * planes (istiod) withdraw it just before the routes that no longer name it, and no call need fail for that.
   */
  #remove(reason: string): void {
    if (this.#cluster.kind !== 'value') {
      this.#setCluster({ kind: 'absent', reason });
      return;
    }
    this.#grace ??= this.#parts.clock.after(defaultOf('clusterGraceMs'), () =>
      this.#setCluster({ kind: 'absent', reason }),
    );
  }

  #watchEndpoints(serviceName: string | undefined): void {
    if (this.#endpoints?.serviceName === serviceName) return;
    this.#endpoints?.unsubscribe();
    this.#disbelief?.cancel();
    this.#endpoints = undefined;
    this.#assignment = PENDING;
    if (serviceName === undefined) return;
    const unsubscribe = this.#parts.discovery.subscribe(loadAssignmentType, serviceName, {
      onResource: (value) => this.#takeEndpoints(value),
      onAbsent: (reason) => this.#miss({ kind: 'absent', reason }),
      onError: (reason) => this.#miss({ kind: 'bad', reason }),
    });
    this.#endpoints = { serviceName, unsubscribe };
  }

  /**
   * A control plane that was just restarted may not know its workloads yet: they are coming back as we are. So an empty
   * cluster neither replaces one with endpoints nor counts as warm at once.
   */
  #takeEndpoints(value: LoadAssignment): void {
    const waitMs = isEmpty(value) && !this.#isKnownEmpty() ? this.#parts.discovery.settlesInMs() : 0;
    if (waitMs === 0) {
      this.#setAssignment({ kind: 'value', value });
      return;
    }
    this.#disbelief?.cancel();
    this.#disbelief = this.#parts.clock.after(waitMs, () => this.#setAssignment({ kind: 'value', value }));
  }

  #isKnownEmpty(): boolean {
    return this.#assignment.kind === 'value' && isEmpty(this.#assignment.value);
  }

  #setAssignment(assignment: Part<LoadAssignment>): void {
    this.#disbelief?.cancel();
    this.#assignment = assignment;
    this.#update();
  }

  /** Endpoints that were known stay when they are taken back: Envoy's EDS ignores removals, the cluster decides. */
  #miss(part: Extract<Part<LoadAssignment>, { readonly reason: string }>): void {
    if (this.#assignment.kind === 'value') return;
    this.#parts.emit({ kind: 'warning', message: `cluster "${this.#name}" has no endpoints: ${part.reason}` });
    this.#setAssignment(part);
  }

  #update(): void {
    this.state = this.#compute();
    for (const changed of [...this.holders]) changed();
  }

  #compute(): ClusterState | undefined {
    const cluster = this.#cluster;
    if (cluster.kind === 'pending') return undefined;
    if (cluster.kind !== 'value') return { kind: 'failed', reason: cluster.reason };
    const { discovery } = cluster.value;
    if (discovery.kind !== 'eds') {
      const assignment = discovery.kind === 'original-dst' ? undefined : discovery.assignment;
      return { kind: 'ready', config: { cluster: cluster.value, assignment } };
    }
    if (this.#assignment.kind === 'pending') return undefined;
    // Without endpoints the cluster is usable and empty: its calls answer UH, as in Envoy.
    const assignment = this.#assignment.kind === 'value' ? this.#assignment.value : undefined;
    return { kind: 'ready', config: { cluster: cluster.value, assignment } };
  }
}

const isEmpty = ({ localities }: LoadAssignment): boolean =>
  localities.every(({ endpoints }) => endpoints.length === 0);
