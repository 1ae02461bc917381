import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { JsonObject } from '@bufbuild/protobuf';
import type { FaultServers } from '../../harness/fault-server.ts';
import { startEnvoy } from '../envoy-hash/envoy.ts';
import type { Answer, Ask, CallReport, DataPlane, PolicyCase } from './case.ts';
import { freePort } from './free-port.ts';
import { resourcesOf } from './resources.ts';

/** One Envoy with a listener and a cluster a case. */
export interface LivePolicies {
  plane(policyCase: PolicyCase): DataPlane;
  stop(): Promise<void>;
}

export interface CaseSetup {
  readonly policyCase: PolicyCase;
  readonly group: FaultServers;
}

/** Access logs are read while cases run. */
const ARGUMENTS = ['--file-flush-interval-msec', '25'];

export async function startLive(binary: string, setups: readonly CaseSetup[]): Promise<LivePolicies> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'inmesh-policy-'));
  const log = path.join(folder, 'access.jsonl');
  const adminPort = await freePort();
  const envoy = await startEnvoy(binary, bootstrap(setups, adminPort, log), adminPort, ARGUMENTS);
  const { listener_statuses } = JSON.parse(await envoy.admin('/listeners?format=json')) as {
    listener_statuses: { name: string; local_address: { socket_address: { port_value: number } } }[];
  };
  const ports = new Map(
    listener_statuses.map(({ name, local_address }) => [name, local_address.socket_address.port_value]),
  );
  const lines = new AccessLog(log);
  return {
    plane: ({ name }) => {
      const agent = new http.Agent({ keepAlive: true });
      const port = ports.get(name) ?? 0;
      return {
        call: (id, ask) => callHttp({ agent, port }, id, ask),
        reports: (ids) => lines.reports(ids),
        ejected: async () => ejectedPorts(JSON.parse(await envoy.admin('/clusters?format=json')) as Clusters, name),
        counters: async () =>
          counters(await envoy.admin(`/stats?usedonly&filter=${encodeURIComponent(`\\.${name}(-mirror)?\\.`)}`)),
        close: async () => agent.destroy(),
      };
    },
    async stop() {
      await envoy.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** What Envoy writes of each call, by call id. */
class AccessLog {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  async reports(ids: readonly string[]): Promise<ReadonlyMap<string, CallReport>> {
    for (let attempt = 0; ; attempt++) {
      const reports = this.#read();
      if (ids.every((id) => reports.has(id)) || attempt > 100) return reports;
      await delay(30);
    }
  }

  #read(): ReadonlyMap<string, CallReport> {
    const reports = new Map<string, CallReport>();
    const text = readFileSync(this.#file, 'utf8');
    for (const line of text.slice(0, text.lastIndexOf('\n') + 1).split('\n')) {
      if (line === '') continue;
      const { call, flags, tries, details } = JSON.parse(line) as Record<string, string | number | null>;
      reports.set(String(call), {
        flags: typeof flags === 'string' && flags !== '-' ? flags.split(',') : [],
        tries: Number(tries ?? 0),
        details: String(details ?? ''),
      });
    }
    return reports;
  }
}

interface Clusters {
  readonly cluster_statuses: readonly {
    readonly name: string;
    readonly host_statuses?: readonly {
      readonly address: { readonly socket_address: { readonly port_value: number } };
      readonly health_status: { readonly failed_outlier_check?: boolean };
    }[];
  }[];
}

function ejectedPorts({ cluster_statuses }: Clusters, cluster: string): readonly number[] {
  const hosts = cluster_statuses.find(({ name }) => name === cluster)?.host_statuses ?? [];
  return hosts
    .filter(({ health_status }) => health_status.failed_outlier_check)
    .map(({ address }) => address.socket_address.port_value);
}

function counters(text: string): Readonly<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const [, scope, name, value] of text.matchAll(/^(cluster|http)\.[^.]+\.(\S+): (\d+)$/gm)) {
    if (scope !== undefined && name !== undefined) found[scope === 'http' ? `http.${name}` : name] = Number(value);
  }
  return found;
}

