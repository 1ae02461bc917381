import { parseIp } from '@inmesh/sdk/internal/match/ip-prefix';
import type { MeshEndpoint } from '../../registry/read-model.ts';

/** gRPC clients refuse an assignment in which one address is no IP (a name, a socket of the machine) or stands twice. */
export const isAddress = ({ address }: MeshEndpoint): boolean => parseIp(address) !== undefined;

/** Whoever stands there twice takes the share of both. */
export const grpcEndpoints = (endpoints: readonly MeshEndpoint[]): readonly MeshEndpoint[] => {
  const found = new Map<string, MeshEndpoint>();
  for (const endpoint of endpoints) {
    if (!isAddress(endpoint)) continue;
    const key = dialled(endpoint);
    const twin = found.get(key);
    found.set(key, twin === undefined ? endpoint : { ...twin, weight: twin.weight + endpoint.weight });
  }
  return [...found.values()];
};

export const dialled = ({ address, port }: MeshEndpoint): string => `${address}:${port}`;
