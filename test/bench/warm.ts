/** How many calls of a slow caller of many endpoints find a connection that is open: handshakes are what this saves. */
import { createServer } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { createMesh, type Mesh } from '@inmesh/sdk';
import type { Clock } from '@inmesh/sdk/internal/clock';
import { type Guarded, guard } from '@inmesh/sdk/server';
import { createXdsServer, memorySource } from '@inmesh/xds-server';
import type { BenchHow, BenchRow } from './run.ts';
import { NAMESPACE } from './workload-certificates.ts';

const ENDPOINTS = 100;
const PER_SECOND = 10;
/** Longer than any connection is kept idle. */
const WARM_UP_S = 120;
const MEASURED_S = 600;
/** Times as fast as the clock on the wall. */
const SPEED = 20;
const BUDGET = 95;

/** A clock that can be made to run fast, for both ends; timers that were begun before keep their time. */
class FastClock implements Clock {
  #speed = 1;
  #fromMs = performance.now();
  #atMs = this.#fromMs;

  now(): number {
    return this.#atMs + (performance.now() - this.#fromMs) * this.#speed;
  }

  wallTime(): number {
    return Date.now();
  }

  after(ms: number, run: () => void) {
    const timer = setTimeout(run, Math.min(ms / this.#speed, 2 ** 31 - 1)).unref();
    return { cancel: () => clearTimeout(timer) };
  }

  speedUp(speed: number): void {
    this.#atMs = this.now();
    this.#fromMs = performance.now();
    this.#speed = speed;
  }
}

const STRICT = `
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: ${NAMESPACE} }
spec: { mtls: { mode: STRICT } }
`;

const serviceAt = (ports: readonly number[]): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: many, namespace: ${NAMESPACE} }
spec:
  hosts: [many.example]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints:${ports
    .map(
      (port) => `
  - address: 127.0.0.1
    ports: { http: ${port} }
    labels: { security.istio.io/tlsMode: istio }
    serviceAccount: many`,
    )
    .join('')}
`;

interface Many {
  readonly ports: readonly number[];
  readonly counts: { connections: number };
  close(): Promise<void>;
}

async function startMany(mesh: Mesh): Promise<Many> {
  const counts = { connections: 0 };
  const start = async (): Promise<readonly [Guarded, number]> => {
    const app = createServer((_, response) => response.end('ok')).on('connection', () => counts.connections++);
    const guarded = guard(app, { mesh, configTimeoutMs: 60_000 });
    return [guarded, (await guarded.listen({ port: 0, host: '127.0.0.1' })).port];
  };
  const all = await Promise.all(Array.from({ length: ENDPOINTS }, start));
  return {
    ports: all.map(([, port]) => port),
    counts,
    async close() {
      await Promise.all(all.map(([guarded]) => guarded.close({ graceMs: 0 })));
    },
  };
}

/** One call after the other has begun, at random times, whether or not the ones before have ended. */
async function callFor(seconds: number, clock: Clock, mesh: Mesh): Promise<number> {
  const calls: Promise<unknown>[] = [];
  const untilMs = clock.now() + 1_000 * seconds;
  let nextMs = clock.now();
  while (nextMs < untilMs) {
    await delay(Math.max(0, (nextMs - clock.now()) / SPEED));
    calls.push(mesh.fetch('http://many.example/').then((response) => response.arrayBuffer()));
    nextMs += (-Math.log(1 - Math.random()) * 1_000) / PER_SECOND;
  }
  await Promise.all(calls);
  return calls.length;
}

export async function warmShare({ isQuick }: BenchHow): Promise<BenchRow[]> {
  const clock = new FastClock();
  const source = memorySource(STRICT);
  const server = createXdsServer({ source });
  const meshOf = (serviceAccount: string): Mesh => {
    const transport = server.transport({ namespace: NAMESPACE, serviceAccount });
    return createMesh({ transport, workload: serviceAccount, configTimeoutMs: 60_000 }, { env: {}, clock });
  };
  const [owner, caller] = [meshOf('many'), meshOf('web')];
  const many = await startMany(owner);
  source.apply(serviceAt(many.ports));
  await server.settled();
  await (await caller.fetch('http://many.example/')).arrayBuffer();
  clock.speedUp(SPEED);
  await callFor(isQuick ? 20 : WARM_UP_S, clock, caller);
  const before = many.counts.connections;
  const seconds = isQuick ? 10 : MEASURED_S;
  const calls = await callFor(seconds, clock, caller);
  const cold = many.counts.connections - before;
  clock.speedUp(1);
  await caller.close();
  await many.close();
  await owner.close();
  await server.close();
  return [
    {
      name: `calls on a warm connection: ${PER_SECOND} req/s over ${ENDPOINTS} guarded endpoints`,
      value: 100 * (1 - cold / calls),
      unit: '%',
      note: `${cold} handshakes, ${calls} calls in ${seconds} s of a clock that runs ${SPEED} times as fast, at random times; budget ≥ ${BUDGET}`,
    },
  ];
}
