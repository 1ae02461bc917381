import type { EndpointOrigin } from '../discovery/return-grace.ts';
import type { MeshEndpoint, RegistryReads } from '../registry/read-model.ts';
import { parseClusterName } from '../translate/names.ts';

/** Whether the endpoints of a load assignment stand in the configuration, register themselves, or are not there. */
export function endpointOrigin(registry: RegistryReads, assignment: string): EndpointOrigin {
  const key = parseClusterName(assignment);
  if (key === undefined) return 'configured';
  const services = registry.services(key.host);
  // Nobody registers for what DNS or the caller itself finds.
  if (services.length > 0 && services.every(({ resolution }) => FOUND_ELSEWHERE.has(resolution))) return 'configured';
  const endpoints = services.flatMap((service) => registry.endpoints(service.key, key.port));
  if (endpoints.length === 0) return 'none';
  return endpoints.every((endpoint) => isRegistered(registry, endpoint)) ? 'registered' : 'configured';
}

const FOUND_ELSEWHERE: ReadonlySet<string> = new Set(['dns', 'dns-round-robin', 'none']);

const isRegistered = (registry: RegistryReads, { namespace, workload }: MeshEndpoint): boolean =>
  registry.workload(namespace, workload)?.kind === 'registration';
