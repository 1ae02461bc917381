import type { Place } from '../place.ts';
import type { ServiceEntrySpec, WorkloadEntrySpec } from '../spec/service-entry.ts';
import { isHost, isIP } from '../syntax.ts';

/** Istio's CEL rules and ValidateWorkloadEntry. */
export const checkWorkloadEntry = (entry: WorkloadEntrySpec, place: Place, addressRequired: boolean): void => {
  const { address } = entry;
  if (address === '') {
    if (addressRequired && entry.network === undefined)
      place.error('address is missing, want an IP address, a host name or unix:///path');
    return;
  }
  if (!address.startsWith('unix://')) {
    if (!isIP(address) && !isHost(address)) {
      place.at('address').error(`got ${JSON.stringify(address)}, want an IP address, a host name or unix:///path`);
    }
    return;
  }
  if (entry.ports.size > 0) place.at('ports').error('a unix socket has no ports');
  const path = address.slice('unix://'.length);
  if (!/^[/@]/.test(path) || path.endsWith('/'))
    place.at('address').error('want an absolute path or an abstract socket (unix://@name)');
};

/** Istio ValidateServiceEntry and the CEL rules of its CRD. */
export const checkServiceEntry = (spec: ServiceEntrySpec, place: Place): void => {
  checkHosts(spec, place);
  checkPorts(spec, place);
  if (spec.workloadSelector !== undefined && spec.endpoints.length > 0) {
    place.at('endpoints').error('workloadSelector is set too, want only one of endpoints, workloadSelector');
  }
  const { resolution, endpoints } = spec;
  if (resolution === 'NONE' && endpoints.length > 0) {
    place.at('endpoints').error('not allowed with resolution NONE, want STATIC or DNS');
  }
  if (resolution === 'DYNAMIC_DNS') {
    // A sidecar's dynamic forward proxy does by the Host header or SNI what the client does by the name it dials.
    place.at('resolution').warn('the host is looked up by whoever dials it, as with NONE', 'info');
    if (endpoints.length > 0) place.at('endpoints').warn('no effect with resolution DYNAMIC_DNS, want STATIC or DNS');
  }
  if (resolution === 'DNS_ROUND_ROBIN' && endpoints.length > 1) {
    place.at('endpoints').error('resolution DNS_ROUND_ROBIN wants at most one endpoint');
  }
  if (resolution !== 'NONE' && resolution !== 'STATIC') {
    for (const [index, address] of spec.addresses.entries()) {
      if (address.includes('/')) place.in('addresses', index).error('a CIDR prefix wants resolution NONE or STATIC');
    }
  }
  for (const [index, endpoint] of endpoints.entries()) checkEndpoint(spec, endpoint, place.in('endpoints', index));
};

const checkHosts = (spec: ServiceEntrySpec, place: Place): void => {
  if (spec.hosts.length === 0) place.at('hosts').error('want at least one host name');
  const needsNames = spec.resolution === 'DNS' || spec.resolution === 'DNS_ROUND_ROBIN';
  for (const [index, host] of spec.hosts.entries()) {
    const at = place.in('hosts', index);
    if (host === '*') at.error('"*" is not allowed, want a host or "*.suffix"');
    else if (host.startsWith('*') && needsNames && spec.endpoints.length === 0) {
      at.error(
        `a wildcard has no address to look up with resolution ${spec.resolution}, want endpoints or a full name`,
      );
    }
  }
};

const checkPorts = (spec: ServiceEntrySpec, place: Place): void => {
  const numbers = new Set<number>();
  const names = new Set<string>();
  for (const [index, port] of spec.ports.entries()) {
    const at = place.in('ports', index);
    if (numbers.has(port.number)) at.at('number').error(`${port.number} is listed twice`);
    if (names.has(port.name)) at.at('name').error(`${port.name} is listed twice`);
    numbers.add(port.number);
    names.add(port.name);
    if (port.targetPort !== undefined && spec.resolution === 'NONE') {
      at.at('targetPort').error('not allowed with resolution NONE');
    }
  }
};

const checkEndpoint = (spec: ServiceEntrySpec, endpoint: WorkloadEntrySpec, place: Place): void => {
  const names = new Set(spec.ports.map((port) => port.name));
  for (const name of endpoint.ports.keys()) {
    if (!names.has(name))
      place.in('ports', name).error(`not a port of this ServiceEntry, want one of ${[...names].join(', ')}`);
  }
  const { address } = endpoint;
  if (spec.resolution !== 'STATIC' || address === '' || address.startsWith('unix://') || isIP(address)) return;
  place.at('address').error(`got ${JSON.stringify(address)}, resolution STATIC wants an IP address or unix:///path`);
};
