import type { Duplex } from 'node:stream';
import { fromJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import { registry } from '../../../sdk/gen/registry.js';
import { createMesh, type Mesh } from '../../../sdk/src/mesh.ts';
import type { CallStory } from '../../../sdk/src/model/events.ts';
import type { FaultServers } from '../../harness/fault-server.ts';
import { createStaticAds, type StaticAds } from '../../harness/static-ads.ts';
import type { Answer, Ask, CallReport, DataPlane, PolicyCase } from './case.ts';
import { headersOf, piecesOf, streamOf } from './envoy-plane.ts';
import { inTime } from './in-time.ts';
import { resourcesOf } from './resources.ts';

/** A call that nothing ends is ended. */
const LONGEST_MS = 6_000;

const API = 'type.googleapis.com/envoy.config';
const ADS = { ads: {}, resource_api_version: 'V3' };

/** The SDK with the resources of one case, served by a control plane of handwritten resources. */
export function sdkPlane(policyCase: PolicyCase, group: FaultServers): DataPlane {
  const ads = createStaticAds();
  const target = `${policyCase.name}:80`;
  serve(ads, policyCase, group);
  const mesh = createMesh({ transport: ads.transport }, { env: {} });
  const stories = new Map<string, CallStory>();
  mesh.on((event) => {
    if (event.kind === 'call') stories.set(callOf(event.request.headers), event.story);
  });
  return {
    async call(id, ask) {
      await mesh.ready({ hosts: [target] }).catch(() => {});
      const begun = performance.now();
      return { ...(await callMesh(mesh, `http://${target}`, { id, ask })), ms: performance.now() - begun };
    },
    async reports() {
      await new Promise((resolve) => setTimeout(resolve, 50));
      return new Map([...stories].map(([id, story]) => [id, reportOf(story)]));
    },
    async ejected() {
      const { endpoints } = await mesh.explain({ url: `http://${target}/`, method: 'GET' });
      return endpoints
        .filter(({ state }) => state === 'ejected')
        .map(({ address }) => Number(address.split(':').at(-1)));
    },
    counters: async () => ({}),
    async close() {
      if (!(await inTime(mesh.close(), 12_000 + GRACE_MS))) throw new Error('the mesh did not close');
    },
  };
}

/** Envoy counts the try for which there was no host. */
function reportOf({ flags, attempts, local }: CallStory): CallReport {
  const hadNoHost = local && flags.includes('UH') && attempts.at(-1)?.flag !== 'UH';
  return { flags, tries: attempts.length + (hadNoHost ? 1 : 0) };
}

function callOf(headers: readonly string[]): string {
  for (let at = 0; at < headers.length; at += 2)
    if (headers[at]?.toLowerCase() === 'x-call') return headers[at + 1] ?? '';
  return '';
}

type Heard = Omit<Answer, 'ms'>;
type Mutable<T> = { -readonly [K in keyof T]: T[K] };

async function callMesh(
  mesh: Mesh,
  origin: string,
  { id, ask }: { readonly id: string; readonly ask: Ask },
): Promise<Heard> {
  const { headers = {}, script, scripts = {}, abortAfterMs = LONGEST_MS } = ask;
  const heard: Mutable<Heard> = { status: 0, headers: {}, body: '', broken: false };
  const sent = { host: 'service.test', ...headersOf({ id, script, scripts }), ...headers };
  const way = { mesh, origin, headers: sent, signal: AbortSignal.timeout(abortAfterMs) };
  const asked =
    ask.upgrade !== undefined
      ? upgradeMesh(way, ask.upgrade, heard)
      : ask.dispatcher
        ? dispatchMesh(way, ask, heard)
        : fetchMesh(way, ask, heard);
  const hasEnded = await inTime(
    asked.catch(() => {
      heard.broken = true;
    }),
    abortAfterMs + GRACE_MS,
  );
  return hasEnded ? heard : { ...heard, broken: true, body: 'the call was aborted and did not end' };
}

/** For what follows an abort or a close. */
const GRACE_MS = 3_000;

interface MeshWay {
  readonly mesh: Mesh;
  readonly origin: string;
  readonly headers: Record<string, string>;
  readonly signal: AbortSignal;
}

async function fetchMesh({ mesh, origin, headers, signal }: MeshWay, ask: Ask, heard: Mutable<Heard>): Promise<void> {
  const { method = 'GET', path = '/', bodyBytes, streamed } = ask;
  const body = streamed
    ? ReadableStream.from(streamOf(ask)).pipeThrough(new TextEncoderStream())
    : [...piecesOf(ask)].join('');
  const response = await mesh.fetch(origin + path, {
    method,
    headers,
    redirect: 'manual',
    ...(bodyBytes !== undefined && { body, duplex: 'half' }),
    signal,
  });
  heard.status = response.status;
  heard.headers = Object.fromEntries(response.headers);
  const decoder = new TextDecoder();
  for await (const chunk of response.body ?? []) heard.body += decoder.decode(chunk, { stream: true });
}

async function dispatchMesh({ mesh, ...way }: MeshWay, ask: Ask, heard: Mutable<Heard>): Promise<void> {
  const { method = 'GET', path = '/' } = ask;
  const response = (await mesh.dispatcher.request({ ...way, method, path })) as UndiciAnswer;
  heard.status = response.statusCode;
  heard.headers = response.headers;
  heard.body = await response.body.text();
  heard.headers = { ...response.headers, ...response.trailers };
}

interface UndiciAnswer {
  readonly statusCode: number;
  readonly headers: Record<string, string>;
  readonly trailers: Record<string, string>;
  readonly body: { text(): Promise<string> };
}

/** What is sent on the socket must come back. */
async function upgradeMesh({ mesh, ...way }: MeshWay, protocol: string, heard: Mutable<Heard>): Promise<void> {
  const { socket, headers } = (await mesh.dispatcher.upgrade({ ...way, path: '/', protocol })) as {
    socket: Duplex;
    headers: Record<string, string>;
  };
  heard.status = 101;
  heard.headers = headers;
  socket.write('echo');
  for await (const chunk of socket) {
    heard.body = String(chunk);
    break;
  }
}

function serve(ads: StaticAds, policyCase: PolicyCase, group: FaultServers): void {
  const { name } = policyCase;
  const made = resourcesOf(policyCase, group.servers);
  const set = (as: string, type: string, fields: JsonObject): void =>
    ads.set(as, anyOf({ '@type': `${API}.${type}`, ...fields }));
  set(`${name}:80`, 'listener.v3.Listener', {
    name: `${name}:80`,
    api_listener: { api_listener: { ...made.manager, rds: { route_config_name: name, config_source: ADS } } },
  });
  set(name, 'route.v3.RouteConfiguration', made.routes);
  for (const { load_assignment, ...cluster } of made.clusters) {
    const named = String(cluster.name);
    set(named, 'cluster.v3.Cluster', { ...cluster, type: 'EDS', eds_cluster_config: { eds_config: ADS } });
    if (isObject(load_assignment)) set(named, 'endpoint.v3.ClusterLoadAssignment', load_assignment);
  }
}

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && !Array.isArray(value);

function anyOf(json: JsonObject): Any {
  return fromJson(AnySchema, json, { registry });
}
