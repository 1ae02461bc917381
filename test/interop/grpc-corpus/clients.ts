import { type Peer, startPeer } from '../grpc-peers/peer.ts';
import { findPeer, PEER_KINDS, type PeerKind } from '../grpc-peers/peers.ts';
import type { Files } from '../identity-live/certificate-files.ts';

/** How each client is started; those that cannot be had here are named by the tests they skip. */
export const COMMANDS = new Map(PEER_KINDS.map((kind) => [kind, findPeer(kind)] as const));

export const isHere = (kind: PeerKind): boolean => COMMANDS.get(kind) !== undefined;

export interface ClientOptions {
  /** `host:port` of the control plane. */
  readonly xds: string;
  readonly id?: string;
  readonly namespace?: string;
  readonly locality?: { readonly region?: string; readonly zone?: string; readonly sub_zone?: string };
  readonly files?: Files;
}

export const bootstrapOf = ({ xds, id = 'client', namespace = 'default', locality = {}, files }: ClientOptions) => ({
  xds_servers: [{ server_uri: xds, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
  node: { id, locality, metadata: { NAMESPACE: namespace } },
  ...(files && {
    certificate_providers: {
      default: { plugin_name: 'file_watcher', config: { ...files, refresh_interval: '1s' } },
    },
  }),
});

/** What makes each of them say which resources it refuses. */
const LOUD: Readonly<Record<PeerKind, Readonly<Record<string, string>>>> = {
  'grpc-go': { GRPC_GO_LOG_SEVERITY_LEVEL: 'warning', GRPC_GO_LOG_VERBOSITY_LEVEL: '2' },
  grpcio: { GRPC_VERBOSITY: 'error' },
  'grpc-js-xds': { GRPC_TRACE: 'xds_client', GRPC_VERBOSITY: 'DEBUG' },
  'grpc-java': {},
};

export function startClient(kind: PeerKind, options: ClientOptions): Promise<Peer> {
  const bootstrap = bootstrapOf({ id: `${kind}~client`, ...options });
  return startPeer(COMMANDS.get(kind) ?? [], { bootstrap, env: LOUD[kind] });
}

/** In the words of each: a resource was refused. */
const REFUSED: Readonly<Record<PeerKind, RegExp>> = {
  'grpc-go': /Sending NACK/,
  grpcio: /will NACK/,
  'grpc-js-xds': /response validation errors|Nack/i,
  'grpc-java': /NACK|validation error/,
};

/** Lines in which a client says that it refuses something. */
export const refusalsIn = (kind: PeerKind, log: string): readonly string[] =>
  log.split('\n').filter((line) => REFUSED[kind].test(line));
