import type { EndpointLocality } from '../../registry/read-model.ts';

/** A client or an endpoint: what is written on it and where it runs. */
interface Placed {
  readonly labels: ReadonlyMap<string, string>;
  readonly locality: EndpointLocality;
  readonly network?: string;
}

/** Labels that everything has by where it runs, though nobody wrote them on it (Istio labelutil.AugmentLabels). */
const PLACES: ReadonlyMap<string, (placed: Placed) => string | undefined> = new Map([
  ['topology.kubernetes.io/region', ({ locality }) => locality.region],
  ['topology.kubernetes.io/zone', ({ locality }) => locality.zone],
  ['topology.istio.io/subzone', ({ locality }) => locality.subZone],
  ['topology.istio.io/network', ({ network }) => network],
]);

/** A label, or what its place says in its stead; the place wins, as in Istio. */
export const labelOf = (placed: Placed, key: string): string | undefined =>
  PLACES.get(key)?.(placed) || placed.labels.get(key);

/** Whether all of `wanted` is on it; nothing wanted selects everything. */
export const isLabelled = (placed: Placed, wanted: ReadonlyMap<string, string>): boolean => {
  for (const [key, value] of wanted) if (labelOf(placed, key) !== value) return false;
  return true;
};
