/**
 * One control plane, 1,000 in-process delta streams on 1,000 services: what a change costs until its last client has it. A process
 * of its own, told `plaintext` or `identity` (with a CA, clients that have proven who they are, and clusters that ask for mTLS).
 */
import { create, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { BinaryReader } from '@bufbuild/protobuf/wire';
import type { AdsStream, AdsTransport } from '@inmesh/sdk/internal/discovery/transport';
import { DeltaDiscoveryRequestSchema } from '@inmesh/sdk/internal/gen/discovery';
import { type ChangeEvent, createXdsServer, type Source, type SourceObserver } from '@inmesh/xds-server';
import { parseText } from '../../xds-server/src/schema/parse.ts';
import {
  CLUSTER_TYPE,
  ENDPOINT_TYPE,
  LISTENER_TYPE,
  ROUTE_TYPE,
} from '../../xds-server/src/translate/resource-types.ts';
import type { BenchRow } from './run.ts';

const SERVICES = 1_000;
const NAMESPACES = 10;
const CLIENTS = 1_000;
/** Of its own; the one that changes is held by every client besides. */
const OWN = 10;
const ENDPOINTS = 10;
const ROUNDS = 30;
const PAUSE_MS = 100;
const LONGEST_MS = 50_000;

const CHANGED = 0;
const namespaceOf = (service: number): string => `team-${service % NAMESPACES}`;
const hostOf = (service: number): string => `service-${service}.${namespaceOf(service)}.svc.cluster.local`;

function endpointsYaml(service: number, round = 0): string {
  // The first one is another in each round.
  const addresses = Array.from({ length: ENDPOINTS }, (_, index) =>
    index === 0 ? `{ip: 10.99.${round >> 8}.${round & 255}}` : `{ip: 10.${service >> 8}.${service & 255}.${index}}`,
  );
  return `apiVersion: v1
kind: Endpoints
metadata: {name: service-${service}, namespace: ${namespaceOf(service)}}
subsets: [{addresses: [${addresses.join(', ')}], ports: [{name: http, port: 8080}]}]
`;
}

const serviceYaml = (service: number): string => `apiVersion: v1
kind: Service
metadata: {name: service-${service}, namespace: ${namespaceOf(service)}}
spec: {ports: [{name: http, port: 80, targetPort: 8080}]}
`;

const routeYaml = (service: number, round = 0): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: service-${service}, namespace: ${namespaceOf(service)}}
spec:
  hosts: [service-${service}]
  http:
    - match: [{headers: {x-round: {exact: "${round}"}}}]
      route: [{destination: {host: service-${service}}}]
    - timeout: 5s
      route: [{destination: {host: service-${service}}}]
`;

/** Every cluster carries its TLS, with the names to expect there. */
const MUTUAL = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: default, namespace: istio-system}
spec: {host: "*.svc.cluster.local", trafficPolicy: {tls: {mode: ISTIO_MUTUAL}}}
`;

/** Change events without a reader of files before them: the clock starts where they do. */
class BenchSource implements Source {
  #on: SourceObserver | undefined;
  readonly #initial: readonly ChangeEvent[];

  constructor(initial: readonly ChangeEvent[]) {
    this.#initial = initial;
  }

  async start(on: SourceObserver): Promise<void> {
    this.#on = on;
    on.change(this.#initial);
  }

  emit(events: readonly ChangeEvent[]): void {
    this.#on?.change(events);
  }

  close(): void {}
}

const eventsOf = (yaml: string): readonly ChangeEvent[] =>
  parseText(yaml, 'bench.yaml').objects.map((object) => ({ kind: 'upsert', object }));

/** A client that acknowledges and counts, and does nothing else: what is measured is the server. */
class BenchClient {
  readonly #stream: AdsStream;
  readonly #onMessage: () => void;
  bytes = 0;
  responses = 0;

  constructor(transport: AdsTransport, index: number, onMessage: () => void) {
    this.#onMessage = onMessage;
    this.#stream = transport.open('delta', { message: (bytes) => this.#message(bytes), close: () => {} });
    const services = [CHANGED, ...Array.from({ length: OWN }, (_, at) => (index * 7 + at * 97 + 1) % SERVICES)];
    const metadata = { INMESH_KIND: 'sdk', NAMESPACE: namespaceOf(index), LABELS: { app: `client-${index}` } };
    for (const [typeUrl, nameOf] of NAMES) {
      const node = typeUrl === LISTENER_TYPE ? { node: { id: `client-${index}`, metadata } } : {};
      this.#stream.send(encode({ typeUrl, resourceNamesSubscribe: services.map(nameOf), ...node }));
    }
  }

  close(): void {
    this.#stream.close();
  }

  #message(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.responses++;
    this.#stream.send(acknowledgement(bytes));
    this.#onMessage();
  }
}

const TYPE_URL = 4;
const NONCE = 5;
const acknowledged = new Map<string, Uint8Array>();

/** Reads past the resources: their cost is another machine's. */
function acknowledgement(bytes: Uint8Array): Uint8Array {
  const reader = new BinaryReader(bytes);
  let typeUrl = '';
  let nonce = '';
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === TYPE_URL) typeUrl = reader.string();
    else if (field === NONCE) nonce = reader.string();
    else reader.skip(wireType);
  }
  const key = `${typeUrl} ${nonce}`;
  let made = acknowledged.get(key);
  if (made === undefined) {
    made = encode({ typeUrl, responseNonce: nonce });
    acknowledged.set(key, made);
  }
  return made;
}

