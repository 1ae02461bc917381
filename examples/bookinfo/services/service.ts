import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { defaultMesh } from '@inmesh/sdk';
import { type Guarded, type GuardOptions, guard } from '@inmesh/sdk/server';

/** Answers one request; what it throws becomes a 500. */
export type Answer = (request: IncomingMessage, url: URL) => Promise<Reply> | Reply;

export interface Reply {
  readonly status?: number;
  readonly type?: string;
  readonly headers?: Record<string, string>;
  readonly body: string;
}

export const json = (value: unknown, status = 200): Reply => ({
  status,
  type: 'application/json',
  body: JSON.stringify(value),
});

/** Headers this demo's services hand on besides the tracing ones. */
const HANDED_ON = ['end-user', 'x-demo-ratings-delay'];

async function write(answer: Answer, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    const url = new URL(request.url ?? '/', 'http://localhost');
    const reply = url.pathname === '/health' ? json({ status: 'ok' }) : await answer(request, url);
    response.writeHead(reply.status ?? 200, { 'content-type': reply.type ?? 'text/plain', ...reply.headers });
    response.end(reply.body);
  } catch (error) {
    response.writeHead(500, { 'content-type': 'text/plain' });
    response.end(error instanceof Error ? error.message : String(error));
  }
}

/** A second server of a process. */
export interface Guarding {
  readonly service: string;
  readonly port: number;
  readonly guarded: Guarded;
}

/**
 * mesh: who may connect, and how, is what PeerAuthentication says; the process is found as `service` while it listens. What came in goes
 * along with calls out; not the deadline, or who gives up first at 500 ms would be a race
 */
export const guardOptions = (service: string, version: string): GuardOptions => ({
  service,
  version,
  labels: { app: service, version },
  propagate: { headers: HANDED_ON, deadline: false },
});

/**
 * Runs one Bookinfo process: listens on its own port, registers under its service, tells the launcher about every call it makes.
 * Only the marked lines concern the mesh.
 */
export async function serve(service: string, answer: Answer, second?: Guarding): Promise<void> {
  const version = process.env.SERVICE_VERSION ?? 'v1';
  const server = createServer((request, response) => {
    process.send?.({ asked: true });
    void write(answer, request, response);
  });
  const mesh = defaultMesh();
  const guarded = guard(server, guardOptions(service, version)); // mesh
  const { port } = await guarded.listen({ host: '127.0.0.1', port: Number(process.env.PORT ?? 0) });
  mesh.on((event) => {
    if (event.kind !== 'call') return;
    const { cluster, endpoint, peer, local, grpcStatus = 0 } = event.story;
    const failed = (event.status ?? 0) >= 500 || grpcStatus !== 0;
    process.send?.({ call: { cluster, endpoint, peer, local, failed } });
  });
  process.send?.({ ready: { service, version, port, ...(second && { second: pick(second) }) } });

  const stop = async () => {
    await Promise.all([guarded.close(), second?.guarded.close()]); // mesh: found no more, requests under way finished
    await mesh.close();
    process.exit(0);
  };
  for (const event of ['SIGTERM', 'SIGINT', 'disconnect'] as const) process.once(event, () => void stop());
}

const pick = ({ service, port }: Guarding) => ({ service, port });
