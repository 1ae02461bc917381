import type { PriorityHealth, PriorityLoads } from '../balancer/priority.ts';
import type { Clock, Random } from '../clock.ts';
import type { EventSink } from '../model/events.ts';
import type { Hash64 } from '../model/hash.ts';
import type { ClusterConfig } from '../model/target.ts';
import type { Breaker } from './breaker.ts';
import type { StartProbe } from './health/checker.ts';
import type { Host, HostView } from './host.ts';
import type { StartLoadStream } from './load/stream.ts';
import type { LoadTallies } from './load-tally.ts';
import type { Destination } from './original-destination.ts';
import type { Ejection } from './outlier/record.ts';
import type { Pick, PickFailure } from './pick.ts';

export interface PickContext {
  /** What the route's hash policies gave; a random one stands in for it. */
  readonly hash?: Hash64;
  /** Hosts to avoid, e.g. those of earlier attempts. */
  readonly exclude?: (host: Host) => boolean;
  /** How often to choose again when `exclude` says so (Envoy host_selection_retry_max_attempts); then it is taken anyway. */
  readonly selectionAttempts?: number;
  /** Priorities of earlier attempts, left out while there are others (Envoy PreviousPrioritiesConfig). */
  readonly triedPriorities?: readonly number[];
  /** After so many attempts what is left out is brought up to date (update_frequency); 1 where absent. */
  readonly priorityUpdateFrequency?: number;
  /** Hosts a session sticks to, first one first (Envoy override host); `strict`: none else. */
  readonly overrideHost?: { readonly addresses: readonly string[]; readonly strict: boolean };
  /**
   * gRPC: the hosts that this call could not connect to, which it does not try again. Others that take no connections are passed
   * over while there are others.
   */
  readonly unreachable?: ReadonlySet<Host>;
  /** For ORIGINAL_DST clusters: the address the application dialled. */
  readonly originalDestination?: Destination;
}

/** What a pick would give now. */
export interface Peek {
  readonly kind: 'peek';
  readonly host: Host;
}

/** The priorities of a cluster. */
export interface Levels {
  readonly health: readonly PriorityHealth[];
  readonly overprovisioningFactor: number;
  readonly loads: PriorityLoads;
}

/** Live state of one cluster: its hosts with their counters, and who of them is next. */
export interface Upstream {
  readonly name: string;
  config(): ClusterConfig;
  /** Takes over a new configuration: hosts that stay keep their counters; tables are rebuilt where they change. */
  update(config: ClusterConfig): void;
  /** Resolves once picks go by the newest configuration. */
  prepare(): Promise<void>;
  pick(context: PickContext): Pick | PickFailure;
  /** As `pick`, but nothing changes. Without a source of chance every draw is 0. */
  peek(context: PickContext, random?: Random): Peek | PickFailure;
  /** Itself; of an aggregate those of its clusters that can be used. */
  members(): readonly Upstream[];
  /** Itself; of an aggregate the one a pick with this chance would come from. */
  serving(random: Random): Upstream;
  /** A hash, or the address that was dialled, has a part in its picks. */
  readonly needsHash: boolean;
  readonly needsDestination: boolean;
  /** How its priorities stand, as its picks see them: the same object until that changes; undefined: not known yet. */
  levels(): Levels | undefined;
  /** Of a pick's host, among all priorities. */
  levelOf(pick: Pick): number;
  /** A call was given up before a host was chosen: told where loads are reported. */
  dropped(category: string): void;
  hosts(): readonly HostView[];
  /** Hosts that outlier detection has left out, now or before. */
  ejections(): readonly Ejection[];
  /** Ends the ejection of a host, `address:port`; false where it is not ejected. */
  uneject(address: string): boolean;
  /** The 95th percentile of the times to the head of a good answer; measured from the first time it is asked for. */
  p95Ms(): number | undefined;
  /** Limits and counts of one priority of requests. */
  breaker(priority: 'default' | 'high'): Breaker;
  /** Stops a build that is under way; its hosts count as removed. Picks made before stay valid. */
  close(): void;
}

export interface UpstreamDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: EventSink;
  /** How a host's health is asked; over the network where absent. */
  readonly probe?: StartProbe;
  /** How a host is asked for its load; over the network where absent. */
  readonly loadStream?: StartLoadStream;
  /** Where calls are counted that the control plane wants to hear of. */
  readonly loads?: LoadTallies;
  /** Told when hosts may have gone some time after an update: many are brought in line in slices. */
  readonly onHostsChanged?: () => void;
}
