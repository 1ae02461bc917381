import { CLUSTER_TYPE, ENDPOINT_TYPE, LISTENER_TYPE, ROUTE_TYPE } from '../translate/resource-types.ts';
import type { ResourceTtls } from './api.ts';

const TYPES = { lds: LISTENER_TYPE, rds: ROUTE_TYPE, cds: CLUSTER_TYPE, eds: ENDPOINT_TYPE } as const;
/** Envoy looks at the time every few milliseconds; what is shorter than a push takes would come and go. */
const SHORTEST_MS = 100;
const LONGEST_MS = 2_147_483_647;

/** By type URL. Throws where a time is none that can be kept. */
export function ttlsOf(options: ResourceTtls): ReadonlyMap<string, number> {
  const ttls = new Map<string, number>();
  for (const [name, ttlMs] of Object.entries(options) as [string, unknown][]) {
    if (!isType(name)) throw new TypeError(`resourceTtlMs.${name}: want one of ${Object.keys(TYPES).join(', ')}`);
    if (typeof ttlMs !== 'number' || !(ttlMs >= SHORTEST_MS && ttlMs <= LONGEST_MS))
      throw new RangeError(`resourceTtlMs.${name}: got ${String(ttlMs)}, want ${SHORTEST_MS}–${LONGEST_MS} ms`);
    ttls.set(TYPES[name], ttlMs);
  }
  return ttls;
}

/** Throws where load cannot be reported so often. */
export function checkInterval(ms: number): void {
  if (!(ms >= SHORTEST_MS && ms <= LONGEST_MS))
    throw new RangeError(`loadReportingIntervalMs: got ${String(ms)}, want ${SHORTEST_MS}–${LONGEST_MS} ms`);
}

const isType = (name: string): name is keyof typeof TYPES => Object.hasOwn(TYPES, name);
