import type { JsonObject } from '@bufbuild/protobuf';
import { inTime } from '../envoy-policy/in-time.ts';
import { type Peer, startPeer } from '../grpc-peers/peer.ts';
import { findPeer, type PeerKind } from '../grpc-peers/peers.ts';

export type ClientKind = 'go' | 'core' | 'node' | 'ours';

/** What came of a call. */
export interface Reply {
  /** By name: OK, UNAVAILABLE, …; or `DIED` and `STUCK`: the process has ended, or does nothing any more. */
  readonly status: string;
  readonly details: string;
  /** JSON of what the host saw. */
  readonly body: string;
}

export interface CallOrder {
  readonly path: string;
  readonly metadata: readonly (readonly [string, string])[];
  readonly timeoutMs: number;
  readonly wait: boolean;
}

export interface ChannelOrder {
  readonly bootstrap: JsonObject;
  readonly target: string;
  readonly tls: boolean;
}

/** A gRPC client of some implementation. */
export interface GrpcClient {
  open(order: ChannelOrder): Promise<GrpcChannel>;
  stop(): Promise<void>;
}

export interface GrpcChannel {
  call(order: CallOrder): Promise<Reply>;
  close(): Promise<void>;
}

/** How long after its deadline a call is waited for. */
const PATIENCE_MS = 10_000;

const KINDS = { go: 'grpc-go', core: 'grpcio', node: 'grpc-js-xds' } as const satisfies Partial<
  Record<ClientKind, PeerKind>
>;

/** Commands of the peers that can be had here. */
export function findPeers(): ReadonlyMap<ClientKind, readonly string[]> {
  const peers = new Map<ClientKind, readonly string[]>();
  for (const kind of ['go', 'core', 'node'] as const) {
    const command = findPeer(KINDS[kind]);
    if (command !== undefined) peers.set(kind, command);
  }
  return peers;
}

/** One process for many channels; where it has ended, the next channel starts another. */
export function processClient(command: readonly string[]): GrpcClient {
  let running: Promise<Peer> | undefined;
  let channels = 0;
  const live = async (): Promise<Peer> => {
    running ??= startPeer(command, { logLimit: 2_000 });
    const own = running;
    const peer = await own;
    if (!peer.hasEnded()) return peer;
    if (running === own) running = undefined;
    return live();
  };
  return {
    async open({ target, tls, bootstrap }) {
      const peer = await live();
      const channel = `c${++channels}`;
      await peer.open(channel, target, { bootstrap, credentials: tls ? 'xds' : 'insecure' });
      return {
        call: (order) => call(peer, channel, order),
        close: () => peer.close(channel).catch(() => {}),
      };
    },
    stop: async () => (await running)?.stop(),
  };
}

async function call(peer: Peer, channel: string, { path, metadata, timeoutMs, wait }: CallOrder): Promise<Reply> {
  const headers: Record<string, string[]> = {};
  for (const [name, value] of metadata) {
    headers[name] ??= [];
    headers[name].push(name.endsWith('-bin') ? Buffer.from(value).toString('base64') : value);
  }
  const called = peer.call(channel, { method: path, headers, deadlineMs: timeoutMs, waitForReady: wait });
  // One that was stopped has hung in another call.
  const lost = (): Reply => ({ status: peer.crash() ? 'DIED' : 'STUCK', details: peer.log(), body: '' });
  const done = await inTime(
    called.then(([answer]) => answer, lost),
    timeoutMs + PATIENCE_MS,
  );
  if (done?.value === undefined) {
    await peer.stop();
    return lost();
  }
  const { value } = done;
  if ('details' in value) return value;
  return { status: value.status, details: value.message ?? '', body: value.body ?? '' };
}
