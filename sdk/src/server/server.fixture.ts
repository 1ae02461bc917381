import { once } from 'node:events';
import type { IncomingHttpHeaders as Http1Headers } from 'node:http';
import http2, { type IncomingHttpHeaders } from 'node:http2';
import net, { type Socket } from 'node:net';
import tls, { type TLSSocket } from 'node:tls';
import { createTestCa, type TestCa, type TestCertificate } from '../../../test/harness/certificates.ts';
import { createTestIdentity, type TestIdentity } from '../../../test/harness/test-identity.ts';
import { systemClock } from '../clock.ts';
import type { InboundState, InboundWatcher } from '../config/inbound.ts';
import { createBundles } from '../identity/bundles.ts';
import { NO_SECRETS } from '../identity/secrets.ts';
import { createTlsContexts } from '../identity/tls-contexts.ts';
import type { ServerSide } from '../mesh/server-side.ts';
import type { MeshEvent } from '../model/events.ts';
import type { InboundListener } from '../model/inbound.ts';
import type { Registration } from '../options.ts';
import type { Guardable } from './app-server.ts';
import { type InboundMode, listenerOfMode } from './chain.ts';
import { guardWith } from './guard.ts';
import type { Guarded } from './guarded.ts';
import type { GuardOptions } from './options.ts';

/** For tests alone: a guarded server whose mesh is made of values, and clients of every kind. */

export const REVIEWS = 'spiffe://cluster.local/ns/default/sa/reviews';
export const PRODUCTPAGE = 'spiffe://cluster.local/ns/default/sa/productpage';

export interface TestSide extends ServerSide {
  /** undefined: the control plane has no such listener. */
  listen(found: InboundListener | undefined): void;
  /** It has one that is not to be served. */
  refuse(reason: string): void;
  readonly events: MeshEvent[];
  readonly registered: Map<string, Registration>;
  readonly asked: string[];
}

export function createSide(identity: TestIdentity, options: { readonly isOn?: boolean } = {}): TestSide {
  const contexts = createTlsContexts(identity, NO_SECRETS);
  const watchers = new Set<InboundWatcher>();
  let current: InboundState | undefined;
  const tell = (state: InboundState): void => {
    current = state;
    for (const watcher of watchers) watcher(state);
  };
  const side: TestSide = {
    clock: systemClock,
    isOn: options.isOn ?? true,
    events: [],
    registered: new Map(),
    asked: [],
    emit: (event) => side.events.push(event),
    listen: (listener) => tell({ isSettled: true, listener, reason: listener ? '' : 'does not exist' }),
    refuse: (reason) => tell({ isSettled: true, listener: undefined, reason, isRefused: true }),
    watchInbound(address, port, watcher) {
      side.asked.push(`${address}:${port}`);
      watchers.add(watcher);
      if (current !== undefined) watcher(current);
      return () => watchers.delete(watcher);
    },
    tls: () => Promise.resolve(contexts),
    identityReady: (timeoutMs) => identity.ready(timeoutMs),
    hasIdentity: () => identity.current() !== undefined,
    onIdentity: (listener) => identity.onChange(() => listener({ trust: true })),
    register: (one) => side.registered.set(one.service, one),
    unregister: (one) => side.registered.delete(one.service),
    metrics: async () => 'inmesh_test 1\n',
  };
  return side;
}

export interface Setting extends AsyncDisposable {
  readonly ca: TestCa;
  readonly identity: TestIdentity;
  readonly side: TestSide;
  readonly guarded: Guarded;
  readonly port: number;
  /** A certificate of this mesh. */
  readonly caller: TestCertificate;
  mode(mode: InboundMode, limits?: InboundListener['limits']): void;
  /** Until it holds. */
  readonly closers: (() => unknown)[];
}

export async function startGuarded(
  app: Guardable,
  mode: InboundMode,
  options: GuardOptions & { readonly limits?: InboundListener['limits'] } = {},
): Promise<Setting> {
  const { limits = {}, ...rest } = options;
  const ca = await createTestCa();
  const bundles = createBundles([['cluster.local', [ca.pem]]]);
  const identity = createTestIdentity({ certificate: await ca.issue({ uris: [REVIEWS] }), bundles });
  const side = createSide(identity);
  const set = (next: InboundMode, found: InboundListener['limits'] = {}): void =>
    side.listen({ ...listenerOfMode(next, '0.0.0.0', 9080), limits: found });
  set(mode, limits);
  const guarded = guardWith(side, app, rest);
  const { port } = await guarded.listen({ port: 0, host: '127.0.0.1' });
  return {
    ca,
    identity,
    side,
    guarded,
    port,
    caller: await ca.issue({ uris: [PRODUCTPAGE] }),
    mode: set,
    closers: [],
    [Symbol.asyncDispose]: () => guarded.close({ graceMs: 0 }),
  };
}

