import type { Place } from '../place.ts';
import type { SidecarSpec } from '../spec/sidecar.ts';

/** Istio ValidateSidecar. */
export const checkSidecar = (spec: SidecarSpec, place: Place): void => {
  const ports = new Set<number>();
  for (const [index, { port, hosts }] of spec.egress.entries()) {
    const at = place.in('egress', index);
    if (hosts.length === 0) at.at('hosts').error('want at least one namespace/host');
    if (port === undefined) {
      // It would take the calls of every entry behind it.
      if (index < spec.egress.length - 1) at.error('an entry without a port must be the last one');
      continue;
    }
    if (ports.has(port.number)) at.in('port', 'number').error(`${port.number} is listed twice`);
    ports.add(port.number);
  }
  if (spec.workloadSelector !== undefined && spec.workloadSelector.labels.size === 0) {
    place.at('workloadSelector').warn('without labels it selects the whole namespace, leave it out');
  }
};
