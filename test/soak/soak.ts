import { setTimeout as sleep } from 'node:timers/promises';
import { createMesh, type Mesh } from '@inmesh/sdk';
import { type Origin, startOrigin } from '../harness/test-mesh.ts';
import { ControlPlane } from './control-plane.ts';

export interface SoakOptions {
  readonly calls: number;
  readonly pushesPerSecond: number;
  /** The control plane is killed this often, and is away for a fifth of it. */
  readonly killEveryMs: number;
}

export interface SoakReport {
  readonly calls: number;
  readonly seconds: number;
  readonly pushes: number;
  readonly kills: number;
  readonly swaps: number;
  readonly answers: Readonly<Record<string, number>>;
  /** Empty is the only good answer. */
  readonly failures: readonly string[];
}

const VERSIONS = ['v1', 'v2', 'v3'];
const CALLERS = 16;
/** More say no more. */
const MOST_FAILURES = 20;

/** Other subset names and weights each time: routes, clusters and endpoints change together. */
function rules(edit: number): string {
  const subsets = VERSIONS.map((version) => ({ name: `${version}-${edit % 5}`, version }));
  const weights = [34 + (edit % 30), 33, 33 - (edit % 30)];
  const destination = (name: string) => `destination: { host: echo, subset: ${name} }`;
  return `apiVersion: v1
kind: Service
metadata: { name: echo }
spec: { ports: [{ name: http, port: 8080 }], selector: { app: echo } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: echo }
spec:
  host: echo
  subsets: [${subsets.map(({ name, version }) => `{ name: ${name}, labels: { version: ${version} } }`).join(', ')}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: echo }
spec:
  hosts: [echo]
  http: [{ route: [${subsets.map(({ name }, at) => `{ ${destination(name)}, weight: ${weights[at]} }`).join(', ')}] }]
`;
}

/** Calls through everything a control plane does to its clients: pushes, deaths, returns. None may fail. */
export async function soak({ calls, pushesPerSecond, killEveryMs }: SoakOptions): Promise<SoakReport> {
  await using control = new ControlPlane();
  control.write(rules(0));
  await control.start();
  await using world = await join(control.xds);
  const counts = { pushes: 0, kills: 0, swaps: 0 };
  world.caller.on(({ kind }) => {
    if (kind === 'config-swapped') counts.swaps += 1;
  });
  const pushing = setInterval(() => control.write(rules(++counts.pushes)), 1_000 / pushesPerSecond);
  const over = new AbortController();
  const killing = (async () => {
    while (await wait(killEveryMs * 0.8, over.signal)) {
      await control.kill();
      counts.kills += 1;
      await wait(killEveryMs * 0.2, over.signal);
      await control.start();
    }
  })();
  const startMs = performance.now();
  const { answers, failures } = await call(world.caller, calls);
  const seconds = (performance.now() - startMs) / 1_000;
  clearInterval(pushing);
  over.abort();
  await killing;
  return { calls, seconds, ...counts, answers: Object.fromEntries(answers), failures };
}

/** False once it is over. */
const wait = (ms: number, signal: AbortSignal): Promise<boolean> =>
  sleep(ms, undefined, { signal }).then(
    () => true,
    () => false,
  );

async function call(mesh: Mesh, calls: number) {
  const answers = new Map<string, number>();
  const failures: string[] = [];
  let made = 0;
  const caller = async (): Promise<void> => {
    while (made++ < calls && failures.length < MOST_FAILURES) {
      try {
        const response = await mesh.fetch('http://echo:8080/');
        const body = await response.text();
        if (response.status === 200) answers.set(body, (answers.get(body) ?? 0) + 1);
        else failures.push(`call ${made}: ${response.status} ${body}`);
      } catch (error) {
        failures.push(`call ${made}: ${String(error)}`);
      }
      if (made % 64 === 0) await sleep(5);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, caller));
  return { answers, failures };
}

async function join(xds: string) {
  const origins: Origin[] = [];
  const meshes: Mesh[] = [];
  for (const version of VERSIONS) {
    const origin = await startOrigin((_, response) => response.end(version));
    origin.server.keepAliveTimeout = 75_000;
    const member = createMesh({ xds, workload: `echo-${version}` });
    member.register({ service: 'echo', port: origin.port, version, labels: { app: 'echo', version } });
    origins.push(origin);
    meshes.push(member);
  }
  const caller = createMesh({ xds, workload: 'caller' });
  meshes.push(caller);
  await caller.ready({ hosts: ['echo:8080'], timeoutMs: 10_000 });
  for (const seen = new Set<string>(); seen.size < VERSIONS.length; await sleep(20)) {
    const response = await caller.fetch('http://echo:8080/');
    const body = await response.text();
    if (response.status === 200) seen.add(body);
  }
  return {
    caller,
    async [Symbol.asyncDispose]() {
      for (const mesh of meshes) await mesh.close();
      for (const origin of origins) await origin.close();
    },
  };
}
