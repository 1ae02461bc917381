import type { HttpMatch } from '../schema/spec/virtual-service.ts';
import { hostCovers } from './names.ts';
import { visibleRules } from './rule-order.ts';
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
