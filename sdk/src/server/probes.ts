import { type IncomingHttpHeaders, type IncomingMessage, request as requestOver, type ServerResponse } from 'node:http';
import { connect } from 'node:net';
import { MeshError } from '../errors.ts';

/** Paths at which the application answers the kubelet's probes, whatever the container's name. */
export interface ProbeOptions {
  readonly livez?: string;
  readonly readyz?: string;
  readonly startupz?: string;
}

/** One probe of a pod, as Istio keeps it when it rewrites the pod's own (ISTIO_KUBE_APP_PROBERS; core/v1 Probe). */
interface Prober {
  readonly httpGet?: {
    readonly path?: string;
    readonly port: number;
    readonly scheme?: string;
    readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[];
  };
  readonly tcpSocket?: { readonly port: number };
  readonly timeoutSeconds?: number;
}

const PATH = /^\/app-health\/[^/]+\/(livez|readyz|startupz)$/;

export interface ProbesParts {
  readonly options: ProbeOptions | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Of the guarded server. */
  port(): number | undefined;
  /** Asks the application itself, past its door. */
  ask(request: IncomingMessage, response: ServerResponse): void;
}

/** Answers a probe; false: it is none that is known. */
export type AnswerProbe = (request: IncomingMessage, response: ServerResponse) => boolean;

/** What pilot-agent does on port 15020: each probe is asked of the application in the kubelet's place. */
export function createProbes(parts: ProbesParts): AnswerProbe {
  const known = readProbers(parts.env.ISTIO_KUBE_APP_PROBERS);
  return (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? '';
    const kind = PATH.exec(path)?.[1] as keyof ProbeOptions | undefined;
    if (kind === undefined) return false;
    const own = parts.options?.[kind];
    const prober = own === undefined ? known.get(path) : { httpGet: { path: own, port: parts.port() ?? 0 } };
    if (prober === undefined) return false;
    answer(prober, { ...parts, request, response });
    return true;
  };
}

function readProbers(text: string | undefined): ReadonlyMap<string, Prober> {
  if (text === undefined || text === '') return new Map();
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return new Map(Object.entries(parsed));
  } catch {
    // Told below.
  }
  throw new MeshError('MESH_CONFIG_INVALID', 'ISTIO_KUBE_APP_PROBERS is no JSON object of probes by path');
}

interface Asked extends Pick<ProbesParts, 'port' | 'ask'> {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

function answer({ httpGet, tcpSocket, timeoutSeconds = 1 }: Prober, asked: Asked): void {
  const { request, response } = asked;
  if (httpGet !== undefined) {
    const headers = Object.fromEntries(
      (httpGet.httpHeaders ?? []).map(({ name, value }) => [name.toLowerCase(), value]),
    );
    if (httpGet.port === asked.port()) askInside(httpGet.path, headers, asked);
    else askOver(httpGet, headers, timeoutSeconds * 1000, asked);
  } else if (tcpSocket !== undefined) {
    const socket = connect({ port: tcpSocket.port, host: '127.0.0.1', timeout: timeoutSeconds * 1000 });
    const done = (status: number) => (): void => {
      socket.destroy();
      if (!response.headersSent) response.writeHead(status).end();
    };
    socket.once('connect', done(200)).once('error', done(500)).once('timeout', done(500));
  } else {
    response.writeHead(501).end('only httpGet and tcpSocket probes are asked here\n');
  }
  request.resume();
}

/** The application's port may take mutual TLS only; its listeners are asked without it. */
function askInside(path: string | undefined, headers: IncomingHttpHeaders, { request, response, ask }: Asked): void {
  request.url = rooted(path);
  Object.assign(request.headers, headers);
  ask(request, response);
}

type HttpGet = NonNullable<Prober['httpGet']>;

/** Another port of the same pod. */
function askOver({ path, port }: HttpGet, headers: IncomingHttpHeaders, timeoutMs: number, { response }: Asked): void {
  const failed = (): void => {
    if (!response.headersSent) response.writeHead(500).end();
  };
  const probe = requestOver(
    { host: '127.0.0.1', port, path: rooted(path), headers, timeout: timeoutMs },
    (answered) => {
      answered.resume();
      response.writeHead(answered.statusCode ?? 500).end();
    },
  );
  probe.once('error', failed).once('timeout', () => probe.destroy(new Error('timeout')));
  probe.end();
}

const rooted = (path = '/'): string => (path.startsWith('/') ? path : `/${path}`);
