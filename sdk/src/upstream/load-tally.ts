import type { LoadReport } from '../balancer/load-weight.ts';
import type { Locality } from '../model/cluster.ts';
import type { Outcome } from './pick.ts';

/** A sum of what answers said of one metric. */
export interface MetricSum {
  readonly answers: number;
  readonly total: number;
}

/** Requests to one locality of one priority since they were last taken (Envoy UpstreamLocalityStats). */
export interface LocalityCounts {
  readonly locality: Locality;
  readonly priority: number;
  readonly issued: number;
  readonly succeeded: number;
  readonly failed: number;
  readonly inProgress: number;
  readonly metrics: ReadonlyMap<string, MetricSum>;
}

export interface ClusterCounts {
  readonly localities: readonly LocalityCounts[];
  /** Calls that were given up before a host was chosen, by category. */
  readonly drops: ReadonlyMap<string, number>;
}

const NAMED = 'named_metrics.';

export class LocalityTally {
  readonly locality: Locality;
  readonly priority: number;
  #issued = 0;
  #succeeded = 0;
  #failed = 0;
  #inProgress = 0;
  #metrics = new Map<string, MetricSum>();

  constructor(locality: Locality, priority: number) {
    this.locality = locality;
    this.priority = priority;
  }

  begin(): void {
    this.#issued++;
    this.#inProgress++;
  }

  end(isGood: boolean): void {
    this.#inProgress--;
    if (isGood) this.#succeeded++;
    else this.#failed++;
  }

  /** gRFC A64: the named metrics of each answer, added up. */
  add({ metrics }: LoadReport): void {
    for (const [key, value] of metrics) {
      if (!key.startsWith(NAMED)) continue;
      const name = key.slice(NAMED.length);
      const { answers, total } = this.#metrics.get(name) ?? { answers: 0, total: 0 };
      this.#metrics.set(name, { answers: answers + 1, total: total + value });
    }
  }

  /** undefined: nothing has happened, and nothing is under way. */
  take(): LocalityCounts | undefined {
    const { locality, priority } = this;
    const counts = {
      ...{ locality, priority, metrics: this.#metrics },
      ...{ issued: this.#issued, succeeded: this.#succeeded, failed: this.#failed, inProgress: this.#inProgress },
    };
    this.#issued = 0;
    this.#succeeded = 0;
    this.#failed = 0;
    this.#metrics = new Map();
    return counts.issued + counts.succeeded + counts.failed + counts.inProgress === 0 ? undefined : counts;
  }
}

/** What is reported to the control plane of the calls to one cluster. */
export class LoadTally {
  readonly #localities = new Map<string, LocalityTally>();
  #drops = new Map<string, number>();

  of(locality: Locality, priority: number): LocalityTally {
    const key = `${priority}/${locality.region}/${locality.zone}/${locality.subZone}`;
    const tally = this.#localities.get(key) ?? new LocalityTally(locality, priority);
    this.#localities.set(key, tally);
    return tally;
  }

  drop(category: string): void {
    this.#drops.set(category, (this.#drops.get(category) ?? 0) + 1);
  }

  /** What there has been since the last time; a locality that is quiet is forgotten. undefined: nothing. */
  take(): ClusterCounts | undefined {
    const localities: LocalityCounts[] = [];
    for (const [key, tally] of this.#localities) {
      const counts = tally.take();
      if (counts === undefined) this.#localities.delete(key);
      else localities.push(counts);
    }
    const drops = this.#drops;
    this.#drops = new Map();
    return localities.length === 0 && drops.size === 0 ? undefined : { localities, drops };
  }
}

/** Who keeps the tallies of clusters that are reported of. */
export interface LoadTallies {
  /** Counted: until it is closed as often as it was opened. */
  open(cluster: string, serviceName: string): LoadTally;
  close(cluster: string): void;
}

/** As gRPC has it: any status of its own but OK is a failure. Of other requests, what Envoy has for one. */
export const isGoodOutcome = ({ error, status = 0, grpcStatus }: Outcome): boolean =>
  error === undefined && (grpcStatus === undefined ? status < 500 : grpcStatus === 0);
