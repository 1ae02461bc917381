/**
 * A process that holds a mesh's configuration: the SDK's discovery, configuration and upstreams against handwritten
 * resources. `node --expose-gc memory-client.ts SERVICES ENDPOINTS UPDATES IDLE_MS CHANGE` prints one JSON object.
 */
import { setTimeout as delay, setImmediate as turn } from 'node:timers/promises';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { createLiveTargets, type LiveTarget } from '@inmesh/sdk/internal/call/live-target';
import { systemClock, systemRandom } from '@inmesh/sdk/internal/clock';
import { createTargets, type Targets } from '@inmesh/sdk/internal/config/targets';
import { createDiscovery } from '@inmesh/sdk/internal/discovery/discovery';
import type { AdsListener, AdsTransport } from '@inmesh/sdk/internal/discovery/transport';
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from '@inmesh/sdk/internal/gen/discovery';
import { ClusterLoadAssignmentSchema } from '@inmesh/sdk/internal/gen/endpoint';
import type { TargetConfig } from '@inmesh/sdk/internal/model/target';
import { anyOf } from '../harness/scripted-ads.ts';
import { cluster, lbEndpoint, listener, routes, toCluster } from '../harness/xds-resources.ts';
import { type Longest, watchTurns } from './turns.ts';

/** What the process has found out; memory and CPU beside those of the same process with one service held. */
export interface Report {
  readonly heapMb: number;
  /** The same once every service was called. */
  readonly calledMb: number;
  readonly rssMb: number;
  readonly idleCpuPercent: number;
  /** For each change of the first service; the first one meets code that has never run. */
  readonly updates: readonly Longest[];
}

type Any = ReturnType<typeof anyOf>;

const [SERVICES = 1, PER_SERVICE = 10, UPDATES = 0, IDLE_MS = 0] = process.argv.slice(2, 6).map(Number);
/** What changes in an update: the weight or the order of the endpoints, 10,000 routes, routes to 1,000 other clusters. */
const CHANGE = process.argv[6] ?? 'weights';
const ROUTES = 10_000;
const CLUSTERS = 1_000;
/** Targets asked for at a time. */
const BATCH = 50;
const ATTEMPTS = 200;
const ROUNDS_OF_COLLECTION = 5;

const hostOf = (service: number): string => `service-${service}.shop.svc.cluster.local`;
const targetOf = (service: number): string => `${hostOf(service)}:8080`;
const clusterOf = (service: number): string => `outbound|8080||${hostOf(service)}`;

/** Endpoint addresses all differ, as pods' do. */
function assignment(service: number, generation = 0): Any {
  const lbEndpoints = Array.from({ length: PER_SERVICE }, (_, index) => {
    const at = service * PER_SERVICE + index;
    const address = `10.${(at >>> 16) & 255}.${(at >>> 8) & 255}.${at & 255}`;
    return { ...lbEndpoint(address, 8080), loadBalancingWeight: generation === 0 ? 1 : 1 + ((index + generation) % 2) };
  });
  if (CHANGE === 'order' && generation % 2 === 1) lbEndpoints.reverse();
  const endpoints = [{ locality: { region: 'region-1', zone: `zone-${service % 3}` }, lbEndpoints }];
  return anyOf(ClusterLoadAssignmentSchema, { clusterName: clusterOf(service), endpoints });
}

function routesOf(service: number, generation = 0): Any {
  const to = (index: number): number =>
    CHANGE === 'clusters' ? service + index + (generation % 2) * CLUSTERS : service;
  const count = generation === 0 ? 0 : CHANGE === 'clusters' ? CLUSTERS : ROUTES;
  const list = Array.from({ length: count }, (_, index) =>
    toCluster(clusterOf(to(index)), `/items-${generation}/${index}/`),
  );
  return routes(clusterOf(service), ...list, toCluster(clusterOf(service)));
}

function resource(typeUrl: string, name: string): Any {
  const service = Number(/service-(\d+)/.exec(name)?.[1]);
  if (typeUrl.endsWith('Listener')) return listener(name, clusterOf(service));
  if (typeUrl.endsWith('RouteConfiguration')) return routesOf(service);
  if (typeUrl.endsWith('ClusterLoadAssignment')) return assignment(service);
  return cluster(name);
}

let nonce = 0;
const responseOf = (typeUrl: string, list: readonly { name: string; resource: Any }[]): Uint8Array => {
  const version = String(++nonce);
  const resources = list.map((one) => ({ ...one, version }));
  return toBinary(
    DeltaDiscoveryResponseSchema,
    create(DeltaDiscoveryResponseSchema, { typeUrl, nonce: version, resources }),
  );
};

