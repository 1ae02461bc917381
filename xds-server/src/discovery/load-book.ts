import type { ClusterStats, UpstreamLocalityStats } from '@inmesh/sdk/internal/gen/endpoint';
import { defaultOf } from '../defaults.ts';

/** What clients report of one cluster in one place, since the control plane was started. */
interface LocalityLoad {
  readonly cluster: string;
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
  readonly priority: number;
  readonly successes: number;
  readonly errors: number;
  readonly issued: number;
  /** Now, of the clients that are connected. */
  readonly inProgress: number;
  /** Reported by servers with their answers (gRFC A64), by name: the sum, and of how many calls. */
  readonly metrics: Readonly<Record<string, { readonly calls: number; readonly total: number }>>;
}

/** Calls that clients dropped themselves: circuit breaking, drop overloads. */
export interface DroppedLoad {
  readonly cluster: string;
  /** Empty: of no category. */
  readonly category: string;
  readonly calls: number;
}

export interface LoadReport {
  /** Streams that report. */
  readonly clients: number;
  readonly localities: readonly LocalityLoad[];
  readonly dropped: readonly DroppedLoad[];
  /** Reports of clusters beyond what is kept. */
  readonly overflow: number;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface Row extends Omit<Mutable<LocalityLoad>, 'metrics'> {
  readonly metrics: Map<string, { calls: number; total: number }>;
}

/** Of one locality; a server that gives each call a metric of its own must not fill the memory. */
const MOST_METRICS = 32;

/** The sums of all load reports (LRS). */
export class LoadBook {
  readonly #rows = new Map<string, Row>();
  readonly #dropped = new Map<string, Mutable<DroppedLoad>>();
  readonly #plainName: (cluster: string) => string;
  #clients = 0;
  #overflow = 0;

  /** `plainName`: what a cluster is called here. */
  constructor(plainName: (cluster: string) => string = (cluster) => cluster) {
    this.#plainName = plainName;
  }

  /** The reports of one client. */
  open(): LoadReporter {
    this.#clients++;
    /** By row: what this client said last. */
    let inProgress = new Map<Row, number>();
    let isOver = false;
    const progress = (now: Map<Row, number>): void => {
      for (const [row, calls] of inProgress) row.inProgress -= calls;
      for (const [row, calls] of now) row.inProgress += calls;
      inProgress = now;
    };
    return {
      take: (stats) => {
        if (isOver) return;
        const now = new Map<Row, number>();
        for (const one of stats) this.#take(one, now);
        progress(now);
      },
      close: () => {
        if (isOver) return;
        isOver = true;
        this.#clients--;
        progress(new Map());
      },
    };
  }

  report(): LoadReport {
    const localities = [...this.#rows.values()].map(({ metrics, ...row }) => ({
      ...row,
      metrics: Object.fromEntries(metrics),
    }));
    return {
      clients: this.#clients,
      localities: localities.sort(byCluster),
      dropped: [...this.#dropped.values()].map((one) => ({ ...one })).sort(byCluster),
      overflow: this.#overflow,
    };
  }

  #take(stats: ClusterStats, inProgress: Map<Row, number>): void {
    if (stats.clusterName.length > defaultOf('nameLength')) return;
    const cluster = this.#plainName(stats.clusterName);
    for (const one of stats.upstreamLocalityStats) {
      const row = this.#row(cluster, one);
      if (row === undefined) continue;
      row.successes += Number(one.totalSuccessfulRequests);
      row.errors += Number(one.totalErrorRequests);
      row.issued += Number(one.totalIssuedRequests);
      inProgress.set(row, (inProgress.get(row) ?? 0) + Number(one.totalRequestsInProgress));
      addMetrics(row, one);
    }
    let named = 0;
    for (const { category, droppedCount } of stats.droppedRequests) {
      named += Number(droppedCount);
      this.#drop(cluster, category, Number(droppedCount));
    }
    // The total has those without a category too (Envoy ClusterStats.total_dropped_requests).
    this.#drop(cluster, '', Number(stats.totalDroppedRequests) - named);
  }

  #row(cluster: string, { locality, priority }: UpstreamLocalityStats): Row | undefined {
    const { region = '', zone = '', subZone = '' } = locality ?? {};
    const key = JSON.stringify([cluster, region, zone, subZone, priority]);
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    if (this.#isFull(region.length + zone.length + subZone.length)) return undefined;
    const sums = { successes: 0, errors: 0, issued: 0, inProgress: 0 };
    const made = { cluster, region, zone, subZone, priority, ...sums, metrics: new Map() };
    this.#rows.set(key, made);
    return made;
  }

  #drop(cluster: string, category: string, calls: number): void {
    if (calls <= 0) return;
    const key = JSON.stringify([cluster, category]);
    const known = this.#dropped.get(key);
    if (known !== undefined) known.calls += calls;
    else if (!this.#isFull(category.length)) this.#dropped.set(key, { cluster, category, calls });
  }

  #isFull(characters: number): boolean {
    const isFull =
      this.#rows.size + this.#dropped.size >= defaultOf('loadRows') || characters > defaultOf('nameLength');
    if (isFull) this.#overflow++;
    return isFull;
  }
}

export interface LoadReporter {
  take(stats: readonly ClusterStats[]): void;
  close(): void;
}

function addMetrics({ metrics }: Row, { loadMetricStats }: UpstreamLocalityStats): void {
  for (const { metricName, numRequestsFinishedWithMetric, totalMetricValue } of loadMetricStats) {
    const known = metrics.get(metricName);
    if (known === undefined && (metrics.size >= MOST_METRICS || metricName.length > defaultOf('nameLength'))) continue;
    const { calls, total } = known ?? { calls: 0, total: 0 };
    metrics.set(metricName, { calls: calls + Number(numRequestsFinishedWithMetric), total: total + totalMetricValue });
  }
}

const byCluster = (a: { readonly cluster: string }, b: { readonly cluster: string }): number =>
  a.cluster < b.cluster ? -1 : a.cluster > b.cluster ? 1 : 0;
