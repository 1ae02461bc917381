import { type Address, HealthStatus } from '../../../gen/core.js';
import type { LbEndpoint } from '../../../gen/endpoint.js';
import type { Endpoint, Health } from '../../model/cluster.ts';
import type { Scope } from '../scope.ts';
import { labelsOf } from '../tls/labels.ts';
import { inRange } from '../values.ts';

export const HEALTH: ReadonlyMap<HealthStatus, Health> = new Map([
  [HealthStatus.UNKNOWN, 'unknown'],
  [HealthStatus.HEALTHY, 'healthy'],
  [HealthStatus.UNHEALTHY, 'unhealthy'],
  [HealthStatus.DRAINING, 'draining'],
  [HealthStatus.TIMEOUT, 'timeout'],
  [HealthStatus.DEGRADED, 'degraded'],
]);

/** Metadata by which a cluster's transport_socket_matches choose. */
export const TRANSPORT_MATCH = 'envoy.transport_socket_match';

/** Envoy config.endpoint.v3.LbEndpoint. */
export function decodeEndpoint(message: LbEndpoint, at: Scope): Endpoint {
  const { hostIdentifier, metadata, loadBalancingWeight } = message;
  const endpoint = hostIdentifier.case === 'endpoint' ? hostIdentifier.value : undefined;
  const place = decodeAddress(endpoint?.address, at.at('endpoint').at('address'));
  // Envoy LbEndpoint.load_balancing_weight: at least 1.
  if (loadBalancingWeight === 0) at.at('load_balancing_weight').error('0, at least 1 allowed');
  // Health values Envoy may add later count as unknown, which is taken for healthy.
  const health = HEALTH.get(message.healthStatus) ?? 'unknown';
  const hostname = endpoint?.hostname ?? '';
  const hashKey = metadata?.filterMetadata['envoy.lb']?.hash_key;
  const workload = metadata?.filterMetadata.istio?.workload;
  const transport = metadata?.filterMetadata[TRANSPORT_MATCH];
  // Field by field, and most have no more than these: a spread would leave room for others in every one of them.
  const plain: Endpoint = { address: place.address, port: place.port, health, weight: loadBalancingWeight ?? 1 };
  if (hostname === '' && metadata === undefined) return plain;
  return {
    ...plain,
    ...(hostname !== '' && { hostname }),
    ...(typeof hashKey === 'string' && { hashKey }),
    ...(typeof workload === 'string' && { workload }),
    ...(transport && { transportMatch: labelsOf(transport) }),
  };
}

const NOWHERE = { address: '', port: 0 };

/** A host name is taken where Envoy's EDS would insist on an IP: the dialler can resolve it. */
function decodeAddress(message: Address | undefined, at: Scope): Pick<Endpoint, 'address' | 'port'> {
  const address = message?.address;
  if (address?.case === 'pipe') {
    if (address.value.path === '') at.at('pipe').at('path').error('empty, a path is required');
    return { address: `unix:${address.value.path}`, port: 0 };
  }
  if (address?.case !== 'socketAddress') {
    at.error(`${address?.case ?? 'missing'}, socket_address or pipe allowed`);
    return NOWHERE;
  }
  const here = at.at('socket_address');
  const { address: host, portSpecifier } = address.value;
  if (host === '' || /[\s/[\]\p{Cc}]/u.test(host))
    here.at('address').error(`"${host}", an IP address or a host name allowed`);
  if (portSpecifier.case !== 'portValue') {
    here.error(`${portSpecifier.case ?? 'no port'}, port_value allowed`);
    return NOWHERE;
  }
  return { address: host, port: inRange(portSpecifier.value, 1, 65_535, here.at('port_value')) };
}
