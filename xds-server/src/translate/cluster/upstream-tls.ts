import { Cluster_DiscoveryType, type ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { RawBufferSchema, UpstreamTlsContextSchema } from '@inmesh/sdk/internal/gen/tls';
import { takesMutualTls } from '../../registry/tls-mode.ts';
import type { ClientTls } from '../../schema/spec/destination-rule.ts';
import { grpcOrigination } from '../client/origination.ts';
import { isWildcard, sniName } from '../names.ts';
import { inboundMode } from '../peer-authentication.ts';
import { type Fields, packAny } from '../proto.ts';
import { servicePort } from '../service-lookup.ts';
import { type CommonTlsInit, exactNames, grpcIdentity, meshIdentity } from '../tls/mesh-tls.ts';
import type { View } from '../view.ts';
import type { World } from '../world.ts';
import type { ClusterBasis } from './basis.ts';
import { isHttp2 } from './connection-pool.ts';
import { originatedTls } from './originated-tls.ts';
import { peerNames } from './peer-names.ts';

type ClusterInit = Fields<typeof ClusterSchema>;
type SocketsInit = Pick<ClusterInit, 'transportSocket' | 'transportSocketMatches'>;
type SocketInit = NonNullable<ClusterInit['transportSocket']>;

/**
 * How a cluster's connections are secured: as its DestinationRule says, else as its endpoints can (Istio buildUpstreamTLSSettings).
 * undefined: as this client cannot do it.
 */
export const transportSockets = (world: World, view: View, basis: ClusterBasis): SocketsInit | undefined => {
  const { tls } = basis.policy;
  if (tls === undefined) return automatic(world, view, basis);
  switch (tls.mode) {
    case 'DISABLE':
      return {};
    case 'ISTIO_MUTUAL':
      return { transportSocket: mutual(world, view, basis, tls) };
    default: {
      const transportSocket = originated(view, basis, tls);
      return transportSocket && { transportSocket };
    }
  }
};

/** The rule asks for TLS that this client cannot be told of. */
export const isUnreachable = (world: World, view: View, basis: ClusterBasis): boolean =>
  view.kind === 'grpc' && basis.policy.tls !== undefined && transportSockets(world, view, basis) === undefined;

const TLS = 'envoy.transport_sockets.tls';

const tlsSocket = (sni: string, commonTlsContext: CommonTlsInit): SocketInit => ({
  name: TLS,
  configType: { case: 'typedConfig', value: packAny(UpstreamTlsContextSchema, { sni, commonTlsContext }) },
});

const IN_CLEAR: SocketInit = {
  name: 'envoy.transport_sockets.raw_buffer',
  configType: { case: 'typedConfig', value: packAny(RawBufferSchema, {}) },
};

/** A mesh peer is asked for by the cluster's name, and must carry one of the service's. */
const mutual = (world: World, view: View, basis: ClusterBasis, tls?: ClientTls): SocketInit => {
  const written = tls?.subjectAltNames ?? [];
  const names = written.length > 0 ? written : peerNames(world, basis);
  const { service, key, policy } = basis;
  const http2 = isHttp2(policy.connectionPool, servicePort(service, key.port)?.protocol);
  const identity =
    view.kind === 'grpc' ? grpcIdentity(names) : meshIdentity(exactNames(names), http2 ? ALPN_HTTP2 : ALPN, view.kind);
  return tlsSocket(tls?.sni || sniName(key), identity);
};

/** Istio util.ALPNInMeshWithMxc, ALPNInMeshH2WithMxc: by `istio` a permissive server tells the mesh's TLS from an application's. */
const ALPN = ['istio-peer-exchange', 'istio'];
const ALPN_HTTP2 = [...ALPN, 'h2'];

/**
 * MeshConfig.enableAutoMtls: TLS towards the endpoints that take it, clear text towards the others. Where connections go
 * wherever the caller says, nobody knows who answers; a host outside the mesh has no identity of it.
 */
const automatic = (world: World, view: View, basis: ClusterBasis): SocketsInit => {
  const { service, key, type } = basis;
  if (!world.mesh().enableAutoMtls || service.meshExternal || type === Cluster_DiscoveryType.ORIGINAL_DST) return {};
  if (view.kind === 'grpc') {
    return takeNothingElse(world, basis) ? { transportSocket: mutual(world, view, basis) } : {};
  }
  // An Envoy gets what Istio sends it; the SDK is spared settings that none of its endpoints would use.
  if (view.kind === 'sdk' && !world.peers(service.key, key.port).mutual) return {};
  return {
    transportSocketMatches: [
      { name: 'tlsMode-istio', match: { tlsMode: 'istio' }, transportSocket: mutual(world, view, basis) },
      { name: 'tlsMode-disabled', match: {}, transportSocket: IN_CLEAR },
    ],
  };
};

/**
 * A gRPC client has one transport socket for all endpoints, and refuses a cluster whose certificates it was not given: it is
 * told of TLS where it would get nowhere without.
 */
const takeNothingElse = (world: World, { service, key }: ClusterBasis): boolean => {
  const { mutual: some } = world.peers(service.key, key.port);
  if (!some) return false;
  return world
    .endpoints(service.key, key.port)
    .every(
      (endpoint) => takesMutualTls(endpoint.labels) && inboundMode(world, endpoint, endpoint.port).mode === 'STRICT',
    );
};

/** Anyone else is asked for by host name, and a wildcard's name is known only when it is dialled. */
const originated = (view: View, { key, service, policy }: ClusterBasis, tls: ClientTls): SocketInit | undefined => {
  const http2 = isHttp2(policy.connectionPool, servicePort(service, key.port)?.protocol);
  const sni = tls.sni || (isWildcard(key.host) ? '' : key.host);
  if (view.kind === 'grpc') {
    const names = { serverName: sni, serviceNames: service.subjectAltNames };
    const context = grpcOrigination(tls, names, view);
    return context && tlsSocket(sni, context);
  }
  return tlsSocket(sni, originatedTls(tls, { serviceNames: service.subjectAltNames, http2, client: view.kind }));
};
