import { isIP } from 'node:net';
import {
  type handleBidiStreamingCall,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  status,
} from '@grpc/grpc-js';
import { defaultOf } from '../defaults.ts';
import type { AdsService } from './ads-service.ts';
import type { Link, Session } from './session.ts';
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

/** Counts what the peer has not taken yet: beyond a window's worth the stream is slow until it has taken all of it. */
function linkOf(call: AdsCall, session: () => Session): Link {
  let unread = 0;
  let isSlow = false;
  return {
    send(bytes) {
      unread += bytes.length;
      call.write(bytes, () => {
        unread -= bytes.length;
        if (unread > 0 || !isSlow) return;
        isSlow = false;
        session().drained();
      });
      isSlow = unread > defaultOf('unreadStreamBytes');
      return !isSlow;
    },
    end(code, message) {
      if (code === status.OK) call.end();
      else call.emit('error', Object.assign(new Error(message), { code, details: message }));
    },
  };
}

function serve(service: AdsService, method: 'delta' | 'sotw'): handleBidiStreamingCall<Buffer, Buffer> {
  return (call: AdsCall) => {
    const link = linkOf(call, () => session);
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

/** Limits: grpc-js defaults to 4 MB per received message; requests are small, so the default is the cap. */
export async function listenAds(service: AdsService, address: string): Promise<AdsServer> {
  const server = new Server({
    'grpc.keepalive_time_ms': defaultOf('keepaliveMs'),
    'grpc.keepalive_timeout_ms': defaultOf('keepaliveTimeoutMs'),
  });
  server.addService(
    {
      StreamAggregatedResources: definition('StreamAggregatedResources'),
      DeltaAggregatedResources: definition('DeltaAggregatedResources'),
    },
    { StreamAggregatedResources: serve(service, 'sotw'), DeltaAggregatedResources: serve(service, 'delta') },
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