/** A few names a turn: what a control plane does takes no turn of an application. */
async function answer(typeUrl: string, names: readonly string[], on: AdsListener): Promise<void> {
  for (let from = 0; from < names.length; from += BATCH) {
    const list = names.slice(from, from + BATCH).map((name) => ({ name, resource: resource(typeUrl, name) }));
    await turn();
    on.message(responseOf(typeUrl, list));
    await turn();
  }
}

/** Answers every name it is asked for, keeps nothing. */
function createControlPlane(): { readonly transport: AdsTransport; push(bytes: Uint8Array): void } {
  let listenerOf: AdsListener | undefined;
  return {
    push: (bytes) => listenerOf?.message(bytes),
    transport: {
      server: '192.0.2.1:15010',
      open(_method, on) {
        listenerOf = on;
        queueMicrotask(() => on.opened?.());
        return {
          send(bytes) {
            const { typeUrl, resourceNamesSubscribe: names } = fromBinary(DeltaDiscoveryRequestSchema, bytes);
            void answer(typeUrl, names, on);
          },
          close() {},
          ref() {},
          unref() {},
        };
      },
    },
  };
}

const controlPlane = createControlPlane();
const emit = (): void => {};
const live = createLiveTargets({ clock: systemClock, random: systemRandom, emit });
const targets: Targets<LiveTarget> = createTargets({
  discovery: createDiscovery({
    servers: [{ transport: controlPlane.transport }],
    node: { id: 'bench', cluster: 'bench', metadata: {} },
    clock: systemClock,
    random: systemRandom,
    emit,
  }),
  clock: systemClock,
  emit,
  prepare: live.prepare,
  retire: live.retire,
});

/** On a busy machine an answer may come later than a control plane is waited for; the name is still asked for. */
async function warm(service: number): Promise<void> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const state = targets.lookup(targetOf(service));
    const settled = state.kind === 'pending' ? await state.settled : state;
    if (settled.kind === 'ready') return;
    if (settled.kind === 'failed') throw new Error(`${targetOf(service)}: ${settled.reason}`);
    await delay(50);
  }
  throw new Error(`${targetOf(service)} never became ready`);
}

async function warmAll(): Promise<void> {
  for (let from = 1; from < SERVICES; from += BATCH) {
    const count = Math.min(BATCH, SERVICES - from);
    await Promise.all(Array.from({ length: count }, (_, index) => warm(from + index)));
  }
}

async function measureMemory(): Promise<{ readonly heap: number; readonly rss: number }> {
  for (let round = 0; round < ROUNDS_OF_COLLECTION; round++) {
    globalThis.gc?.();
    await delay(50);
  }
  const { heapUsed, external, rss } = process.memoryUsage();
  return { heap: heapUsed + external, rss };
}

function changed(generation: number): Uint8Array {
  const isEndpoints = CHANGE === 'weights' || CHANGE === 'order';
  const typeUrl = isEndpoints ? 'endpoint.v3.ClusterLoadAssignment' : 'route.v3.RouteConfiguration';
  const what = isEndpoints ? assignment(0, generation) : routesOf(0, generation);
  return responseOf(`type.googleapis.com/envoy.config.${typeUrl}`, [{ name: clusterOf(0), resource: what }]);
}

function held(): TargetConfig {
  const state = targets.lookup(targetOf(0));
  if (state.kind !== 'ready') throw new Error('the first service is not held');
  return state.config;
}

/** Something of the service changes; watched until calls go by it. */
async function update(generation: number): Promise<Longest> {
  const bytes = changed(generation);
  const before = held();
  await delay(20);
  const watch = watchTurns();
  controlPlane.push(bytes);
  while (held() === before) await delay(5);
  return watch.stop();
}

/** What is made at the first call: route table, hosts, table. */
function callAll(): void {
  for (let service = 0; service < SERVICES; service++) {
    const state = targets.lookup(targetOf(service));
    if (state.kind !== 'ready') continue;
    state.value.table.domains.any?.routes.at(0);
    const pick = state.value.upstreams.get(clusterOf(service))?.pick({});
    if (pick?.kind === 'pick') pick.release();
  }
}

async function measureIdle(): Promise<number> {
  if (IDLE_MS === 0) return 0;
  const start = process.cpuUsage();
  await delay(IDLE_MS);
  const { user, system } = process.cpuUsage(start);
  return (100 * (user + system)) / 1000 / IDLE_MS;
}

await warm(0);
const before = await measureMemory();
await warmAll();
const after = await measureMemory();
const idleCpuPercent = await measureIdle();
const updates: Longest[] = [];
for (let generation = 1; generation <= UPDATES; generation++) updates.push(await update(generation));
callAll();
const called = await measureMemory();
const report: Report = {
  heapMb: (after.heap - before.heap) / 1e6,
  calledMb: (called.heap - before.heap) / 1e6,
  rssMb: (after.rss - before.rss) / 1e6,
  idleCpuPercent,
  updates,
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit());
