import { type ClusterCounts, type LoadTallies, LoadTally } from '../upstream/load-tally.ts';

/** What there is to report of one cluster. */
export interface ClusterLoad extends ClusterCounts {
  readonly cluster: string;
  readonly serviceName: string;
  /** Since it was last taken. */
  readonly spanMs: number;
}

interface Page {
  readonly tally: LoadTally;
  readonly serviceName: string;
  users: number;
  sinceMs: number;
}

/** The loads of all clusters that the control plane wants to hear of, until it is told. */
export class LoadBook implements LoadTallies {
  readonly #pages = new Map<string, Page>();
  readonly #now: () => number;
  readonly #changed: () => void;

  /** `changed`: a cluster has come, or is no longer called. */
  constructor(now: () => number, changed: () => void) {
    this.#now = now;
    this.#changed = changed;
  }

  open(cluster: string, serviceName: string): LoadTally {
    const known = this.#pages.get(cluster);
    const page = known ?? { tally: new LoadTally(), serviceName, users: 0, sinceMs: this.#now() };
    this.#pages.set(cluster, page);
    if (page.users++ === 0) this.#changed();
    return page.tally;
  }

  close(cluster: string): void {
    const page = this.#pages.get(cluster);
    if (page !== undefined && --page.users === 0) this.#changed();
  }

  /** Clusters in use. */
  *clusters(): Generator<string> {
    for (const [cluster, { users }] of this.#pages) if (users > 0) yield cluster;
  }

  /** The last of a cluster that is no longer called is told too, then it is forgotten. */
  take(isWanted: (cluster: string) => boolean): readonly ClusterLoad[] {
    const nowMs = this.#now();
    const loads: ClusterLoad[] = [];
    for (const [cluster, page] of this.#pages) {
      if (!isWanted(cluster)) continue;
      const counts = page.tally.take();
      const { serviceName, sinceMs } = page;
      if (counts !== undefined) loads.push({ cluster, serviceName, spanMs: nowMs - sinceMs, ...counts });
      else if (page.users === 0) this.#pages.delete(cluster);
      page.sinceMs = nowMs;
    }
    return loads;
  }

  /** Nobody is told any longer. */
  forgetUnused(): void {
    for (const [cluster, { users }] of this.#pages) if (users === 0) this.#pages.delete(cluster);
  }
}
