import { type Clock, systemClock } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { AdsListener, AdsMethod, AdsStream, AdsTransport } from '../discovery/transport.ts';
import { type ChannelCredentials, createChannel } from './channel.ts';
import { openGrpcStream } from './grpc-stream.ts';

/** Envoy's discovery services: of all types on one stream, and of secrets alone. */
const PATHS = {
  ads: {
    delta: '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources',
    sotw: '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
  },
  sds: {
    delta: '/envoy.service.secret.v3.SecretDiscoveryService/DeltaSecrets',
    sotw: '/envoy.service.secret.v3.SecretDiscoveryService/StreamSecrets',
  },
} as const satisfies Record<string, Record<AdsMethod, string>>;

const LOADS = '/envoy.service.load_stats.v3.LoadReportingService/StreamLoadStats';

export interface GrpcTransportOptions {
  /** `host:port`, `tls://host:port`, `[ipv6]:port` or `unix:PATH`. */
  readonly server: string;
  /** `ads` where left out. */
  readonly service?: keyof typeof PATHS;
  readonly credentials?: ChannelCredentials;
  readonly clock?: Clock;
  /** Largest message taken, checked before it is parsed. */
  readonly maxMessageBytes?: number;
}

/**
 * xDS over gRPC, one connection a stream: the SDK holds one stream for all types, so there is nothing to share.
 * Throws MESH_BOOTSTRAP_INVALID when the address cannot be read, or a token would go in plain text to another machine.
 */
export function createGrpcTransport(options: GrpcTransportOptions): AdsTransport {
  const { server, clock = systemClock, maxMessageBytes = defaultOf('adsMessageBytes') } = options;
  const channel = createChannel(server, options.credentials);
  const paths = PATHS[options.service ?? 'ads'];
  // What the server taught us; it outlives the connections.
  let pingIntervalMs = defaultOf('adsPingIntervalMs');
  const calm = (): void => {
    pingIntervalMs = Math.min(pingIntervalMs * 2, defaultOf('adsPingLongestMs'));
  };
  const open = (path: string, on: AdsListener): AdsStream =>
    openGrpcStream(
      { channel, path, kind: 'ads', clock, maxMessageBytes, pingIntervalMs },
      {
        opened: () => on.opened?.(),
        message: (bytes) => on.message(bytes),
        calm,
        close: (status) => on.close(status),
      },
    );
  return {
    server,
    open: (method, on) => open(paths[method], on),
    openLoads: (on) => open(LOADS, on),
  };
}
