import type { Destination, HttpRoute } from '../schema/spec/virtual-service.ts';
import { isVisible, type View } from './view.ts';
import type { VirtualService, World } from './world.ts';

/** Every destination of a rule, mirrors included. */
function* destinationsOf({ spec }: VirtualService): Generator<Destination> {
  for (const http of spec.http) yield* httpDestinations(http);
  for (const { route } of [...spec.tls, ...spec.tcp]) for (const { destination } of route) yield destination;
}

function* httpDestinations({ route, mirror, mirrors }: HttpRoute): Generator<Destination> {
  for (const { destination } of route) yield destination;
  if (mirror !== undefined) yield mirror;
  for (const { destination } of mirrors) yield destination;
}

/** What a rule refers to: hosts of destinations, and `delegate namespace/name`. */
export const referencesOf = (rule: VirtualService, complete: (host: string) => string): readonly string[] => [
  ...[...destinationsOf(rule)].map(({ host }) => complete(host)),
  ...rule.spec.http.flatMap(({ delegate }) =>
    delegate === undefined ? [] : [delegateReference(delegate.namespace || rule.namespace, delegate.name)],
  ),
];

export const delegateReference = (namespace: string, name: string): string => `delegate ${namespace}/${name}`;

/** Ports of `hostname` that rules the client imports send to, directly or through a delegate. */
export const importedDestinations = (
  world: World,
  view: View,
  hostname: string,
  imports: (rule: VirtualService) => boolean,
): ReadonlySet<number> | 'every port' => {
  const ports = new Set<number>();
  for (const rule of world.virtualServicesTo(hostname)) {
    const roots =
      rule.spec.hosts.length > 0 ? [rule] : world.virtualServicesTo(delegateReference(rule.namespace, rule.name));
    if (!roots.some((root) => isUsable(world, view, root) && imports(root))) continue;
    for (const { host, port } of destinationsOf(rule)) {
      if (world.resolveHost(host, rule.namespace) !== hostname) continue;
      if (port === undefined) return 'every port';
      ports.add(port.number);
    }
  }
  return ports;
};

const isUsable = (world: World, view: View, { spec, namespace }: VirtualService): boolean => {
  const exportTo = spec.exportTo.length > 0 ? spec.exportTo : world.mesh().exportTo.virtualService;
  return (
    (spec.gateways.length === 0 || spec.gateways.includes('mesh')) && isVisible(exportTo, namespace, view.namespace)
  );
};
