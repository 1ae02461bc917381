import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { defaultOf } from '../defaults.ts';
import type { ServerSide } from '../mesh/server-side.ts';
import type { GuardOptions, ListenAt } from './options.ts';
import { createProbes } from './probes.ts';

export interface OwnPortsParts {
  readonly side: Pick<ServerSide, 'metrics'>;
  unready(): string | undefined;
  ask(request: IncomingMessage, response: ServerResponse): void;
  port(): number | undefined;
  /** A port could not be had. */
  failed(message: string): void;
}

/** Ports beside the application's, in plain, for those who have no certificate: kubelet and Prometheus. */
export interface OwnPorts {
  close(): void;
}

export function openOwnPorts({ health, metrics, probes }: GuardOptions, parts: OwnPortsParts): OwnPorts {
  const servers: Server[] = [];
  if (health) servers.push(open(health, defaultOf('healthPort'), answerHealth(parts), parts));
  if (metrics) {
    const answerProbe = createProbes({ ...parts, options: probes, env: process.env });
    const answer: Answer = (request, response) => {
      if (!answerProbe(request, response)) answerMetrics(parts, request, response);
    };
    servers.push(open(metrics, defaultOf('metricsPort'), answer, parts));
  }
  return {
    close() {
      for (const server of servers) {
        server.close();
        server.closeAllConnections();
      }
    },
  };
}

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

function open(where: true | ListenAt, usual: number, answer: Answer, { failed }: OwnPortsParts): Server {
  const { port = usual, host }: ListenAt = where === true ? {} : where;
  const server = createServer({ maxHeaderSize: defaultOf('ownPortHeaderBytes') }, (request, response) => {
    if (request.method === 'GET' || request.method === 'HEAD') answer(request, response);
    else response.writeHead(405, { allow: 'GET, HEAD' }).end();
  });
  server.maxConnections = defaultOf('ownPortConnections');
  server.headersTimeout = defaultOf('guardHeadersMs');
  server.on('error', (error) => failed(`port ${port} for probes and metrics: ${error.message}`));
  server.listen({ port, ...(host !== undefined && { host }) });
  // The application's own server is what keeps the process.
  server.unref();
  return server;
}

const pathOf = ({ url = '' }: IncomingMessage): string => url.split('?', 1)[0] ?? '';

const answerHealth =
  ({ unready }: OwnPortsParts): Answer =>
  (request, response) => {
    if (pathOf(request) !== '/healthz/ready') {
      response.writeHead(404).end();
      return;
    }
    const why = unready();
    response.writeHead(why === undefined ? 200 : 503, { 'content-type': 'text/plain' }).end(`${why ?? 'ready'}\n`);
  };

function answerMetrics({ side, unready }: OwnPortsParts, request: IncomingMessage, response: ServerResponse): void {
  const path = pathOf(request);
  // pilot-agent has readiness here too, and both names of the metrics.
  if (path === '/healthz/ready') answerHealth({ unready } as OwnPortsParts)(request, response);
  else if (path !== '/metrics' && path !== '/stats/prometheus') response.writeHead(404).end();
  else {
    side.metrics().then(
      (text) => response.writeHead(200, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' }).end(text),
      () => response.writeHead(500).end(),
    );
  }
}