function callHttp(to: { agent: http.Agent; port: number }, id: string, ask: Ask): Promise<Answer> {
  const {
    method = 'GET',
    path: target = '/',
    headers = {},
    script,
    scripts = {},
    bodyBytes,
    streamed = false,
    abortAfterMs,
    upgrade,
  } = ask;
  const begun = performance.now();
  return new Promise((resolve) => {
    let answer = { status: 0, headers: {} as Record<string, string>, body: '' };
    const done = (broken: boolean): void => resolve({ ...answer, broken, ms: performance.now() - begun });
    const request = http.request({
      ...to,
      host: '127.0.0.1',
      method,
      path: target,
      headers: {
        host: 'service.test',
        ...headersOf({ id, script, scripts }),
        ...(bodyBytes !== undefined && !streamed && { 'content-length': String(bodyBytes) }),
        ...(upgrade !== undefined && { connection: 'upgrade', upgrade }),
        ...headers,
      },
    });
    const take = (response: http.IncomingMessage): void => {
      answer = { status: response.statusCode ?? 0, headers: flat(response.headers), body: '' };
    };
    request.on('response', (response) => {
      take(response);
      response.on('error', () => done(true));
      response.setEncoding('utf8').on('data', (text: string) => {
        answer.body += text;
      });
      response.on('end', () => {
        answer.headers = { ...answer.headers, ...flat(response.trailers) };
        done(false);
      });
    });
    const tunnel = (response: http.IncomingMessage, socket: import('node:stream').Duplex): void => {
      take(response);
      socket.on('error', () => {});
      socket.setEncoding('utf8').once('data', (text: string) => {
        answer.body = text;
        socket.destroy();
        done(false);
      });
      socket.write('echo');
    };
    request.on('upgrade', tunnel);
    request.on('connect', tunnel);
    request.on('error', () => done(true));
    if (abortAfterMs !== undefined) setTimeout(() => request.destroy(), abortAfterMs);
    void sendPieces(request, ask);
  });
}

async function sendPieces(request: http.ClientRequest, ask: Ask): Promise<void> {
  for await (const piece of streamOf(ask)) request.write(piece);
  request.end();
}

const PIECE = 1_000;

/** The pieces in the time they are to take. */
export async function* streamOf(ask: Ask): AsyncGenerator<string> {
  const pieces = [...piecesOf(ask)];
  for (const piece of pieces) {
    if (ask.bodyMs !== undefined) await delay(ask.bodyMs / pieces.length);
    yield piece;
  }
}

/** A body as it is sent: as one, or streamed. */
export function* piecesOf({ bodyBytes, streamed }: Ask): Generator<string> {
  if (bodyBytes === undefined) return;
  const size = streamed ? PIECE : Math.max(1, bodyBytes);
  for (let left = bodyBytes; left > 0; left -= size) yield 'x'.repeat(Math.min(left, size));
}

/** What tells a fault server what to do. */
export function headersOf({
  id,
  script,
  scripts,
}: {
  id: string;
  script: string | undefined;
  scripts: Readonly<Record<string, string>>;
}) {
  return {
    'x-call': id,
    ...(script !== undefined && { 'x-script': script }),
    ...Object.fromEntries(Object.entries(scripts).map(([host, text]) => [`x-script-${host}`, text])),
  };
}

const flat = (headers: NodeJS.Dict<string | string[]>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value = '']) => [name, String(value)]));

const bootstrap = (setups: readonly CaseSetup[], adminPort: number, log: string): JsonObject => {
  const resources = setups.map(({ policyCase, group }) => ({
    policyCase,
    made: resourcesOf(policyCase, group.servers),
  }));
  const runtime = Object.assign({}, ...setups.map(({ policyCase }) => policyCase.runtime ?? {})) as JsonObject;
  return {
    node: { id: 'policy', cluster: 'policy' },
    admin: { address: { socket_address: { address: '127.0.0.1', port_value: adminPort } } },
    layered_runtime: {
      // Many answers without an upstream are no attack here.
      layers: [
        { name: 'all', static_layer: { 'overload.premature_reset_total_stream_count': 4_294_967_295, ...runtime } },
      ],
    },
    static_resources: {
      listeners: resources.map(({ policyCase: { name }, made }) => ({
        name,
        address: { socket_address: { address: '127.0.0.1', port_value: 0 } },
        filter_chains: [
          {
            filters: [
              {
                name: 'http',
                typed_config: { ...made.manager, route_config: made.routes, access_log: [accessLog(log)] },
              },
            ],
          },
        ],
      })),
      clusters: resources.flatMap(({ made }) => made.clusters),
    },
  };
};

const accessLog = (file: string): JsonObject => ({
  name: 'envoy.access_loggers.file',
  typed_config: {
    '@type': 'type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog',
    path: file,
    log_format: {
      json_format: {
        call: '%REQ(X-CALL)%',
        flags: '%RESPONSE_FLAGS%',
        tries: '%UPSTREAM_REQUEST_ATTEMPT_COUNT%',
        details: '%RESPONSE_CODE_DETAILS%',
      },
    },
  },
});
