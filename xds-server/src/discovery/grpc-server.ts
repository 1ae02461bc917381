import { rmSync } from 'node:fs';
import { isIP } from 'node:net';
import { type handleBidiStreamingCall, Server, ServerCredentials, type ServerDuplexStream, status } from '@grpc/grpc-js';
import type { AdsService } from './ads-service.ts';
import type { Session } from './session.ts';

/** ADS over gRPC on grpc-js, behind the little that we need of it; messages pass as the bytes they are. */
export interface AdsServer {
  /** Where it listens: `host:port` or `unix:PATH`. */
  readonly address: string;
  /** Lets open streams end, at most for `graceMs`. */
  close(graceMs: number): Promise<void>;
}

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
function addressOf(peer: string): string | undefined {
  const host = peer.slice(0, peer.lastIndexOf(':')).replace(/^\[|\]$/g, '').replace(/^::ffff:/, '');
  return isIP(host) === 0 ? undefined : host;
}

function serve(service: AdsService, method: 'delta' | 'sotw'): handleBidiStreamingCall<Buffer, Buffer> {
  return (call: ServerDuplexStream<Buffer, Buffer>) => {
    let session: Session | undefined;
    const link = {
      send: (bytes: Buffer) => call.write(bytes),
      end: (code: number, message: string) => {
        if (code === status.OK) call.end();
        else call.emit('error', Object.assign(new Error(message), { code, details: message }));
      },
    };
    session = service.open(method, link, addressOf(call.getPeer()));
    const opened = session;
    const gone = () => service.closed(opened);
    call.on('data', (bytes: Buffer) => opened.receive(bytes));
    call.on('drain', () => opened.drained());
    call.on('end', () => {
      gone();
      call.end();
    });
    call.on('cancelled', gone);
    call.on('error', gone);
    call.on('close', gone);
  };
}

/** `unix:PATH` and `host:port` as grpc-js wants them; the real port replaces 0. */
function bind(server: Server, address: string): Promise<string> {
  if (address.startsWith('unix:')) rmSync(address.slice('unix:'.length), { force: true });
  return new Promise((resolve, reject) => {
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, port) => {
      if (error) reject(new Error(`cannot listen on ${address}: ${error.message}`, { cause: error }));
      else resolve(address.startsWith('unix:') ? address : `${address.slice(0, address.lastIndexOf(':'))}:${port}`);
    });
  });
}

/** Limits: grpc-js defaults to 4 MB per received message; requests are small, so the default is the cap. */
export async function listenAds(service: AdsService, address: string): Promise<AdsServer> {
  const server = new Server({ 'grpc.keepalive_time_ms': 30_000, 'grpc.keepalive_timeout_ms': 20_000 });
  server.addService(
    { StreamAggregatedResources: definition('StreamAggregatedResources'), DeltaAggregatedResources: definition('DeltaAggregatedResources') },
    { StreamAggregatedResources: serve(service, 'sotw'), DeltaAggregatedResources: serve(service, 'delta') },
  );
  const bound = await bind(server, address);
  return {
    address: bound,
    close: (graceMs) =>
      new Promise((resolve) => {
        const force = setTimeout(() => {
          server.forceShutdown();
          resolve();
        }, graceMs);
        server.tryShutdown(() => {
          clearTimeout(force);
          resolve();
        });
      }),
  };
}
