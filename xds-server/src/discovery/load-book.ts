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

/** Of one locality, and for each row that is kept; a server that gives each call a metric of its own must not fill the memory. */
const MOST_METRICS = 32;
const METRICS_A_ROW = 4;
/** Of places, categories and metrics, as of clusters by the names we give them. */
const LONGEST_NAME = 512;
/** Of calls, in one report: beyond it is nonsense, and would drown what others say. */
const MOST_CALLS = 1_000_000_000_000n;

/** The sums of all load reports (LRS). */
export class LoadBook {
  readonly #rows = new Map<string, Row>();
  readonly #dropped = new Map<string, Mutable<DroppedLoad>>();
  readonly #plainName: (cluster: string) => string;
  /** Rows that were made for one workload, of which no one may take all. */
  readonly #made = new Map<string, number>();
  #metrics = 0;
  #clients = 0;
  #overflow = 0;

  /** `plainName`: what a cluster is called here. */
  constructor(plainName: (cluster: string) => string = (cluster) => cluster) {
    this.#plainName = plainName;
  }

  /** The reports of one client. */
  open(): LoadReporter {
    this.#clients++;
    let owner: string | undefined;
    /** By row: what this client said last. */
    let inProgress = new Map<Row, number>();
    let isOver = false;
    const progress = (now: Map<Row, number>): void => {
      for (const [row, calls] of inProgress) row.inProgress -= calls;
      for (const [row, calls] of now) row.inProgress += calls;
      inProgress = now;
    };
    return {
      known: (who) => {
        owner = who;
      },
      take: (stats) => {
        if (isOver) return;
        const now = new Map<Row, number>();
        for (const one of stats) this.#take(one, now, owner);
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

  #take(stats: ClusterStats, inProgress: Map<Row, number>, owner: string | undefined): void {
    if (stats.clusterName.length > defaultOf('nameLength')) return;
    const cluster = this.#plainName(stats.clusterName);
    for (const one of stats.upstreamLocalityStats) {
      const row = this.#row(cluster, one, owner);
      if (row === undefined) continue;
      row.successes += callsIn(one.totalSuccessfulRequests);
      row.errors += callsIn(one.totalErrorRequests);
      row.issued += callsIn(one.totalIssuedRequests);
      inProgress.set(row, (inProgress.get(row) ?? 0) + callsIn(one.totalRequestsInProgress));
      this.#addMetrics(row, one);
    }
    let named = 0;
    for (const { category, droppedCount } of stats.droppedRequests) {
      named += callsIn(droppedCount);
      this.#drop({ cluster, category, calls: callsIn(droppedCount) }, owner);
    }
    // The total has those without a category too (Envoy ClusterStats.total_dropped_requests).
    this.#drop({ cluster, category: '', calls: callsIn(stats.totalDroppedRequests) - named }, owner);
  }

  #row(cluster: string, { locality, priority }: UpstreamLocalityStats, owner: string | undefined): Row | undefined {
    const { region = '', zone = '', subZone = '' } = locality ?? {};
    const key = JSON.stringify([cluster, region, zone, subZone, priority]);
    const known = this.#rows.get(key);
    if (known !== undefined) return known;
    if (!this.#hasRoom([cluster, region, zone, subZone], owner)) return undefined;
    const sums = { successes: 0, errors: 0, issued: 0, inProgress: 0 };
    const made = { cluster, region, zone, subZone, priority, ...sums, metrics: new Map() };
    this.#rows.set(key, made);
    return made;
  }

  #drop({ cluster, category, calls }: DroppedLoad, owner: string | undefined): void {
    if (calls <= 0) return;
    const key = JSON.stringify([cluster, category]);
    const known = this.#dropped.get(key);
    if (known !== undefined) known.calls += calls;
    else if (this.#hasRoom([cluster, category], owner)) this.#dropped.set(key, { cluster, category, calls });
  }

  #hasRoom(names: readonly string[], owner: string | undefined): boolean {
    const own = owner === undefined ? 0 : (this.#made.get(owner) ?? 0);
    const isFull =
      this.#rows.size + this.#dropped.size >= defaultOf('loadRows') ||
      own >= defaultOf('loadRowsPerClient') ||
      names.some((name) => name.length > LONGEST_NAME);
    if (isFull) this.#overflow++;
    else if (owner !== undefined) this.#made.set(owner, own + 1);
    return !isFull;
  }

  #addMetrics({ metrics }: Row, { loadMetricStats }: UpstreamLocalityStats): void {
    for (const { metricName, numRequestsFinishedWithMetric, totalMetricValue } of loadMetricStats) {
      const known = metrics.get(metricName);
      if (known === undefined && !this.#hasRoomFor(metricName, metrics.size)) continue;
      const total = (known?.total ?? 0) + totalMetricValue;
      // One that is no number would stay for ever.
      if (!Number.isFinite(total)) continue;
      if (known === undefined) this.#metrics++;
      metrics.set(metricName, { calls: (known?.calls ?? 0) + callsIn(numRequestsFinishedWithMetric), total });
    }
  }

  #hasRoomFor(metric: string, before: number): boolean {
    const isFull = before >= MOST_METRICS || this.#metrics >= METRICS_A_ROW * defaultOf('loadRows');
    return !isFull && metric.length <= LONGEST_NAME;
  }
}

export interface LoadReporter {
  /** Whom it has proven to be, before the first report; who says nothing is of this machine, and believed. */
  known(owner: string | undefined): void;
  take(stats: readonly ClusterStats[]): void;
  close(): void;
}

const callsIn = (count: bigint): number => (count <= MOST_CALLS ? Number(count) : 0);

const byCluster = (a: { readonly cluster: string }, b: { readonly cluster: string }): number =>
  a.cluster < b.cluster ? -1 : a.cluster > b.cluster ? 1 : 0;
