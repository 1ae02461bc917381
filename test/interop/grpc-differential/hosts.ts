import http2, {
  type Http2Server,
  type IncomingHttpHeaders,
  type ServerHttp2Session,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { freePort } from '../envoy-policy/free-port.ts';
import { type GrpcCase, hostsOf } from './case.ts';
import type { Certificates } from './certificates.ts';
import type { HostPorts } from './resources.ts';

/** gRPC servers by hand, which do what a call's script says. */
export interface Hosts {
  readonly ports: HostPorts;
  /** Hosts that a call has reached, in order. */
  reached(id: string): readonly string[];
  close(): Promise<void>;
}

/** What a host tells of the call in its answer. */
export interface Seen {
  readonly host: string;
  readonly headers: Readonly<Record<string, string>>;
}

export async function startHosts(one: GrpcCase, certificates: Certificates): Promise<Hosts> {
  const arrivals = new Map<string, string[]>();
  const ports = new Map<string, { address: string; port: number }>();
  const servers: { server: Http2Server; sessions: Set<ServerHttp2Session> }[] = [];
  for (const host of hostsOf(one)) {
    const [address = '127.0.0.1', port = '0'] = (host.at ?? '').split(':').filter(Boolean);
    if (host.refuses) {
      ports.set(host.name, { address, port: host.at ? Number(port) : await freePort() });
      continue;
    }
    const server = host.account
      ? http2.createSecureServer(await certificates.serverOf(host.account))
      : http2.createServer();
    const sessions = new Set<ServerHttp2Session>();
    server.on('session', (session) => {
      sessions.add(session);
      session.on('close', () => sessions.delete(session)).on('error', () => {});
    });
    server.on('stream', (stream, headers) => void answer(host.name, stream, headers, arrivals));
    await listen(server, address, Number(port));
    servers.push({ server, sessions });
    ports.set(host.name, { address, port: (server.address() as AddressInfo).port });
  }
  return {
    ports,
    reached: (id) => arrivals.get(id) ?? [],
    async close() {
      await Promise.all(
        servers.map(({ server, sessions }) => {
          for (const session of sessions) session.destroy();
          return new Promise((resolve) => server.close(resolve));
        }),
      );
    },
  };
}

/** A fixed port may still be another run's. */
async function listen(server: Http2Server, address: string, port: number): Promise<void> {
  for (let left = 300; ; left--) {
    const failed = await new Promise<NodeJS.ErrnoException | undefined>((resolve) => {
      server.once('error', resolve);
      server.listen(port, address, () => {
        server.removeListener('error', resolve);
        resolve(undefined);
      });
    });
    if (failed === undefined) return;
    if (failed.code !== 'EADDRINUSE' || left === 0) throw failed;
    await delay(200);
  }
}

async function answer(
  host: string,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
  arrivals: Map<string, string[]>,
): Promise<void> {
  stream.on('error', () => {});
  stream.resume();
  const id = String(headers['x-id']);
  const earlier = arrivals.get(id) ?? [];
  arrivals.set(id, [...earlier, host]);
  const script = String(headers[`x-script-${host}`] ?? headers['x-script'] ?? 'ok').split(',');
  const [word = 'ok', ...options] = (script[earlier.length] ?? script.at(-1) ?? 'ok').split(';');
  const extra = Object.fromEntries(
    options.map((option) => [`grpc-retry-${option.split('=')[0]}-ms`, option.split('=')[1]]),
  );
  const [, what = word, number = '0'] = /^(slow|head|reset)-(\d+)$/.exec(word) ?? [];
  if (what === 'slow') await delay(Number(number));
  if (stream.destroyed) return;
  if (what === 'reset') stream.close(Number(number));
  else if (what === 'refuse') stream.close(http2.constants.NGHTTP2_REFUSED_STREAM);
  else if (/^\d+$/.test(what)) {
    stream.respond({ ...HEAD, 'grpc-status': what, 'grpc-message': `by ${host}`, ...extra }, { endStream: true });
  } else {
    stream.respond(HEAD, { waitForTrailers: true });
    const status = what === 'head' ? number : '0';
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': status, ...extra }));
    stream.end(what === 'head' ? undefined : message({ host, headers: flat(headers) }));
  }
}

const HEAD = { ':status': 200, 'content-type': 'application/grpc' };

const flat = (headers: IncomingHttpHeaders): Seen['headers'] =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, String(value)]));

function message(seen: Seen): Buffer {
  const body = Buffer.from(JSON.stringify(seen));
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}
