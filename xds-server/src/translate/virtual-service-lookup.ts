import type { HttpMatch, TcpRoute } from '../schema/spec/virtual-service.ts';
import { hostCovers } from './names.ts';
import { byAge, visibleRules } from './rule-order.ts';
import { importsRule } from './sidecar-scope.ts';
import { selects, type View } from './view.ts';
import type { VirtualService, World } from './world.ts';

/** The reserved gateway that means every client of the mesh. */
const MESH_GATEWAY = 'mesh';

export const appliesToMesh = ({ spec }: VirtualService): boolean =>
  spec.gateways.length === 0 || spec.gateways.includes(MESH_GATEWAY);

/** VirtualServices with HTTP rules for mesh clients that name exactly this host. */
export const visibleVirtualServices = (
  world: World,
  view: View,
  host: string,
  port: number,
): readonly VirtualService[] =>
  visibleRules(world.virtualServices(host), view, world.mesh().exportTo.virtualService).filter(
    (rule) => appliesToMesh(rule) && rule.spec.http.length > 0 && importsRule(world, view, rule, port),
  );

/**
 * In the order in which the first one with a usable route wins (no merging for mesh clients): by the hostname, by an
 * address of the service, then by wildcards, the most specific first.
 */
export const virtualServicesFor = (
  world: World,
  view: View,
  { host, port }: { readonly host: string; readonly port: number },
  addresses: readonly string[],
): readonly VirtualService[] => {
  const wildcards = world.virtualServiceWildcards().filter((pattern) => pattern !== host && hostCovers(pattern, host));
  return [host, ...addresses, ...wildcards].flatMap((one) => visibleVirtualServices(world, view, one, port));
};

/**
 * Whether a client that dials `port` can ever come to this match (Istio sourceMatchHTTP). Written gateways stand in the
 * place of the source conditions.
 */
export const matchApplies = (match: HttpMatch, view: View, port: number): boolean => {
  if (match.port !== undefined && match.port !== port) return false;
  if (match.gateways.length > 0) return match.gateways.includes(MESH_GATEWAY);
  if (match.sourceNamespace && match.sourceNamespace !== view.namespace) return false;
  return selects(match.sourceLabels, view.labels);
};

/**
 * VirtualServices with `tcp` or `tls` rules for mesh clients that name this host or a wildcard over it, in the order in which
 * their routes follow each other: unlike `http` ones all of them count (Istio getConfigsForHost).
 */
export const connectionRules = (world: World, view: View, host: string, port: number): readonly VirtualService[] => {
  const wildcards = world.virtualServiceWildcards().filter((pattern) => pattern !== host && hostCovers(pattern, host));
  const rules = new Set([host, ...wildcards].flatMap((one) => world.virtualServices(one)));
  return visibleRules([...rules].sort(byAge), view, world.mesh().exportTo.virtualService).filter(
    (rule) =>
      appliesToMesh(rule) && rule.spec.tls.length + rule.spec.tcp.length > 0 && importsRule(world, view, rule, port),
  );
};

/** What `tls` and `tcp` matches say of who asks and where. */
type ConnectionMatch = Pick<TcpRoute['match'][number], 'port' | 'gateways' | 'sourceLabels' | 'sourceNamespace'>;

/** All conditions hold together, unlike those of `http` (Istio matchTCP, matchTLS). */
export const connectionMatchApplies = (match: ConnectionMatch, view: View, port: number): boolean => {
  if (match.port !== undefined && match.port !== port) return false;
  if (match.gateways.length > 0 && !match.gateways.includes(MESH_GATEWAY)) return false;
  if (match.sourceNamespace && match.sourceNamespace !== view.namespace) return false;
  return selects(match.sourceLabels, view.labels);
};
