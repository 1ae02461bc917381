import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { defaultMesh, propagate } from '@inmesh/sdk';

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

/**
 * Runs one Bookinfo process: listens on its own port, registers under its service, tells the launcher about every call it makes.
 * Only the three marked lines concern the mesh.
 */
export async function serve(
  service: string,
  answer: Answer,
  version = process.env.SERVICE_VERSION ?? 'v1',
): Promise<void> {
  // mesh: what came in goes along with calls out; not the deadline, or who gives up first at 500 ms would be a race
  const middleware = propagate({ headers: HANDED_ON, deadline: false });
  const server = createServer((request, response) => {
    process.send?.({ asked: true });
    middleware(request, response, () => void write(answer, request, response));
  });
  server.keepAliveTimeout = 75_000;
  await new Promise<void>((listening) => server.listen(Number(process.env.PORT ?? 0), '127.0.0.1', listening));
  const { port } = server.address() as AddressInfo;

  const mesh = defaultMesh();
  mesh.register({ service, port, version, labels: { app: service, version } }); // mesh: be found
  mesh.on((event) => {
    if (event.kind === 'call')
      process.send?.({ call: { cluster: event.story.cluster, endpoint: event.story.endpoint, status: event.status } });
  });
  process.send?.({ ready: { service, version, port } });

  const stop = () => {
    void mesh.close().then(() => process.exit(0)); // mesh: be gone at once
  };
  process.once('SIGTERM', stop);
  process.once('SIGINT', stop);
  process.once('disconnect', stop);
}
