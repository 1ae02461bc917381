import { covers, parseIp, parseIpPrefix } from '@inmesh/sdk/internal/match/ip-prefix';
import type { MeshService } from '../../registry/read-model.ts';
import { isIpLiteral } from '../names.ts';
import type { Chain } from './chain.ts';

/** The address that a sidecar would see dialled: the written one, else the service's own; undefined: DNS knows, later. */
export const dialledAddress = (host: string, service: MeshService): string | undefined =>
  isIpLiteral(host) ? host : service.addresses.find((address) => !address.includes('/'));

/**
 * A known address is compared here, as Envoy would: the longest range that covers it takes the connection, before names are
 * looked at, and nothing is left of subnets to compare.
 */
export const chainsAt = (chains: readonly Chain[], address: string | undefined): readonly Chain[] => {
  const bytes = address === undefined ? undefined : parseIp(address);
  if (bytes === undefined) return chains;
  const measured = chains.map((chain) => ({ chain, length: longestRange(chain, bytes) }));
  const longest = Math.max(...measured.map(({ length }) => length));
  return measured
    .filter(({ length }) => length === longest && length >= 0)
    .map(({ chain }) => (chain.subnets.length === 0 ? chain : { ...chain, subnets: [] }));
};

/** 0 for a chain that takes every address, one more than the bits of the longest range that covers it, -1 for none. */
const longestRange = ({ subnets }: Chain, address: readonly number[]): number => {
  if (subnets.length === 0) return 0;
  const lengths = subnets.flatMap((subnet) => {
    const prefix = parseIpPrefix(subnet);
    return prefix !== undefined && covers(prefix, address) ? [prefix.length + 1] : [];
  });
  return Math.max(-1, ...lengths);
};
