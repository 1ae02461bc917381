import type { Endpoint } from '../model/cluster.ts';

/**
 * What ring hash and Maglev hash for an endpoint, as Envoy: its `hash_key` metadata (gRFC A76), else its host name where
 * the cluster says use_hostname_for_hashing, else its address. An endpoint without a host name keeps its address:
 * Envoy would give all of those the same, empty key.
 */
export function hashKeyOf(endpoint: Endpoint, useHostname: boolean): string {
  if (endpoint.hashKey) return endpoint.hashKey;
  if (useHostname && endpoint.hostname) return endpoint.hostname;
  return addressText(endpoint);
}

/** `address:port`, an IPv6 address in brackets, a unix path as it is. */
export function addressText({ address, port }: { readonly address: string; readonly port: number }): string {
  if (address.startsWith('unix:')) return address.slice('unix:'.length);
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
