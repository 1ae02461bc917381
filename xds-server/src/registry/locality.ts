import type { EndpointLocality } from './read-model.ts';

export const NOWHERE: EndpointLocality = { region: '', zone: '', subZone: '' };

/** `region/zone/subzone`, the tail optional (Istio WorkloadEntry.locality). */
export const parseLocality = (text: string): EndpointLocality => {
  const [region = '', zone = '', ...rest] = text.split('/');
  return { region, zone, subZone: rest.join('/') };
};

/** The label `istio-locality` (with dots for slashes) wins over the topology labels. */
export const localityOfLabels = (labels: ReadonlyMap<string, string>): EndpointLocality => {
  const istio = labels.get('istio-locality');
  if (istio !== undefined && istio !== '') return parseLocality(istio.replaceAll('.', '/'));
  const region = labels.get('topology.kubernetes.io/region') ?? '';
  const zone = labels.get('topology.kubernetes.io/zone') ?? '';
  const subZone = labels.get('topology.istio.io/subzone') ?? '';
  return region + zone + subZone === '' ? NOWHERE : { region, zone, subZone };
};
