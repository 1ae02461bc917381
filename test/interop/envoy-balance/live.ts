import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { JsonObject } from '@bufbuild/protobuf';
import { type RunningEnvoy, startEnvoy } from '../envoy-hash/envoy.ts';
import { assignmentOf, type BalanceCase, clusterOf } from './cases.ts';
import { idOf, NOBODY } from './hosts.ts';

/** A request that stays under way until it is answered. */
export interface HeldRequest {
  /** Whom Envoy chose. */
  readonly host: number;
  answer(): Promise<void>;
}

/** One Envoy with a cluster a case, and one server that listens on every address. */
export interface LiveBalancing {
  readonly port: number;
  /** Whom Envoy chose for each request, in the order they were sent: all on one connection, one after the other. */
  ask(cluster: string, keys: readonly string[]): Promise<number[]>;
  /** The same for many requests whose order does not matter. */
  askMany(cluster: string, count: number): Promise<number[]>;
  hold(cluster: string, key?: string): Promise<HeldRequest>;
  /** Gives an EDS cluster other endpoints, and waits until Envoy goes by them. */
  assign(balanceCase: BalanceCase): Promise<void>;
  stop(): Promise<void>;
}

const CONNECTIONS = 24;

export async function startLive(binary: string, cases: readonly BalanceCase[]): Promise<LiveBalancing> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'inmesh-balance-'));
  const socketPath = path.join(folder, 'listener.sock');
  const upstream = await startServer();
  const adminPort = await freePort();
  const files = new EndpointFiles(folder, upstream.port);
  for (const balanceCase of cases) if (balanceCase.live) files.write(balanceCase);
  let envoy: RunningEnvoy;
  try {
    envoy = await startEnvoy(
      binary,
      bootstrap({ cases, socketPath, adminPort, files, port: upstream.port }),
      adminPort,
    );
  } catch (error) {
    upstream.close();
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
  const pipelines = Array.from({ length: CONNECTIONS }, () => new Pipeline(socketPath));
  const [first = new Pipeline(socketPath)] = pipelines;
  const updates = async (cluster: string): Promise<number> => {
    const text = await envoy.admin(`/stats?filter=${encodeURIComponent(`^cluster\\.${cluster}\\.update_success$`)}`);
    return Number(/: (\d+)/.exec(text)?.[1] ?? -1);
  };
  return {
    port: upstream.port,
    ask: (cluster, keys) => first.ask(keys.map((key) => requestOf(cluster, key))),
    async askMany(cluster, count) {
      const share = Math.ceil(count / CONNECTIONS);
      const requests = new Array<string>(share).fill(requestOf(cluster, ''));
      return (await Promise.all(pipelines.map((pipeline) => pipeline.ask(requests)))).flat();
    },
    async hold(cluster, key = '') {
      const { label, arrival } = upstream.expect();
      const pipeline = new Pipeline(socketPath);
      const answered = pipeline.ask([requestOf(cluster, key, label)]);
      const host = await Promise.race([arrival, answered.then(([id = NOBODY]) => id)]);
      return {
        host,
        async answer() {
          upstream.answer(label);
          // Envoy has counted it off when its answer is here.
          await answered;
          pipeline.close();
        },
      };
    },
    async assign(balanceCase) {
      const before = await updates(balanceCase.name);
      files.write(balanceCase);
      while ((await updates(balanceCase.name)) <= before) await delay(2);
    },
    async stop() {
      for (const pipeline of pipelines) pipeline.close();
      await envoy.stop();
      upstream.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

const requestOf = (cluster: string, key: string, label?: string): string =>
  `GET / HTTP/1.1\r\nhost: all\r\nx-cluster: ${cluster}\r\nx-key: ${key}\r\n${label === undefined ? '' : `x-held: ${label}\r\n`}\r\n`;

const HEAD_END = '\r\n\r\n';

/** One connection to Envoy: a request is sent when the one before it has been answered. */
class Pipeline {
  readonly #socket: net.Socket;
  #received = '';
  #answers: number[] = [];
  #requests: readonly string[] = [];
  #done: (answers: number[]) => void = () => {};
  #failed: (error: Error) => void = () => {};

  constructor(socketPath: string) {
    this.#socket = net.connect(socketPath);
    this.#socket.setEncoding('latin1').on('data', (text: string) => this.#read(text));
    this.#socket.on('error', () => {});
    this.#socket.on('close', () => this.#failed(new Error('Envoy closed the connection')));
  }

  ask(requests: readonly string[]): Promise<number[]> {
    return new Promise((resolve, reject) => {
      this.#answers = [];
      this.#requests = requests;
      this.#done = resolve;
      this.#failed = reject;
      this.#next();
    });
  }

  close(): void {
    this.#failed = () => {};
    this.#socket.destroy();
  }

  #next(): void {
    const request = this.#requests[this.#answers.length];
    if (request === undefined) this.#done(this.#answers);
    else this.#socket.write(request);
  }

  #read(text: string): void {
    this.#received += text;
    const head = this.#received.indexOf(HEAD_END);
    if (head < 0) return;
    const body = head + HEAD_END.length;
    const length = Number(/content-length: (\d+)/i.exec(this.#received)?.[1] ?? 0);
    if (this.#received.length < body + length) return;
    this.#answers.push(this.#received.startsWith('HTTP/1.1 200') ? idOf(this.#received.slice(body)) : NOBODY);
    this.#received = '';
    this.#next();
  }
}

interface Upstream {
  readonly port: number;
  /** A label for a request to hold, and whom it arrived at. */
  expect(): { readonly label: string; readonly arrival: Promise<number> };
  answer(label: string): void;
  close(): void;
}

/** Answers with the address that was connected to; a request that is to be held, when told to. */
async function startServer(): Promise<Upstream> {
  const sockets = new Set<net.Socket>();
  const arrivals = new Map<string, (id: number) => void>();
  const answers = new Map<string, () => void>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    const address = socket.localAddress ?? '';
    const answer = `HTTP/1.1 200 OK\r\ncontent-length: ${address.length}\r\n\r\n${address}`;
    let received = '';
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket)).on('error', () => {});
    socket.setEncoding('latin1').on('data', (text: string) => {
      received += text;
      if (!received.endsWith(HEAD_END)) return;
      const label = /\r\nx-held: (\d+)\r\n/.exec(received)?.[1];
      received = '';
      if (label === undefined) socket.write(answer);
      else {
        answers.set(label, () => socket.write(answer));
        arrivals.get(label)?.(idOf(address));
      }
    });
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(0, '0.0.0.0', resolve));
  const bound = server.address();
  let labels = 0;
  return {
    port: typeof bound === 'object' && bound !== null ? bound.port : 0,
    expect() {
      const label = String(++labels);
      return { label, arrival: new Promise((resolve) => arrivals.set(label, resolve)) };
    },
    answer: (label) => answers.get(label)?.(),
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  await new Promise((resolve) => server.close(resolve));
  return typeof bound === 'object' && bound !== null ? bound.port : 0;
}

/** What EDS clusters are given: Envoy reads a file again when another one is moved into its place. */
class EndpointFiles {
  readonly #folder: string;
  readonly #port: number;
  #versions = 0;

  constructor(folder: string, port: number) {
    this.#folder = path.join(folder, 'endpoints');
    this.#port = port;
    mkdirSync(this.#folder);
  }

  path(cluster: string): string {
    return path.join(this.#folder, `${cluster}.json`);
  }

  write(balanceCase: BalanceCase): void {
    const resource = {
      '@type': 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
      ...assignmentOf(balanceCase, this.#port),
    };
    const draft = path.join(this.#folder, '..', 'draft.json');
    writeFileSync(draft, JSON.stringify({ version_info: String(++this.#versions), resources: [resource] }));
    renameSync(draft, this.path(balanceCase.name));
  }
}

/** Envoy takes many answers without an upstream for an attack, and closes the connection. */
const ANSWERS_AT_ONCE = { 'overload.premature_reset_total_stream_count': 4_294_967_295 };

interface Setup {
  readonly cases: readonly BalanceCase[];
  readonly socketPath: string;
  readonly adminPort: number;
  readonly files: EndpointFiles;
  readonly port: number;
}

const bootstrap = ({ cases, socketPath, adminPort, files, port }: Setup) => ({
  node: { id: 'balance', cluster: 'balance' },
  admin: { address: { socket_address: { address: '127.0.0.1', port_value: adminPort } } },
  layered_runtime: { layers: [{ name: 'limits', static_layer: ANSWERS_AT_ONCE }] },
  static_resources: {
    listeners: [listener(socketPath)],
    clusters: cases.map((balanceCase): JsonObject => {
      const cluster = clusterOf(balanceCase, port);
      if (!balanceCase.live) return cluster;
      const source = { resource_api_version: 'V3', path_config_source: { path: files.path(balanceCase.name) } };
      return { ...cluster, eds_cluster_config: { eds_config: source } };
    }),
  },
});

const EXTENSIONS = 'type.googleapis.com/envoy.extensions.filters';

const listener = (socketPath: string) => ({
  name: 'all',
  address: { pipe: { path: socketPath } },
  filter_chains: [
    {
      filters: [
        {
          name: 'http',
          typed_config: {
            '@type': `${EXTENSIONS}.network.http_connection_manager.v3.HttpConnectionManager`,
            stat_prefix: 'all',
            generate_request_id: false,
            http_filters: [
              {
                name: 'envoy.filters.http.router',
                typed_config: { '@type': `${EXTENSIONS}.http.router.v3.Router`, suppress_envoy_headers: true },
              },
            ],
            route_config: { virtual_hosts: [{ name: 'all', domains: ['*'], routes: [ROUTE] }] },
          },
        },
      ],
    },
  ],
});

const ROUTE = {
  match: { prefix: '/' },
  route: { cluster_header: 'x-cluster', timeout: '60s', hash_policy: [{ header: { header_name: 'x-key' } }] },
};
