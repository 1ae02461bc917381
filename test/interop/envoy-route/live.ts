import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { utf8Bytes } from '../../../sdk/src/match/utf8.ts';
import { type RunningEnvoy, startEnvoy } from '../envoy-hash/envoy.ts';
import type { Question } from './requests.ts';
import { CLUSTERS, type Json, RUNTIME } from './tables.ts';

const ADMIN_PORT = 18_431;

/** What came back, and what reached the upstream if it got that far. Flat header lists, one character a byte. */
export interface LiveAnswer {
  readonly status: number;
  readonly headers: readonly string[];
  readonly body: string;
  readonly upstream?: { readonly cluster: string; readonly path: string; readonly headers: readonly string[] };
}

/** One Envoy with a listener a table, and an echoing server a cluster; all on sockets of the file system. */
export interface LiveRouting {
  ask(table: number, question: Question): Promise<LiveAnswer>;
  stop(): Promise<void>;
}

/** The endpoints of one cluster have no name. */
export const hostnameOf = (cluster: string): string | undefined =>
  cluster === 'C' ? undefined : `${cluster}.internal`;

/** What every upstream answers with, for response mutations to work on. */
export const UPSTREAM_HEADERS = ['x-up', 'up'];

export async function startLive(binary: string, tables: readonly Json[]): Promise<LiveRouting> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'inmesh-routes-'));
  const socket = (name: string | number): string => path.join(folder, `${name}.sock`);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  const servers: http.Server[] = [];
  const close = (): void => {
    agent.destroy();
    for (const server of servers) {
      server.close();
      server.closeAllConnections();
    }
    rmSync(folder, { recursive: true, force: true });
  };
  let envoy: RunningEnvoy;
  try {
    for (const cluster of CLUSTERS) servers.push(await startEcho(cluster, socket(cluster)));
    envoy = await startEnvoy(binary, bootstrap(tables, socket), ADMIN_PORT);
  } catch (error) {
    close();
    throw error;
  }
  return {
    ask: (table, question) => ask({ agent, socketPath: socket(table) }, question),
    async stop() {
      await envoy.stop();
      close();
    },
  };
}

function startEcho(cluster: string, file: string): Promise<http.Server> {
  const server = http.createServer((request, response) => {
    for (let i = 0; i + 1 < UPSTREAM_HEADERS.length; i += 2)
      response.setHeader(UPSTREAM_HEADERS[i] ?? '', UPSTREAM_HEADERS[i + 1] ?? '');
    response.end(JSON.stringify({ cluster, path: request.url, headers: request.rawHeaders }));
  });
  // Envoy's pool must not meet a connection that is just being closed.
  server.keepAliveTimeout = 0;
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(file, () => resolve(server));
  });
}

function ask(
  to: http.RequestOptions,
  { method, scheme, authority, path: target, headers }: Question,
): Promise<LiveAnswer> {
  const flat = ['host', authority, 'content-length', '0', 'x-forwarded-proto', scheme];
  for (const [name, values] of Object.entries(headers)) for (const value of values) flat.push(name, utf8Bytes(value));
  return new Promise((resolve, reject) => {
    const request = http.request(
      { ...to, method, path: target, headers: flat as never, setHost: false },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('end', () => {
          const body = Buffer.concat(chunks).toString('utf8');
          const isEcho = body.startsWith('{"cluster":');
          resolve({
            status: response.statusCode ?? 0,
            headers: response.rawHeaders,
            body,
            ...(isEcho && { upstream: JSON.parse(body) as NonNullable<LiveAnswer['upstream']> }),
          });
        });
      },
    );
    request.on('error', reject);
    request.end();
  });
}

const pipe = (file: string) => ({ pipe: { path: file } });

const bootstrap = (tables: readonly Json[], socket: (name: string | number) => string) => ({
  admin: { address: { socket_address: { address: '127.0.0.1', port_value: ADMIN_PORT } } },
  layered_runtime: { layers: [{ name: 'keys', static_layer: RUNTIME }] },
  static_resources: {
    listeners: tables.map((table, index) => listener(table, index, socket(index))),
    clusters: CLUSTERS.map((name) => ({
      name,
      type: 'STATIC',
      // For hash policies to be asked, and so for their cookies.
      lb_policy: 'RING_HASH',
      connect_timeout: '5s',
      load_assignment: {
        cluster_name: name,
        endpoints: [
          { lb_endpoints: [{ endpoint: { address: pipe(socket(name)), hostname: hostnameOf(name) ?? '' } }] },
        ],
      },
    })),
  },
});

/** Puts what `x-metadata` says under `test.k`, and has the route chosen anew. */
const LUA = `function envoy_on_request(handle)
  local text = handle:headers():get("x-metadata")
  if text == nil then return end
  local value = tonumber(text) or text
  if text == "true" then value = true end
  if text == "false" then value = false end
  if text == "list" then value = {"a", "b", 1} end
  if text == "map" then value = {sub = "ab"} end
  handle:streamInfo():dynamicMetadata():set("test", "k", value)
  handle:clearRouteCache()
end`;

const EXTENSIONS = 'type.googleapis.com/envoy.extensions.filters';

const listener = (table: Json, index: number, file: string) => ({
  name: `table-${index}`,
  address: pipe(file),
  filter_chains: [
    {
      filters: [
        {
          name: 'http',
          typed_config: {
            '@type': `${EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager`,
            stat_prefix: 'table',
            generate_request_id: false,
            http_filters: [
              {
                name: 'metadata',
                typed_config: { '@type': `${EXTENSIONS}.http.lua.v3.Lua`, default_source_code: { inline_string: LUA } },
              },
              {
                name: 'envoy.filters.http.router',
                typed_config: { '@type': `${EXTENSIONS}.http.router.v3.Router`, suppress_envoy_headers: true },
              },
            ],
            route_config: { name: `table-${index}`, ...table },
          },
        },
      ],
    },
  ],
});
