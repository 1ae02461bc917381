import {
  type FilterChainMatchSchema,
  type FilterChainSchema,
  HttpConnectionManager_ForwardClientCertDetails,
  HttpConnectionManagerSchema,
  RouterSchema,
} from '@inmesh/sdk/internal/gen/listener';
import type { RouteConfigurationSchema, RouteSchema } from '@inmesh/sdk/internal/gen/route';
import { duration } from '../duration.ts';
import { type Fields, packAny } from '../proto.ts';
import type { View } from '../view.ts';
import type { World } from '../world.ts';
import { meshServerTls, ownServerTls } from './downstream-tls.ts';
import { connectionLimit, httpLimits } from './limits.ts';
import type { InboundSettings } from './settings.ts';

type ChainInit = Fields<typeof FilterChainSchema>;
type MatchInit = Fields<typeof FilterChainMatchSchema>;
type SocketInit = ChainInit['transportSocket'];

/** By these names a client of the mesh is told from an application's own TLS (Istio allIstioMtlsALPNs). */
const MESH_ALPN = ['istio', 'istio-peer-exchange', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2'];

/** The ways into a port; the first that fits takes the connection, and who fits none is turned away. */
export const inboundChains = (
  world: World,
  view: View,
  settings: InboundSettings,
  application: string | undefined,
): readonly ChainInit[] => {
  const chain = chainMaker(view, settings, application);
  if (settings.tls !== undefined) return [chain('inbound-tls', undefined, ownServerTls(settings.tls, view))];
  switch (settings.mode) {
    case 'DISABLE':
      return [chain('inbound-plaintext')];
    case 'STRICT':
      return [chain('inbound-mtls', undefined, meshServerTls(world, view))];
    case 'PERMISSIVE':
      return [
        chain(
          'inbound-mtls',
          { transportProtocol: 'tls', applicationProtocols: MESH_ALPN },
          meshServerTls(world, view),
        ),
        ...(view.kind === 'sdk' ? [chain('inbound-tls', { transportProtocol: 'tls' })] : []),
        chain('inbound-plaintext', { transportProtocol: 'raw_buffer' }),
      ];
  }
};

type MakeChain = (name: string, match?: MatchInit, transportSocket?: SocketInit) => ChainInit;

const chainMaker = (view: View, { pool }: InboundSettings, application: string | undefined): MakeChain => {
  const manager = packAny(HttpConnectionManagerSchema, {
    // Envoy refuses a connection manager without a name for its statistics.
    ...(view.kind === 'envoy' ? { statPrefix: 'inbound' } : {}),
    ...(view.kind === 'grpc' ? {} : FORWARD_IDENTITY),
    routeSpecifier: { case: 'routeConfig', value: routes(application) },
    httpFilters: [
      { name: 'envoy.filters.http.router', configType: { case: 'typedConfig', value: packAny(RouterSchema, {}) } },
    ],
    ...httpLimits(pool, view),
  });
  const filters = [
    ...connectionLimit(pool, view),
    {
      name: 'envoy.filters.network.http_connection_manager',
      configType: { case: 'typedConfig', value: manager } as const,
    },
  ];
  return (name, filterChainMatch, transportSocket) => ({
    name,
    filters,
    ...(filterChainMatch && { filterChainMatch }),
    ...(transportSocket && { transportSocket }),
  });
};

/** X-Forwarded-Client-Cert: what is there of a proven peer is kept, and who called is added (Istio's inbound listeners). */
const FORWARD_IDENTITY: Fields<typeof HttpConnectionManagerSchema> = {
  forwardClientCertDetails: HttpConnectionManager_ForwardClientCertDetails.APPEND_FORWARD,
  setCurrentClientCertDetails: { subject: true, dns: true, uri: true },
};

type RouteInit = NonNullable<Fields<typeof RouteSchema>['action']>;

/** Requests stay where they are (gRFC A36), or go to the application behind an Envoy. */
const routes = (cluster: string | undefined): Fields<typeof RouteConfigurationSchema> => {
  const action: RouteInit =
    cluster === undefined
      ? { case: 'nonForwardingAction', value: {} }
      : { case: 'route', value: { clusterSpecifier: { case: 'cluster', value: cluster }, timeout: duration(0) } };
  const route = { match: { pathSpecifier: { case: 'prefix', value: '/' } as const }, action };
  return { name: 'inbound', virtualHosts: [{ name: 'inbound', domains: ['*'], routes: [route] }] };
};
