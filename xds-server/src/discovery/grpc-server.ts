import { constants } from 'node:http2';
import { isIP } from 'node:net';
import { Duplex } from 'node:stream';
import {
  type handleBidiStreamingCall,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  status,
} from '@grpc/grpc-js';
import { type Clock, systemClock, type Timer } from '@inmesh/sdk/internal/clock';
import { defaultOf } from '../defaults.ts';
import type { AdsService } from './ads-service.ts';
import type { Session } from './session.ts';
import type { Link } from './session-host.ts';
import { removeStaleSocket, unixPath } from './stale-socket.ts';

/** ADS over gRPC on grpc-js, behind the little that we need of it; messages pass as the bytes they are. */
export interface AdsServer {
  /** Where it listens: `host:port` or `unix:PATH`. */
  readonly address: string;
  /** Lets open streams end, at most for `graceMs`. */
  close(graceMs: number): Promise<void>;
}

type AdsCall = ServerDuplexStream<Buffer, Buffer>;

const SERVICE = '/envoy.service.discovery.v3.AggregatedDiscoveryService';
const pass = (bytes: Buffer): Buffer => bytes;

const definition = (method: string) => ({
  path: `${SERVICE}/${method}`,
  requestStream: true,
  responseStream: true,
  requestSerialize: pass,
  requestDeserialize: pass,
  responseSerialize: pass,
  responseDeserialize: pass,
});

/** `127.0.0.1:1234`, `[::1]:1234` or a unix path → the address alone; undefined where it is not an IP. */
export function addressOf(peer: string): string | undefined {
  const host = peer
    .slice(0, peer.lastIndexOf(':'))
    .replace(/^\[|\]$/g, '')
    .replace(/^::ffff:/, '');
  return isIP(host) === 0 ? undefined : host;
}

/** The HTTP/2 stream below a call: grpc-js does not show it, and has no other way to let go of a peer that reads nothing. */
function streamBelow(call: AdsCall): { close(code: number): void } | undefined {
  let below: unknown = Reflect.get(call, 'call');
  for (let depth = 0; depth < 4 && typeof below === 'object' && below !== null; depth++) {
    const stream: unknown = Reflect.get(below, 'stream');
    if (stream instanceof Duplex && 'close' in stream && typeof stream.close === 'function')
      return stream as Duplex & { close(code: number): void };
    below = Reflect.get(below, 'nextCall');
  }
  return undefined;
}

/**
 * Counts what the peer has not taken yet: beyond a window's worth the stream is slow until it has taken all of it. Who takes
 * nothing for long is let go, since a status would wait behind what it does not read.
 */
function linkOf(call: AdsCall, { clock, unreadMs, session, stuck }: LinkDeps): Link {
  let unread = 0;
  let isSlow = false;
  let patience: Timer | undefined;
  const wait = (): void => {
    patience?.cancel();
    patience = clock.after(unreadMs, () => {
      stuck(unread);
      streamBelow(call)?.close(constants.NGHTTP2_ENHANCE_YOUR_CALM);
    });
  };
  return {
    send(bytes) {
      unread += bytes.length;
      call.write(bytes, () => {
        unread -= bytes.length;
        if (!isSlow) return;
        if (unread > 0) {
          wait();
          return;
        }
        patience?.cancel();
        isSlow = false;
        session().drained();
      });
      if (!isSlow && unread > defaultOf('unreadStreamBytes')) {
        isSlow = true;
        wait();
      }
      return !isSlow;
    },
    pause: () => void call.pause(),
    resume: () => void call.resume(),
    end(code, message) {
      patience?.cancel();
      if (code === status.OK) call.end();
      else call.emit('error', Object.assign(new Error(message), { code, details: message }));
    },
  };
}

interface LinkDeps {
  readonly clock: Clock;
  readonly unreadMs: number;
  readonly session: () => Session;
  /** The peer is let go, so many bytes were on their way to it. */
  readonly stuck: (unread: number) => void;
}

function serve(
  service: AdsService,
  method: 'delta' | 'sotw',
  { clock, unreadMs }: AdsServerDeps,
): handleBidiStreamingCall<Buffer, Buffer> {
  return (call: AdsCall) => {
    const stuck = (unread: number) => service.stuck(session, unread, unreadMs);
    const link = linkOf(call, { clock, unreadMs, session: () => session, stuck });
    const session = service.open(method, link, addressOf(call.getPeer()));
    const gone = () => service.closed(session);
    call.on('data', (bytes: Buffer) => service.receive(session, bytes));
    call.on('end', () => {
      gone();
      call.end();
    });
    for (const event of ['cancelled', 'error', 'close']) call.on(event, gone);
  };
}

/** `unix:PATH` and `host:port` as grpc-js wants them; the real port replaces 0. */
async function bind(server: Server, address: string): Promise<string> {
  const file = unixPath(address);
  if (file !== undefined) await removeStaleSocket(file);
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(new Error(`cannot listen on ${address}: ${error.message}`, { cause: error }));
      else resolve(file === undefined ? `${address.slice(0, address.lastIndexOf(':'))}:${port}` : address);
    });
  });
}

interface AdsServerDeps {
  readonly clock: Clock;
  /** How long a peer may read nothing of what waits for it. */
  readonly unreadMs: number;
}

const DEPS: AdsServerDeps = { clock: systemClock, unreadMs: defaultOf('unreadStreamMs') };

/** A request that says in its frame that it is too long is refused (RESOURCE_EXHAUSTED) before its bytes are held. */
export async function listenAds(service: AdsService, address: string, deps = DEPS): Promise<AdsServer> {
  const server = new Server({
    'grpc.max_receive_message_length': defaultOf('requestBytes'),
    'grpc.keepalive_time_ms': defaultOf('keepaliveMs'),
    'grpc.keepalive_timeout_ms': defaultOf('keepaliveTimeoutMs'),
  });
  server.addService(
    {
      StreamAggregatedResources: definition('StreamAggregatedResources'),
      DeltaAggregatedResources: definition('DeltaAggregatedResources'),
    },
    {
      StreamAggregatedResources: serve(service, 'sotw', deps),
      DeltaAggregatedResources: serve(service, 'delta', deps),
    },
  );
  const bound = await bind(server, address);
  return { address: bound, close: (graceMs) => shutDown(server, graceMs) };
}

function shutDown(server: Server, graceMs: number): Promise<void> {
  return new Promise((resolve) => {
    const force = setTimeout(() => {
      server.forceShutdown();
      resolve();
    }, graceMs);
    server.tryShutdown(() => {
      clearTimeout(force);
      resolve();
    });
  });
}
