import { addressText } from '../balancer/hash-key.ts';
import { LiveHost } from './host.ts';

export interface Destination {
  readonly address: string;
  readonly port: number;
}

const NOWHERE = { locality: { region: '', zone: '', subZone: '' }, priority: 0 } as const;

/** Hosts of an ORIGINAL_DST cluster: made when first dialled, forgotten when idle and more than the limit are kept. */
export class OriginalDestinations {
  readonly #limit: number;
  readonly #hosts = new Map<string, LiveHost>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Unless it is to be kept, a host that is new is not remembered. */
  hostOf(destination: Destination, keep: boolean): LiveHost {
    const key = addressText(destination);
    const known = this.#hosts.get(key);
    if (known !== undefined) return known;
    const host = new LiveHost({ ...destination, health: 'unknown', weight: 1 }, NOWHERE);
    if (!keep) return host;
    if (this.#hosts.size >= this.#limit) this.#prune();
    this.#hosts.set(key, host);
    return host;
  }

  all(): Iterable<LiveHost> {
    return this.#hosts.values();
  }

  #prune(): void {
    for (const [key, host] of this.#hosts) {
      if (this.#hosts.size < this.#limit) return;
      if (host.active > 0) continue;
      host.removed = true;
      this.#hosts.delete(key);
    }
  }
}