export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Http1Headers;
}

type Given = {
  readonly headers?: Record<string, string | string[]>;
  readonly path?: string;
  readonly method?: string;
  readonly body?: string;
};

/** One request on a socket that is there, by hand: the platform's agents would keep the socket for themselves. */
export function ask(socket: Socket, { method = 'GET', path = '/', headers = {}, body }: Given = {}): Promise<Answer> {
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
  const length = body === undefined ? '' : `content-length: ${Buffer.byteLength(body)}\r\n`;
  socket.write(`${method} ${path} HTTP/1.1\r\nhost: reviews\r\n${lines.join('')}${length}\r\n${body ?? ''}`);
  return answerOn(socket);
}

function answerOn(socket: Socket): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let text = '';
    const read = (part: Buffer): void => {
      text += part.toString('latin1');
      const answer = parse(text);
      if (answer !== undefined) done(() => resolve(answer));
    };
    const fail = (): void => done(() => reject(new Error(`closed after ${JSON.stringify(text)}`)));
    const done = (then: () => void): void => {
      socket.off('data', read).off('close', fail).off('end', fail);
      then();
    };
    socket.on('data', read).on('close', fail).on('end', fail);
  });
}

/** undefined: it is not whole yet. */
function parse(text: string): Answer | undefined {
  const end = text.indexOf('\r\n\r\n');
  if (end < 0) return undefined;
  const [first = '', ...lines] = text.slice(0, end).split('\r\n');
  const headers = Object.fromEntries(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 1).trim()]),
  );
  const body = text.slice(end + 4);
  const status = Number(first.split(' ')[1]);
  if (headers['transfer-encoding'] === 'chunked') {
    if (!body.endsWith('0\r\n\r\n')) return undefined;
    return { status, headers, text: body.replace(/[0-9a-f]+\r\n([\s\S]*?)\r\n/g, '$1').replace(/\r\n$/, '') };
  }
  return body.length < Number(headers['content-length'] ?? 0) ? undefined : { status, headers, text: body };
}

export async function plain(port: number): Promise<Socket> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** TLS of Node's own, so that none of what is tested judges itself. The server's certificate is checked by its root. */
export async function secure(
  { port, ca }: Pick<Setting, 'port' | 'ca'>,
  certificate: TestCertificate | undefined,
  alpn: readonly string[] = ['istio', 'http/1.1'],
): Promise<TLSSocket> {
  const socket = tls.connect({
    port,
    host: '127.0.0.1',
    ca: ca.pem,
    checkServerIdentity: () => undefined,
    ...(certificate && { cert: certificate.pem, key: certificate.keyPem }),
    ALPNProtocols: [...alpn],
  });
  await once(socket, 'secureConnect');
  socket.on('error', () => {});
  return socket;
}

/** Resolves with what becomes of a connection: `closed`, or what is heard first. */
export function fate(socket: Socket): Promise<string> {
  return new Promise((resolve) => {
    socket.once('data', (bytes) => resolve(String(bytes)));
    socket.on('error', () => resolve('closed'));
    socket.once('close', () => resolve('closed'));
    socket.once('end', () => resolve('closed'));
  });
}

export interface StreamAnswer {
  readonly status: number | undefined;
  readonly text: string;
  readonly headers: IncomingHttpHeaders;
}

export function session(socket: Socket): http2.ClientHttp2Session {
  const client = http2.connect('http://reviews', { createConnection: () => socket });
  client.on('error', () => {});
  return client;
}

export function askStream(
  client: http2.ClientHttp2Session,
  headers: http2.OutgoingHttpHeaders = {},
): Promise<StreamAnswer> {
  return new Promise((resolve, reject) => {
    const stream = client.request({ ':path': '/', ...headers });
    let answer: IncomingHttpHeaders & { ':status'?: number | undefined } = {};
    let text = '';
    stream.setEncoding('utf8');
    stream.on('response', (head) => {
      answer = head;
    });
    stream.on('data', (part: string) => {
      text += part;
    });
    stream.on('end', () => resolve({ status: answer[':status'], text, headers: answer }));
    stream.on('error', reject);
  });
}

/** Waits for a condition, never for a time. */
export async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}
