import type { Place } from '../place.ts';
import type { VirtualServiceSpec } from '../spec/virtual-service.ts';
import { checkConnectionRoutes } from './connection-route.ts';

/** Istio ValidateVirtualService. */
export const checkVirtualService = (spec: VirtualServiceSpec, place: Place): void => {
  const isDelegate = spec.hosts.length === 0;
  if (isDelegate) checkDelegate(spec, place);
  if (spec.http.length + spec.tls.length + spec.tcp.length === 0) place.error('want at least one of http, tls, tcp');
  checkConnectionRoutes(spec, place);
  const appliesToMesh = spec.gateways.length === 0 || spec.gateways.includes('mesh');
  const seen = new Set<string>();
  for (const [index, host] of spec.hosts.entries()) {
    const at = place.in('hosts', index);
    if (seen.has(host.toLowerCase())) at.error(`${host} is listed twice`);
    seen.add(host.toLowerCase());
    if (host === '*' && appliesToMesh) at.error('"*" is not allowed for the gateway mesh, want a host or "*.suffix"');
    if (!host.includes('.') && host !== '*' && !appliesToMesh)
      at.warn('a gateway needs the full name, this short one never matches');
  }
};

const checkDelegate = (spec: VirtualServiceSpec, place: Place): void => {
  if (spec.gateways.length > 0)
    place.at('gateways').error('not allowed in a delegate (a VirtualService without hosts)');
  for (const name of ['tls', 'tcp'] as const) {
    if (spec[name].length > 0) place.at(name).error('not allowed in a delegate (a VirtualService without hosts)');
  }
  for (const [index, route] of spec.http.entries()) {
    if (route.delegate !== undefined) place.in('http', index, 'delegate').error('a delegate cannot delegate again');
  }
  if (spec.http.length === 0) place.error('hosts is missing, want at least one host name');
};