type Request = MessageInitShape<typeof DeltaDiscoveryRequestSchema>;
const encode = (fields: Request): Uint8Array =>
  toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, fields));

const NAMES: readonly (readonly [string, (service: number) => string])[] = [
  [LISTENER_TYPE, (service) => `${hostOf(service)}:80`],
  [ROUTE_TYPE, (service) => `outbound|80||${hostOf(service)}`],
  [CLUSTER_TYPE, (service) => `outbound|80||${hostOf(service)}`],
  [ENDPOINT_TYPE, (service) => `outbound|80||${hostOf(service)}`],
];

interface Push {
  readonly times: readonly number[];
  readonly cpuMs: number;
  readonly stallMs: number;
}

const percentile = (values: readonly number[], share: number): number => {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? Number.NaN;
};

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** One change, until each of the clients has one message more. */
async function push(emit: () => void, arrivals: number[]): Promise<Push> {
  arrivals.length = 0;
  const cpu = process.cpuUsage();
  const start = performance.now();
  let last = start;
  let stallMs = 0;
  emit();
  while (arrivals.length < CLIENTS) {
    await new Promise((resolve) => setImmediate(resolve));
    const now = performance.now();
    stallMs = Math.max(stallMs, now - last);
    last = now;
    if (now - start > 5_000) throw new Error(`only ${arrivals.length} of ${CLIENTS} clients heard of a change`);
  }
  await sleep(20);
  const { user, system } = process.cpuUsage(cpu);
  return { times: arrivals.map((at) => at - start), cpuMs: (user + system) / 1_000, stallMs };
}

function pushRows(what: string, pushes: readonly Push[], bytes: number, budgetMs: number): BenchRow[] {
  const p99 = pushes.map(({ times }) => percentile(times, 0.99));
  const note = `${pushes.length} changes, p99 ${Math.min(...p99).toFixed(1)} to ${Math.max(...p99).toFixed(1)}; budget ${budgetMs}`;
  const median = (values: readonly number[]) => percentile(values, 0.5);
  return [
    { name: `${what}: p50 of ${CLIENTS} clients`, value: median(pushes.map(({ times }) => median(times))), unit: 'ms' },
    { name: `${what}: p99 of ${CLIENTS} clients`, value: median(p99), unit: 'ms', note },
    { name: `${what}: last client`, value: median(pushes.map(({ times }) => Math.max(...times))), unit: 'ms' },
    {
      name: `${what}: CPU`,
      value: median(pushes.map(({ cpuMs }) => cpuMs)),
      unit: 'ms',
      note: 'of the process: the clients, which read and acknowledge, are in it',
    },
    {
      name: `${what}: longest turn`,
      value: Math.max(...pushes.map(({ stallMs }) => stallMs)),
      unit: 'ms',
      note: 'bar 20',
    },
    { name: `${what}: bytes to a client`, value: bytes, unit: 'B', note: 'budget 5,000' },
  ];
}

async function run(hasIdentity: boolean): Promise<BenchRow[]> {
  const until = performance.now() + LONGEST_MS;
  const all = Array.from({ length: SERVICES }, (_, service) =>
    [serviceYaml(service), endpointsYaml(service), ...(service % 10 === 0 ? [routeYaml(service)] : [])].join('---\n'),
  );
  if (hasIdentity) all.push(MUTUAL);
  const source = new BenchSource(eventsOf(all.join('---\n')));
  const server = createXdsServer({ source, plaintext: !hasIdentity });
  await server.start();
  const transportOf = (index: number): AdsTransport =>
    hasIdentity
      ? server.transport({ namespace: namespaceOf(index), serviceAccount: `client-${index}` })
      : server.transport();
  const arrivals: number[] = [];
  const start = performance.now();
  const clients = Array.from(
    { length: CLIENTS },
    (_, index) => new BenchClient(transportOf(index), index, () => arrivals.push(performance.now())),
  );
  while (clients.some(({ responses }) => responses < NAMES.length) && performance.now() < until) await sleep(10);
  await server.settled();
  const startMs = Math.max(...arrivals) - start;
  const startBytes = clients.reduce((sum, { bytes }) => sum + bytes, 0) / CLIENTS;

  const kinds = [
    { what: 'endpoint change', budgetMs: 100, yaml: endpointsYaml },
    { what: 'route change', budgetMs: 300, yaml: routeYaml },
  ];
  const rows: BenchRow[] = [
    {
      name: `start: ${CLIENTS} clients have all`,
      value: startMs,
      unit: 'ms',
      note: `${OWN + 1} of ${SERVICES} services each`,
    },
    { name: 'start: bytes to a client', value: startBytes, unit: 'B', note: 'budget 50,000' },
  ];
  for (const { what, budgetMs, yaml } of kinds) {
    const pushes: Push[] = [];
    const before = clients[0]?.bytes ?? 0;
    for (let round = 1; round <= ROUNDS && performance.now() < until; round++) {
      const events = eventsOf(yaml(CHANGED, round));
      pushes.push(await push(() => source.emit(events), arrivals));
      await sleep(PAUSE_MS);
    }
    rows.push(...pushRows(what, pushes, ((clients[0]?.bytes ?? 0) - before) / pushes.length, budgetMs));
  }
  rows.push({
    name: 'RSS',
    value: process.memoryUsage().rss / 1e6,
    unit: 'MB',
    note: 'of the process, its 1,000 clients included; budget 450',
  });
  for (const client of clients) client.close();
  await server.close();
  return rows;
}

process.send?.(await run(process.argv[2] === 'identity'), () => process.exit());
