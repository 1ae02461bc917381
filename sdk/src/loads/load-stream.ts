import type { Node } from '../../gen/core.js';
import type { Clock, Random, Timer } from '../clock.ts';
import { backoffMs, isLocalServer } from '../discovery/backoff.ts';
import type { AdsStream, AdsTransport } from '../discovery/transport.ts';
import type { ClusterLoad } from './load-book.ts';
import { encodeIntroduction, encodeLoads, type LoadQuestion, readQuestion } from './load-messages.ts';

export interface LoadStreamParts {
  readonly transport: AdsTransport;
  readonly clock: Clock;
  readonly random: Random;
  /** Who we are. */
  readonly node: () => Node;
  /** Takes what there is to report to this server. */
  readonly take: (question: LoadQuestion) => readonly ClusterLoad[];
}

/** No control plane can have us report without end. */
const SHORTEST_MS = 100;

/** Load reports to one control plane (envoy.service.load_stats.v3, gRFC A27): it says of which clusters, and how often. */
export class LoadStream {
  readonly #parts: LoadStreamParts;
  #stream: AdsStream | undefined;
  #timer: Timer | undefined;
  #question: LoadQuestion | undefined;
  #failures = 0;
  #isClosed = false;

  constructor(parts: LoadStreamParts) {
    this.#parts = parts;
    this.#open();
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#stream?.close();
  }

  #open(): void {
    const { transport, node } = this.#parts;
    const stream = transport.openLoads?.({
      message: (bytes) => this.#receive(bytes),
      close: () => this.#lost(),
    });
    this.#stream = stream;
    stream?.send(encodeIntroduction(node()));
  }

  #receive(bytes: Uint8Array): void {
    if (this.#isClosed) return;
    try {
      this.#question = readQuestion(bytes);
    } catch {
      this.#stream?.close();
      this.#lost();
      return;
    }
    this.#failures = 0;
    this.#timer?.cancel();
    this.#schedule(this.#question);
  }

  /** An interval of nothing is none: no report is asked for (grpc-go, LoadStatsResponse.load_reporting_interval). */
  #schedule(question: LoadQuestion): void {
    if (question.intervalMs <= 0) return;
    const ms = Math.max(question.intervalMs, SHORTEST_MS);
    this.#timer = this.#parts.clock.after(ms, () => {
      this.#stream?.send(encodeLoads(this.#parts.take(question)));
      this.#schedule(question);
    });
  }

  #lost(): void {
    if (this.#isClosed) return;
    const { clock, random, transport } = this.#parts;
    this.#stream = undefined;
    this.#question = undefined;
    this.#timer?.cancel();
    this.#failures++;
    const ms = backoffMs(this.#failures, isLocalServer(transport.server), random);
    this.#timer = clock.after(ms, () => this.#open());
  }
}
