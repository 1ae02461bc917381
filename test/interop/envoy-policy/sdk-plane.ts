import { fromJson, type JsonObject, type JsonValue } from '@bufbuild/protobuf';
import { type Any, AnySchema } from '@bufbuild/protobuf/wkt';
import { registry } from '../../../sdk/gen/registry.js';
import { createMesh } from '../../../sdk/src/mesh.ts';
import type { CallStory } from '../../../sdk/src/model/events.ts';
import type { FaultServers } from '../../harness/fault-server.ts';
import { createStaticAds, type StaticAds } from '../../harness/static-ads.ts';
import type { Answer, Ask, CallReport, DataPlane, PolicyCase } from './case.ts';
import { headersOf } from './envoy-plane.ts';
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
      return { ...(await callMesh(mesh.fetch, `http://${target}`, { id, ask })), ms: performance.now() - begun };
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
    close: () => mesh.close(),
  };
}

/** Envoy counts the try for which there was no host, or no room. */
function reportOf({ flags, attempts, local }: CallStory): CallReport {
  const last = local && (flags.includes('UH') || (flags.includes('UO') && attempts.at(-1)?.flag !== 'UC'));
  return { flags, tries: attempts.length + (last ? 1 : 0) };
}

function callOf(headers: readonly string[]): string {
  for (let at = 0; at < headers.length; at += 2)
    if (headers[at]?.toLowerCase() === 'x-call') return headers[at + 1] ?? '';
  return '';
}

type Fetch = ReturnType<typeof createMesh>['fetch'];

async function callMesh(
  fetch: Fetch,
  url: string,
  { id, ask }: { readonly id: string; readonly ask: Ask },
): Promise<Omit<Answer, 'ms'>> {
  const { method = 'GET', path = '/', headers = {}, script, scripts = {}, bodyBytes, abortAfterMs } = ask;
  const answer = { status: 0, headers: {} as Record<string, string>, body: '', broken: false };
  try {
    const response = await fetch(url + path, {
      method,
      headers: { host: 'service.test', ...headersOf({ id, script, scripts }), ...headers },
      redirect: 'manual',
      ...(bodyBytes !== undefined && { body: 'x'.repeat(bodyBytes) }),
      signal: AbortSignal.timeout(abortAfterMs ?? LONGEST_MS),
    });
    answer.status = response.status;
    answer.headers = Object.fromEntries(response.headers);
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) answer.body += decoder.decode(chunk, { stream: true });
  } catch {
    answer.broken = true;
  }
  return answer;
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
