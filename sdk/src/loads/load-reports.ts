import type { Clock, Random } from '../clock.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { AdsTransport } from '../discovery/transport.ts';
import type { LoadBook } from './load-book.ts';
import { LoadStream } from './load-stream.ts';

export interface LoadReportsParts {
  readonly book: LoadBook;
  readonly discovery: Pick<Discovery, 'serverOf' | 'status'>;
  readonly transports: readonly AdsTransport[];
  readonly clock: Clock;
  readonly random: Random;
}

/** Each cluster is reported of to the control plane it came from (`lrs_server: self`): a stream for each that has one. */
export class LoadReports {
  readonly #parts: LoadReportsParts;
  readonly #streams = new Map<string, LoadStream>();

  constructor(parts: LoadReportsParts) {
    this.#parts = parts;
    this.update();
  }

  /** Clusters have come or gone. */
  update(): void {
    const { book, discovery, transports } = this.#parts;
    const wanted = new Set([...book.clusters()].map((cluster) => discovery.serverOf(cluster)));
    for (const [server, stream] of this.#streams) {
      if (wanted.has(server)) continue;
      this.#streams.delete(server);
      stream.close();
    }
    for (const transport of transports) {
      const { server, openLoads } = transport;
      if (wanted.has(server) && openLoads !== undefined && !this.#streams.has(server)) this.#open(transport);
    }
    if (this.#streams.size === 0) book.forgetUnused();
  }

  close(): void {
    for (const stream of this.#streams.values()) stream.close();
    this.#streams.clear();
  }

  #open(transport: AdsTransport): void {
    const { book, discovery, clock, random } = this.#parts;
    const { server } = transport;
    const stream = new LoadStream({
      ...{ transport, clock, random },
      node: () => discovery.status().node,
      take: ({ clusters }) => {
        const loads = book.take((name) => (clusters?.has(name) ?? true) && discovery.serverOf(name) === server);
        // Another control plane may be listened to by now (gRFC A71).
        queueMicrotask(() => this.update());
        return loads;
      },
    });
    this.#streams.set(server, stream);
  }
}
