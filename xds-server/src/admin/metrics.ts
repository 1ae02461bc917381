import type { Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { LoadReport } from '../discovery/load-book.ts';
import { loadMetrics } from './load-metrics.ts';

/** The control plane's own figures, under istiod's names where it has them. Counted in plain numbers, read at scrape. */
export class ControlPlaneMetrics {
  readonly pushes = new Map<string, number>();
  readonly rejections = new Map<string, number>();
  readonly #convergence: number[] = [];
  /** Streams that were read more slowly, names that were refused. */
  throttled = 0;
  refusedNames = 0;
  /** Credentials that proved nothing, by why; resources asked for that are not the asker's, by type. */
  readonly turnedAway = new Map<string, number>();
  readonly denied = new Map<string, number>();
  #opened = 0;
  #closed = 0;
  #registry: Promise<(state: ScrapeState) => Promise<string>> | undefined;

  opened(): void {
    this.#opened++;
  }

  closed(): void {
    this.#closed++;
  }

  answered(typeUrl: string, rejected: boolean): void {
    const type = shortType(typeUrl);
    this.pushes.set(type, (this.pushes.get(type) ?? 0) + 1);
    if (rejected) this.rejections.set(type, (this.rejections.get(type) ?? 0) + 1);
  }

  pushed(durationMs: number): void {
    if (this.#convergence.length < 4_096) this.#convergence.push(durationMs / 1_000);
  }

  /** The Prometheus text; the library loads on the first scrape. */
  async scrape(state: ScrapeState): Promise<string> {
    this.#registry ??= this.#load();
    return (await this.#registry)(state);
  }

  async #load(): Promise<(state: ScrapeState) => Promise<string>> {
    const client = await import('prom-client');
    const registry: Registry = new client.Registry();
    const registers = [registry];
    const gauge = (name: string, help: string, labelNames: string[] = []): Gauge =>
      new client.Gauge({ name, help, labelNames, registers });
    const connected = gauge('pilot_xds', 'Streams that are open.');
    const services = gauge('pilot_services', 'Services known.');
    const problems = gauge('inmesh_problems', 'Located problems of the configuration.', ['severity']);
    const waiting = gauge('inmesh_xds_waiting_streams', 'Streams that wait for their first answer.');
    const counter = (name: string, help: string): Counter => new client.Counter({ name, help, registers });
    const throttled = counter('inmesh_xds_throttled_total', 'Times a stream asked too fast and was read more slowly.');
    const refused = counter('inmesh_xds_refused_names_total', 'Names beyond what a stream may hold.');
    const turnedAway = new client.Counter({
      name: 'inmesh_xds_unauthenticated_total',
      help: 'Calls and connections that were not let in, by why.',
      labelNames: ['reason'],
      registers,
    });
    const denied = new client.Counter({
      name: 'inmesh_xds_denied_total',
      help: 'Names that a stream asked for and may not see, by type.',
      labelNames: ['type'],
      registers,
    });
    const streams: Counter = new client.Counter({
      name: 'inmesh_xds_streams_total',
      help: 'Streams opened.',
      registers,
    });
    const pushes: Counter = new client.Counter({
      name: 'pilot_xds_pushes',
      help: 'Responses answered by clients, by type.',
      labelNames: ['type'],
      registers,
    });
    const rejects: Counter = new client.Counter({
      name: 'pilot_total_xds_rejects',
      help: 'Responses that clients rejected.',
      labelNames: ['type'],
      registers,
    });
    const time: Histogram = new client.Histogram({
      name: 'pilot_proxy_convergence_time',
      help: 'Seconds from a snapshot to its last stream.',
      buckets: [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 3],
      registers,
    });
    const loads = loadMetrics(client, registry);
    return (state) => {
      if (state.loads !== undefined) loads(state.loads);
      connected.set(this.#opened - this.#closed);
      services.set(state.services);
      problems.set({ severity: 'error' }, state.errors);
      problems.set({ severity: 'warning' }, state.warnings);
      waiting.set(state.waiting);
      renew(throttled, [[{}, this.throttled]]);
      renew(refused, [[{}, this.refusedNames]]);
      renew(streams, [[{}, this.#opened]]);
      renew(
        turnedAway,
        [...this.turnedAway].map(([reason, count]) => [{ reason }, count]),
      );
      renew(
        denied,
        [...this.denied].map(([type, count]) => [{ type }, count]),
      );
      renew(
        pushes,
        [...this.pushes].map(([type, count]) => [{ type }, count]),
      );
      renew(
        rejects,
        [...this.rejections].map(([type, count]) => [{ type }, count]),
      );
      for (const seconds of this.#convergence.splice(0)) time.observe(seconds);
      return registry.metrics();
    };
  }
}

export const count = (counts: Map<string, number>, key: string): number => {
  const next = (counts.get(key) ?? 0) + 1;
  counts.set(key, next);
  return next;
};

export interface ScrapeState {
  readonly services: number;
  /** Streams in front of their first answer. */
  readonly waiting: number;
  readonly errors: number;
  readonly warnings: number;
  /** undefined: nobody is asked to report. */
  readonly loads: LoadReport | undefined;
}

function renew(counter: Counter, values: readonly (readonly [Record<string, string>, number])[]): void {
  counter.reset();
  for (const [labels, count] of values) counter.inc(labels, count);
}

const SHORT: Readonly<Record<string, string>> = {
  Listener: 'lds',
  RouteConfiguration: 'rds',
  Cluster: 'cds',
  ClusterLoadAssignment: 'eds',
  Secret: 'sds',
};

export function shortType(typeUrl: string): string {
  const name = typeUrl.slice(typeUrl.lastIndexOf('.') + 1);
  return SHORT[name] ?? name;
}
