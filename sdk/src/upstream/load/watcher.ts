import type { LoadReport } from '../../balancer/load-weight.ts';
import type { Clock, Random, Timer } from '../../clock.ts';
import { defaultOf } from '../../defaults.ts';
import type { Cluster } from '../../model/cluster.ts';
import type { LiveHost } from '../host.ts';
import type { LoadStream, StartLoadStream } from './stream.ts';

/** The cluster whose hosts report. */
export interface WatcherOwner {
  readonly clock: Clock;
  readonly random: Random;
  onReport(host: LiveHost, report: LoadReport): void;
}

/** The stream of one host, or the pause before the next. */
interface Watched {
  stream: LoadStream | undefined;
  timer: Timer | undefined;
  failures: number;
}

/** gRPC connection-backoff.md */
const GROWTH = 1.6;
const JITTER = 0.2;

/**
 * Load reports out of band (gRFC A58, enable_oob_load_report): a stream from each host that has been called. A host that is
 * never called costs none; one that has no such service is not asked again.
 */
export class LoadWatcher {
  readonly #owner: WatcherOwner;
  readonly #start: StartLoadStream;
  readonly #hosts = new Map<LiveHost, Watched>();
  #cluster: Cluster;
  #periodMs: number;

  constructor(cluster: Cluster, periodMs: number, owner: WatcherOwner, start: StartLoadStream) {
    this.#cluster = cluster;
    this.#periodMs = periodMs;
    this.#owner = owner;
    this.#start = start;
  }

  /** New settings hold for streams that begin from now on; a new period for all. */
  adopt(cluster: Cluster, periodMs: number): void {
    this.#cluster = cluster;
    if (periodMs === this.#periodMs) return;
    this.#periodMs = periodMs;
    for (const [host, watched] of this.#hosts) {
      stop(watched);
      this.#begin(host, watched);
    }
  }

  watch(host: LiveHost): void {
    if (this.#hosts.has(host) || host.removed) return;
    const watched: Watched = { stream: undefined, timer: undefined, failures: 0 };
    this.#hosts.set(host, watched);
    this.#begin(host, watched);
  }

  forgetRemoved(): void {
    for (const [host, watched] of this.#hosts) {
      if (!host.removed) continue;
      stop(watched);
      this.#hosts.delete(host);
    }
  }

  close(): void {
    for (const watched of this.#hosts.values()) stop(watched);
    this.#hosts.clear();
  }

  #begin(host: LiveHost, watched: Watched): void {
    const { clock } = this.#owner;
    watched.stream = this.#start(
      { host, cluster: this.#cluster, periodMs: this.#periodMs, clock },
      {
        report: (report) => {
          watched.failures = 0;
          this.#owner.onReport(host, report);
        },
        ended: (isUnknown) => {
          watched.stream = undefined;
          if (!isUnknown) this.#pause(host, watched);
        },
      },
    );
  }

  #pause(host: LiveHost, watched: Watched): void {
    const { clock, random } = this.#owner;
    const ms = Math.min(defaultOf('backoffBaseMs') * GROWTH ** watched.failures++, defaultOf('backoffMaxMs'));
    const spread = 1 + JITTER * ((random() / 2 ** 32) * 2 - 1);
    watched.timer = clock.after(ms * spread, () => this.#begin(host, watched));
  }
}

function stop(watched: Watched): void {
  watched.stream?.cancel();
  watched.timer?.cancel();
  watched.stream = undefined;
  watched.timer = undefined;
}
