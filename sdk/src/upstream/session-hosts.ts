import { addressText } from '../balancer/hash-key.ts';
import type { Health } from '../model/cluster.ts';
import type { LiveHost } from './host.ts';
import type { HostSet } from './host-set.ts';

/** Hosts by their address, for the sessions that stick to them. */
export class SessionHosts {
  #of: HostSet | undefined;
  #hosts: ReadonlyMap<string, LiveHost> = new Map();

  /** Envoy HostUtility::selectOverrideHost; by default UNKNOWN, HEALTHY and DEGRADED hosts are taken. */
  find(addresses: readonly string[], set: HostSet, statuses: readonly Health[] | undefined): LiveHost | undefined {
    if (this.#of !== set) {
      this.#of = set;
      this.#hosts = new Map(set.all.map((host) => [addressText(host), host]));
    }
    for (const address of addresses) {
      const host = this.#hosts.get(address);
      if (host !== undefined && (statuses?.includes(host.status) ?? host.availability !== 'out')) return host;
    }
    return undefined;
  }
}
