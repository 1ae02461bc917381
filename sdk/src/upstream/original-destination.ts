import { addressText } from '../balancer/hash-key.ts';
import { LiveHost } from './host.ts';

export interface Destination {
  readonly address: string;
  readonly port: number;
}

/** Hosts of an ORIGINAL_DST cluster: made when first dialled, forgotten when idle and more than the limit are kept. */
export interface OriginalDestinations {
  /** Unless it is to be kept, a host that is new is not remembered. */
  hostOf(destination: Destination, keep: boolean): LiveHost;
  all(): readonly LiveHost[];
}

const NOWHERE = { region: '', zone: '', subZone: '' } as const;

export function createOriginalDestinations(limit: number): OriginalDestinations {
  const hosts = new Map<string, LiveHost>();
  const prune = (): void => {
    for (const [key, host] of hosts) {
      if (hosts.size < limit) return;
      if (host.active > 0) continue;
      host.removed = true;
      hosts.delete(key);
    }
  };
  return {
    hostOf(destination, keep) {
      const key = addressText(destination);
      const known = hosts.get(key);
      if (known !== undefined) return known;
      const host = new LiveHost({ ...destination, health: 'unknown', weight: 1 }, NOWHERE, 0);
      if (!keep) return host;
      if (hosts.size >= limit) prune();
      hosts.set(key, host);
      return host;
    },
    all: () => [...hosts.values()],
  };
}
