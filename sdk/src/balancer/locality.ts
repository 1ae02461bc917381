import type { Locality } from '../model/cluster.ts';

/** How many of a locality's endpoints can take traffic. */
export interface LocalityHealth {
  readonly weight: number;
  /** But for draining ones. */
  readonly total: number;
  readonly usable: number;
}

/**
 * Weight of a locality within its priority (envoyproxy.io/docs, locality weighted load balancing): the given one, less
 * where more endpoints are out than overprovisioning makes up for.
 */
export const effectiveLocalityWeight = (locality: LocalityHealth, overprovisioningFactor: number): number =>
  locality.total === 0
    ? 0
    : locality.weight * Math.min(1, (overprovisioningFactor / 100) * (locality.usable / locality.total));

/** Envoy keeps the localities of a priority in this order; a ring's fractions are carried along it. */
export const compareLocalities = (one: Locality, other: Locality): number =>
  compareText(one.region, other.region) || compareText(one.zone, other.zone) || compareText(one.subZone, other.subZone);

const compareText = (one: string, other: string): number => (one < other ? -1 : one > other ? 1 : 0);
