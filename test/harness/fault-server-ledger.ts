import type { IncomingHttpHeaders } from 'node:http';

/** One request as it reached a fault server. */
export interface Arrival {
  readonly host: string;
  /** Counted from 1 over all hosts that share the ledger (those of a mirror by themselves). */
  readonly attempt: number;
  /** ms on the monotonic clock. */
  readonly atMs: number;
  /** Connections of its host before this one. */
  readonly connection: number;
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  /** Bytes of the body; complete once the request has been read. */
  bodyBytes: number;
}

/** What reached a group of servers, by call id (`x-call`). */
export class FaultLedger {
  readonly #calls = new Map<string, Arrival[]>();
  readonly #remembered: number;

  /** The oldest call is forgotten when there are more than `remembered`: a long run stays within its memory. */
  constructor(remembered = 10_000) {
    this.#remembered = remembered;
  }

  arrived(call: string, arrival: Omit<Arrival, 'attempt'>): Arrival {
    let arrivals = this.#calls.get(call);
    if (arrivals === undefined) {
      arrivals = [];
      this.#calls.set(call, arrivals);
      const [oldest] = this.#calls.keys();
      if (this.#calls.size > this.#remembered && oldest !== undefined) this.#calls.delete(oldest);
    }
    const entry: Arrival = { ...arrival, attempt: arrivals.length + 1 };
    arrivals.push(entry);
    return entry;
  }

  of(call: string): readonly Arrival[] {
    return this.#calls.get(call) ?? [];
  }

  calls(): readonly string[] {
    return [...this.#calls.keys()];
  }
}
