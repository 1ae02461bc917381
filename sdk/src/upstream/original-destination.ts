import { addressText } from '../balancer/hash-key.ts';
import { LiveHost } from './host.ts';

export interface Destination {
  readonly address: string;
  readonly port: number;
}

/** Hosts of an ORIGINAL_DST cluster: made when first dialled, forgotten when idle and more than the limit are kept. */
export interface OriginalDestinations {
  hostOf(destination: Destination): LiveHost;
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
    hostOf(destination) {
      const key = addressText(destination);
      const known = hosts.get(key);
      if (known !== undefined) return known;
      if (hosts.size >= limit) prune();
      const host = new LiveHost({ ...destination, health: 'unknown', weight: 1 }, NOWHERE, 0);
      hosts.set(key, host);
      return host;
    },
    all: () => [...hosts.values()],
  };
}
