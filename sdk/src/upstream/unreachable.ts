import type { Random } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Host } from './host.ts';

interface Rest {
  readonly untilMs: number;
  /** Without its jitter. */
  readonly pauseMs: number;
}

/** gRPC `connection-backoff.md`: MULTIPLIER and JITTER. */
const GROWTH = 1.6;
const JITTER = 0.2;

/** Hosts that took no connection when one was last asked for, and how long gRPC calls leave them alone for it. */
export class Unreachable {
  readonly #rests = new Map<Host, Rest>();

  /** Calls that waited for the same connection count once; so does whoever tried although it rests. */
  failed(host: Host, nowMs: number, random: Random): void {
    const before = this.#rests.get(host);
    if (before !== undefined && nowMs < before.untilMs) return;
    const grown = before === undefined ? defaultOf('backoffBaseMs') : before.pauseMs * GROWTH;
    const pauseMs = Math.min(grown, defaultOf('backoffMaxMs'));
    const spread = (2 * (random() / 2 ** 32) - 1) * JITTER;
    this.#rests.set(host, { pauseMs, untilMs: nowMs + pauseMs * (1 + spread) });
  }

  connected(host: Host): void {
    this.#rests.delete(host);
  }

  rests(host: Host, nowMs: number): boolean {
    const rest = this.#rests.get(host);
    return rest !== undefined && nowMs < rest.untilMs;
  }

  get isEmpty(): boolean {
    return this.#rests.size === 0;
  }

  forgetRemoved(): void {
    for (const host of this.#rests.keys()) if (host.removed) this.#rests.delete(host);
  }
}
