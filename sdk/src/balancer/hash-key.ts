import type { Endpoint } from '../model/cluster.ts';

/**
 * What ring hash and Maglev hash for an endpoint, as Envoy: its `hash_key` metadata (gRFC A76), else its address with the
 * port; where the cluster says use_hostname_for_hashing, its host name, which is the bare address where none is given
 * (Envoy's STRICT_DNS).
 */
export function hashKeyOf(endpoint: Endpoint, useHostname: boolean): string {
  return endpoint.hashKey || (useHostname ? endpoint.hostname || endpoint.address : addressText(endpoint));
}

/** `address:port`, an IPv6 address in brackets, a unix path as it is. */
export function addressText({ address, port }: { readonly address: string; readonly port: number }): string {
  if (address.startsWith('unix:')) return address.slice('unix:'.length);
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
