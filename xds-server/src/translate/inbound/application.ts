import { create } from '@bufbuild/protobuf';
import {
  type Cluster,
  Cluster_DiscoveryType,
  ClusterSchema,
  HttpProtocolOptionsSchema,
} from '@inmesh/sdk/internal/gen/cluster';
import { connectTimeout, thresholds } from '../cluster/connection-pool.ts';
import { parseTarget } from '../names.ts';
import { packAny } from '../proto.ts';
import type { View } from '../view.ts';
import type { World } from '../world.ts';
import { type InboundAddress, isEveryInterface } from './name.ts';
import { type InboundSettings, inboundSettings } from './settings.ts';

/** Behind an Envoy stands the application, which an SDK or a gRPC server is itself. Istio's name (BuildInboundSubsetKey). */
const clusterName = (port: number): string => `inbound|${port}||`;

const LOOPBACK = '127.0.0.1';

/** Where the application listens: Sidecar.ingress.defaultEndpoint, else the same port of the loopback interface. */
const endpointOf = ({ ingress }: InboundSettings, port: number): string =>
  ingress?.defaultEndpoint?.replace(/^(0\.0\.0\.0|\[::\]):/, `${LOOPBACK}:`) ?? `${LOOPBACK}:${port}`;

/** The cluster an Envoy's listener forwards to; undefined: requests end there. An Envoy must not call itself. */
export const applicationCluster = (view: View, settings: InboundSettings, at: InboundAddress): string | undefined => {
  if (view.kind !== 'envoy') return undefined;
  const listensThere = isEveryInterface(at.address) || at.address === LOOPBACK || at.address === '::1';
  const isItself = listensThere && endpointOf(settings, at.port).endsWith(`:${at.port}`);
  return isItself ? undefined : clusterName(at.port);
};

/** The same as a resource; undefined = it is no such name, or nobody's who would ask. */
export const applicationClusterOf = (world: World, view: View, name: string): Cluster | undefined => {
  const port = Number(/^inbound\|([1-9]\d{0,4})\|\|$/.exec(name)?.[1]);
  if (view.kind !== 'envoy' || !(port <= 65_535)) return undefined;
  const settings = inboundSettings(world, view, { address: '0.0.0.0', port });
  return create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: 'type', value: Cluster_DiscoveryType.STATIC },
    connectTimeout: connectTimeout(settings.pool, world.mesh()),
    loadAssignment: {
      clusterName: name,
      endpoints: [{ lbEndpoints: [lbEndpoint(endpointOf(settings, port))] }],
    },
    circuitBreakers: { thresholds: [thresholds(settings.pool, undefined, view.kind)] },
    typedExtensionProtocolOptions: { [HTTP_PROTOCOL_OPTIONS]: AS_IT_CAME },
  });
};

const HTTP_PROTOCOL_OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions';

/** HTTP/2 in, HTTP/2 out (Istio setDownstreamProtocol). */
const AS_IT_CAME = packAny(HttpProtocolOptionsSchema, {
  upstreamProtocolOptions: {
    case: 'useDownstreamProtocolConfig',
    value: { httpProtocolOptions: {}, http2ProtocolOptions: {} },
  },
});

const UNIX = 'unix://';

const lbEndpoint = (endpoint: string) =>
  ({ hostIdentifier: { case: 'endpoint', value: { address: { address: socketAddress(endpoint) } } } }) as const;

const socketAddress = (endpoint: string) => {
  const target = parseTarget(endpoint);
  return endpoint.startsWith(UNIX) || target === undefined
    ? ({ case: 'pipe', value: { path: endpoint.slice(UNIX.length) } } as const)
    : ({
        case: 'socketAddress',
        value: { address: target.host, portSpecifier: { case: 'portValue', value: target.port } },
      } as const);
};
