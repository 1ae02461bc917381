import type { ConnectionTable } from '../model/l4.ts';
import { type ConnectionRequest, decideConnection } from './l4.ts';
import type { RouteDecision } from './table.ts';

/** A cluster that a `tls` route names, and the resource it stands in. */
export interface TlsRoute {
  readonly cluster: string;
  readonly configPath: string;
}

/**
 * Where the connection of an `https:` call goes when its host has a `tls` route that fits and no `http` route: what a sidecar
 * does with the same bytes. With `http` routes those decide, which see more.
 */
export function tlsRouteOf(
  table: ConnectionTable | undefined,
  { configPath: httpRule }: RouteDecision,
  request: ConnectionRequest,
  draw: () => number,
): TlsRoute | undefined {
  if (table === undefined || httpRule !== undefined) return undefined;
  // What was made without a rule goes where the routes go anyway.
  if (!table.chains.some(({ configPath }) => configPath !== undefined) && !table.fallback?.configPath) return undefined;
  const decision = decideConnection(table, request, draw());
  if (decision.kind === 'none' || decision.chain.configPath === undefined) return undefined;
  return { cluster: decision.cluster, configPath: decision.chain.configPath };
}
