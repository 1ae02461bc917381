import type { MeshService } from '../../registry/read-model.ts';
import { isIpLiteral, isWildcard } from '../names.ts';
import type { View } from '../view.ts';

/**
 * Every authority under which a client in `namespace` may call the service, each with and without the port (Istio
 * generateVirtualHostDomains): the host, the absolute host, the shorter names (the bare one in the service's own
 * namespace only), its addresses.
 */
export const virtualHostDomains = (
  host: string,
  port: number,
  service: MeshService | undefined,
  { namespace, kind, clusterDomain }: Pick<View, 'namespace' | 'kind'> & { readonly clusterDomain: string },
): string[] => {
  const names = [host, ...aliases(host, namespace, clusterDomain)];
  // A prefix is no authority: whoever was led here by one of its addresses has no other virtual host.
  for (const address of service?.addresses ?? []) names.push(address.includes('/') ? '*' : address);
  const domains = names.flatMap((name) => (name === '*' ? ['*'] : [domain(name), `${domain(name)}:${port}`]));
  // grpc-java ends the channel over a domain that ends with a dot; no authority of gRPC's is without its port.
  const wanted = kind === 'grpc' ? domains.filter((one) => !one.endsWith('.')) : domains;
  return [...new Set(wanted)];
};

const domain = (name: string): string => (name.includes(':') ? `[${name}]` : name);

const aliases = (host: string, namespace: string, clusterDomain: string): string[] => {
  if (isWildcard(host) || isIpLiteral(host)) return [];
  const suffix = `.svc.${clusterDomain}`;
  const [name = '', own = '', ...rest] = host.endsWith(suffix) ? host.slice(0, -suffix.length).split('.') : [];
  const absolute = `${host}.`;
  if (own === '' || rest.length > 0) return [absolute];
  return [absolute, ...(own === namespace ? [name] : []), `${name}.${own}`, `${name}.${own}.svc`];
};
