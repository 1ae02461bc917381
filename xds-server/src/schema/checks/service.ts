import type { Place } from '../place.ts';
import type { ServiceSpec } from '../spec/core.ts';

/** Kubernetes ValidateService, as far as it concerns what a mesh reads. */
export const checkService = (spec: ServiceSpec, place: Place): void => {
  if (spec.type === 'ExternalName') {
    if (!spec.externalName) place.error('externalName is missing, type ExternalName wants a host name');
    return;
  }
  checkDistribution(spec, place);
  if (spec.ports.length === 0 && spec.clusterIP !== 'None') place.error('ports is missing, want at least one port');
  const names = new Set<string>();
  const numbers = new Set<string>();
  for (const [index, port] of spec.ports.entries()) {
    const at = place.in('ports', index);
    const { name = '' } = port;
    const number = `${port.port}/${port.protocol}`;
    if (name === '' && spec.ports.length > 1) at.error('name is missing, several ports want a name each');
    if (name !== '' && names.has(name)) at.at('name').error(`${name} is listed twice`);
    if (numbers.has(number)) at.at('port').error(`${number} is listed twice`);
    names.add(name);
    numbers.add(number);
  }
};

/** Kubernetes takes these three; Istio compares them without case and takes no notice of others. */
const checkDistribution = ({ trafficDistribution: wanted }: ServiceSpec, place: Place): void => {
  const at = place.at('trafficDistribution');
  if (wanted === undefined || /^prefer(close|samezone)$/i.test(wanted)) return;
  if (/^prefersamenode$/i.test(wanted)) at.warn('nodes are not told apart: taken as PreferSameZone');
  else at.warn(`no effect: got "${wanted}", want PreferSameZone, PreferSameNode or PreferClose`);
};
