import { create } from '@bufbuild/protobuf';
import { type RouteConfiguration, RouteConfigurationSchema } from '@inmesh/sdk/internal/gen/route';
import type { PortProtocol } from '../../registry/read-model.ts';
import { grpcRoutes, type ShapedRoutes } from '../client/routes.ts';
import { routeConfigurationName } from '../names.ts';
import { objectRef } from '../origin.ts';
import { aliased, servicePort, type Target, targetByRouteName } from '../service-lookup.ts';
import type { View } from '../view.ts';
import { virtualServicesFor } from '../virtual-service-lookup.ts';
import type { World } from '../world.ts';
import { defaultRoute, type TranslatedRoute, virtualServiceRoutes } from './route.ts';
import { virtualHostDomains } from './virtual-host-domains.ts';

export interface TranslatedRoutes {
  readonly configuration: RouteConfiguration;
  readonly virtualHost: string;
  /** One entry a route, in the order of the virtual host. */
  readonly routes: readonly TranslatedRoute[];
  /** What could not be sent to this client as it was meant. */
  readonly changed: ShapedRoutes['changed'];
}

/** Protocols whose bytes a client cannot read as requests: no VirtualService http rule applies (Istio IsHTTPOrSniffed). */
const OPAQUE: ReadonlySet<PortProtocol> = new Set(['tcp', 'mongo', 'redis', 'mysql', 'udp']);

export const isOpaque = (protocol: PortProtocol): boolean => OPAQUE.has(protocol);

/**
 * The one virtual host of a service and port, and nothing of its neighbours on that port: about 0.6 kB where Istio sends
 * a proxyless client every virtual host of the port. undefined = no such route configuration.
 */
export const routeConfiguration = (world: World, view: View, name: string): TranslatedRoutes | undefined => {
  if (name === BLOCK_ALL) return blockAll(view);
  const target = targetByRouteName(world, view, name);
  if (target === undefined) return undefined;
  const { host, port, service } = target;
  const virtualHost = `${host}:${port}`;
  const domains = virtualHostDomains(host, port, service, {
    namespace: view.namespace,
    kind: view.kind,
    clusterDomain: world.clusterDomain,
  });
  const { routes, changed } = shaped(view, routesOf(world, view, target), domains);
  const configuration = create(RouteConfigurationSchema, {
    name: routeConfigurationName(port, host),
    virtualHosts: [{ name: virtualHost, domains, routes: routes.map(({ route }) => route) }],
    // Every named cluster is asked for one by one; a missing one answers 503 instead of refusing the whole table.
    validateClusters: false,
  });
  return { configuration, virtualHost, routes, changed };
};

const shaped = (view: View, routes: readonly TranslatedRoute[], domains: readonly string[]): ShapedRoutes =>
  view.kind === 'grpc' ? grpcRoutes(routes, domains) : { routes, changed: [] };

/** Istio's name for what answers in place of hosts that are not in the registry. */
export const BLOCK_ALL = 'block_all';

const blockAll = (view: View): TranslatedRoutes => {
  const route: TranslatedRoute['route'] = {
    name: BLOCK_ALL,
    match: { pathSpecifier: { case: 'prefix', value: '/' } },
    action: { case: 'directResponse', value: { status: 502 } },
  };
  const notes = ['outboundTrafficPolicy REGISTRY_ONLY: no service has this host'];
  const { routes, changed } = shaped(view, [{ route, origin: undefined, notes }], []);
  const configuration = create(RouteConfigurationSchema, {
    name: BLOCK_ALL,
    virtualHosts: [{ name: BLOCK_ALL, domains: ['*'], routes: routes.map((one) => one.route) }],
    validateClusters: false,
  });
  return { configuration, virtualHost: BLOCK_ALL, routes, changed };
};

/** Whether the listener needs this filter before the router: some route has settings for it. */
export const usesFilter = ({ routes }: TranslatedRoutes, filter: string): boolean =>
  routes.some(({ route: { typedPerFilterConfig, action } }) => {
    const to = action?.case === 'route' ? action.value.clusterSpecifier : undefined;
    const shares = to?.case === 'weightedClusters' ? (to.value.clusters ?? []) : [];
    return [typedPerFilterConfig, ...shares.map((share) => share.typedPerFilterConfig)].some(
      (configs) => configs?.[filter] !== undefined,
    );
  });

/** The first VirtualService with a usable route owns the host; without any, the service's default route. */
const routesOf = (world: World, view: View, { host, port, service }: Target): readonly TranslatedRoute[] => {
  const meant = service && aliased(world, view, service);
  const protocol = service && servicePort(service, port)?.protocol;
  const dialled = service?.objectKey;
  if (protocol === undefined || !isOpaque(protocol)) {
    const names = [...(service?.addresses ?? []), ...(meant && meant !== service ? [meant.hostname] : [])];
    for (const rule of virtualServicesFor(world, view, { host, port }, names)) {
      const routes = virtualServiceRoutes({ world, view, namespace: rule.namespace, port, dialled }, rule);
      if (routes.length > 0) return routes;
    }
  }
  if (service === undefined) return [];
  const scope = { world, view, namespace: undefined, port, dialled };
  return [defaultRoute(scope, host, dialled === undefined ? undefined : objectRef(dialled))];
};
