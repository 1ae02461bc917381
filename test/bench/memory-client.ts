/**
 * A process that holds a mesh's configuration: the SDK's discovery, configuration and upstreams against handwritten
 * resources. `node --expose-gc memory-client.ts SERVICES ENDPOINTS UPDATES IDLE_MS` prints one JSON object.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { createLiveTargets, type LiveTarget } from '@inmesh/sdk/internal/call/live-target';
import { systemClock, systemRandom } from '@inmesh/sdk/internal/clock';
import { createTargets, type Targets } from '@inmesh/sdk/internal/config/targets';
import { createDiscovery } from '@inmesh/sdk/internal/discovery/discovery';
import type { AdsListener, AdsTransport } from '@inmesh/sdk/internal/discovery/transport';
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from '@inmesh/sdk/internal/gen/discovery';
import { ClusterLoadAssignmentSchema } from '@inmesh/sdk/internal/gen/endpoint';
import { anyOf } from '../harness/scripted-ads.ts';
import { cluster, lbEndpoint, listener, routes, toCluster } from '../harness/xds-resources.ts';
import { type Longest, watchTurns } from './turns.ts';

/** What the process has found out; memory and CPU beside those of the same process with one service held. */
export interface Report {
  readonly heapMb: number;
  readonly rssMb: number;
  readonly idleCpuPercent: number;
  /** For each update of the endpoints of the first service; the first one meets code that has never run. */
  readonly updates: readonly Longest[];
}

type Any = ReturnType<typeof anyOf>;

const [SERVICES = 1, PER_SERVICE = 10, UPDATES = 0, IDLE_MS = 0] = process.argv.slice(2).map(Number);
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
  const endpoints = [{ locality: { region: 'region-1', zone: `zone-${service % 3}` }, lbEndpoints }];
  return anyOf(ClusterLoadAssignmentSchema, { clusterName: clusterOf(service), endpoints });
}

function resource(typeUrl: string, name: string): Any {
  const service = Number(/service-(\d+)/.exec(name)?.[1]);
  if (typeUrl.endsWith('Listener')) return listener(name, clusterOf(service));
  if (typeUrl.endsWith('RouteConfiguration')) return routes(name, toCluster(clusterOf(service)));
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
            if (names.length === 0) return;
            const list = names.map((name) => ({ name, resource: resource(typeUrl, name) }));
            queueMicrotask(() => on.message(responseOf(typeUrl, list)));
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

/** Every second endpoint of the service gets another weight; watched until picks go by it. */
async function update(generation: number): Promise<Longest> {
  const bytes = responseOf('type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment', [
    { name: clusterOf(0), resource: assignment(0, generation) },
  ]);
  const changed = live.upstreams.get(clusterOf(0));
  if (changed === undefined) throw new Error('the first service is not held');
  const before = changed.config();
  await delay(20);
  const watch = watchTurns();
  controlPlane.push(bytes);
  while (changed.config() === before) await delay(5);
  await changed.prepare();
  return watch.stop();
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
const report: Report = {
  heapMb: (after.heap - before.heap) / 1e6,
  rssMb: (after.rss - before.rss) / 1e6,
  idleCpuPercent,
  updates,
};
process.stdout.write(`${JSON.stringify(report)}\n`, () => process.exit());
