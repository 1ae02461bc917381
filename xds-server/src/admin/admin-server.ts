import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { hostOf, isLoopback } from '../loopback.ts';

export interface AdminPage {
  readonly summary: string;
  /** May take its time (metrics load their library on first use). */
  render(query: URLSearchParams): AdminReply | Promise<AdminReply>;
}

export interface AdminReply {
  readonly status?: number;
  readonly type: string;
  readonly body: string;
}

export interface AdminServer {
  readonly address: string;
  close(): Promise<void>;
}

export const plain = (body: string, status = 200): AdminReply => ({ status, type: 'text/plain; charset=utf-8', body });
export const json = (value: unknown): AdminReply => ({
  type: 'application/json',
  body: `${JSON.stringify(value, null, 2)}\n`,
});

const STYLE =
  'body{font:16px/1.6 system-ui,sans-serif;max-width:760px;margin:40px auto;padding:0 20px;color:#1c2733}a{color:#1b4b72}td{padding:4px 18px 4px 0}';

function index(pages: ReadonlyMap<string, AdminPage>): AdminReply {
  const rows = [...pages].map(
    ([path, { summary }]) => `<tr><td><a href="${path}">${path}</a></td><td>${summary}</td></tr>`,
  );
  return {
    type: 'text/html; charset=utf-8',
    body: `<!doctype html><html lang="en"><meta charset="utf-8"><title>Inmesh control plane</title><style>${STYLE}</style><h1>Inmesh control plane</h1><table>${rows.join('')}</table></html>\n`,
  };
}

async function answer(pages: ReadonlyMap<string, AdminPage>, request: IncomingMessage): Promise<AdminReply> {
  if (request.socket.remoteAddress !== undefined && !isLoopback(hostOf(request.headers.host ?? ''))) {
    return plain(`Host: got "${request.headers.host ?? ''}", want localhost or a loopback address\n`, 403);
  }
  if (request.method !== 'GET' && request.method !== 'HEAD') return plain('only GET is answered\n', 405);
  const url = new URL(request.url ?? '/', 'http://localhost');
  if (url.pathname === '/') return index(pages);
  const page = pages.get(url.pathname);
  return page === undefined
    ? plain(`no such page; there are ${[...pages.keys()].join(' ')}\n`, 404)
    : page.render(url.searchParams);
}

async function write(
  pages: ReadonlyMap<string, AdminPage>,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let reply: AdminReply;
  try {
    reply = await answer(pages, request);
  } catch (error) {
    reply = plain(`${error instanceof Error ? error.message : String(error)}\n`, 500);
  }
  response.writeHead(reply.status ?? 200, {
    'content-type': reply.type,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  });
  response.end(request.method === 'HEAD' ? undefined : reply.body);
}

function listen(server: Server, address: string): Promise<string> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(new Error(`admin cannot listen on ${address}: ${error.message}`, { cause: error })),
    );
    if (address.startsWith('unix:')) {
      server.listen(address.slice('unix:'.length), () => resolve(address));
      return;
    }
    const host = hostOf(address).replace(/^\[|\]$/g, '');
    server.listen(Number(address.slice(address.lastIndexOf(':') + 1)), host, () => {
      const { port } = server.address() as AddressInfo;
      resolve(`${hostOf(address)}:${port}`);
    });
  });
}

/** Takes connections whose client speaks HTTP/2 from the first byte: gRPC. */
export interface GrpcDoor {
  take(socket: Socket): void;
  close(): void;
}

/** RFC 9113 3.4. Nothing else that begins with a P is answered here. */
const PREFACE = 'PRI * HTTP/2.0';
const SILENT_MS = 5_000;

/** One port for people and for gRPC tools: the first bytes tell them apart. */
function divide(server: Server, grpc: GrpcDoor): void {
  const [http1] = server.listeners('connection');
  server.removeAllListeners('connection');
  server.on('connection', (socket: Socket) => {
    const drop = (): void => void socket.destroy();
    socket.on('error', drop);
    socket.setTimeout(SILENT_MS, drop);
    socket.once('readable', () => {
      const first: Buffer | null = socket.read();
      if (first === null) {
        drop();
        return;
      }
      socket.setTimeout(0, drop);
      socket.off('error', drop);
      socket.unshift(first);
      if (PREFACE.startsWith(first.toString('latin1', 0, PREFACE.length))) grpc.take(socket);
      else http1?.call(server, socket);
    });
  });
}

/** Reads only, on loopback only. */
export async function listenAdmin(
  address: string,
  pages: ReadonlyMap<string, AdminPage>,
  grpc: GrpcDoor,
): Promise<AdminServer> {
  if (!address.startsWith('unix:') && !isLoopback(hostOf(address))) {
    throw new Error(
      `admin address: got "${address}", want a loopback address (127.0.0.1, ::1, localhost) or unix:PATH`,
    );
  }
  const server = createServer({ headersTimeout: 5_000, requestTimeout: 10_000 }, (request, response) => {
    void write(pages, request, response);
  });
  server.maxConnections = 64;
  divide(server, grpc);
  const bound = await listen(server, address);
  return {
    address: bound,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
        grpc.close();
      }),
  };
}
