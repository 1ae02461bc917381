import { setTimeout as sleep } from 'node:timers/promises';
import { createMesh, type Mesh } from '@inmesh/sdk';
import { type Clock, systemClock } from '@inmesh/sdk/internal/clock';
import { createXdsServer, memorySource } from '@inmesh/xds-server';
import { seededRandom } from '../../harness/seeded-random.ts';
import { callOnce, STAGES } from './call.ts';
import { aliveMb, growth } from './heap.ts';
import { held } from './held.ts';
import { removed, rules } from './rules.ts';
import { startUpstreams, type Upstreams } from './upstreams.ts';

export interface FaultSoakOptions {
  readonly requests: number;
  /** How many times faster the mesh's time passes. */
  readonly timeFactor?: number;
  readonly callers?: number;
  readonly seed?: number;
}

export interface FaultSoakReport {
  readonly requests: number;
  readonly arrived: number;
  readonly seconds: number;
  readonly pushes: number;
  readonly answers: Readonly<Record<string, number>>;
  readonly heap: { readonly firstMb: number; readonly lastMb: number; readonly samples: readonly number[] };
  /** Empty is the only good answer. */
  readonly failures: readonly string[];
}

const SAMPLES = 30;
const PUSH_EVERY_MS = 200;
/** No call may take longer: each has a timeout of 3 s of the mesh's time. */
const HUNG_MS = 20_000;
/** For what is still under way beside the calls: mirrored requests, hedges, drains. */
const QUIET_MS = 20_000;
/** As much more may be alive in the last third as in the first. */
const ALLOWED_GROWTH = { share: 0.05, mb: 2 };

/**
 * Calls of every kind to upstreams that fail in every way, through edits of endpoints, routes and clusters. Whatever
 * becomes of the calls: nothing may be left of them.
 */
export async function soakFaults(options: FaultSoakOptions): Promise<FaultSoakReport> {
  const { requests, timeFactor = 10, callers = 64, seed = 1 } = options;
  const failures: string[] = [];
  const onRejection = (reason: unknown): void => {
    failures.push(`unhandled rejection: ${reason instanceof Error ? reason.stack : String(reason)}`);
  };
  process.on('unhandledRejection', onRejection);
  await using upstreams = await startUpstreams();
  const before = resources();
  const startMs = performance.now();
  const world = await startWorld(upstreams, timeFactor);
  const load = new Load(world.mesh, requests, seed);
  for (const stage of STAGES) await load.stage(stage, 40);
  failures.push(...(await leftovers('after calls given up at each stage')));
  await load.run(callers);
  failures.push(...load.failures, ...(await leftovers('after the calls')), ...grown(load.samples));
  const { arrived } = { arrived: (await upstreams.counts()).requests };
  await world.close();
  failures.push(...(await unclosed(upstreams, before)));
  process.off('unhandledRejection', onRejection);
  return {
    requests: load.made,
    arrived,
    seconds: (performance.now() - startMs) / 1_000,
    pushes: world.pushes(),
    answers: Object.fromEntries([...load.answers].sort(([, a], [, b]) => b - a)),
    heap: { ...growth(load.samples), samples: load.samples.map((mb) => Math.round(mb * 10) / 10) },
    failures,
  };
}

async function startWorld(upstreams: Upstreams, timeFactor: number) {
  const source = memorySource();
  const server = createXdsServer({ source });
  let edit = 0;
  const push = (): void => {
    const wrong = source.apply(rules(upstreams.ports, edit)).filter(({ severity }) => severity === 'error');
    if (wrong.length > 0) throw new Error(JSON.stringify(wrong));
    for (const key of removed(edit)) source.delete(key);
    edit++;
  };
  push();
  await server.start();
  const pushing = setInterval(push, PUSH_EVERY_MS);
  const identity = { transport: server.transport(), workload: 'soak', outboundPolicy: 'REGISTRY_ONLY' } as const;
  const mesh = createMesh(identity, { env: {}, clock: compressed(timeFactor) });
  await mesh.ready({ hosts: ['one', 'two', 'copies'], timeoutMs: 60_000 });
  return {
    mesh,
    pushes: () => edit,
    async close() {
      clearInterval(pushing);
      await mesh.close();
      await server.close();
    },
  };
}

/** Time that passes so many times faster. */
const compressed = (factor: number): Clock => ({
  now: () => performance.now() * factor,
  wallTime: () => Date.now(),
  after: (ms, run) => systemClock.after(ms / factor, run),
});

/** The calls, so many at a time. */
class Load {
  readonly answers = new Map<string, number>();
  readonly samples: number[] = [];
  readonly failures: string[] = [];
  made = 0;
  readonly #mesh: Mesh;
  readonly #requests: number;
  readonly #random;
  /** By number: since when, and what it is. */
  readonly #underWay = new Map<number, { readonly sinceMs: number; kind: string }>();

  constructor(mesh: Mesh, requests: number, seed: number) {
    this.#mesh = mesh;
    this.#requests = requests;
    this.#random = seededRandom(seed);
  }

  async stage(stage: (typeof STAGES)[number], calls: number): Promise<void> {
    await this.#watched(Promise.all(Array.from({ length: calls }, () => this.#one(stage))));
  }

  /** In stretches: what is alive is looked at while no call is under way. */
  async run(callers: number): Promise<void> {
    const stretch = Math.max(Math.floor(this.#requests / SAMPLES), 1);
    await this.#sample();
    while (this.made < this.#requests && this.failures.length === 0) {
      const until = Math.min(this.made + stretch, this.#requests);
      const caller = async (): Promise<void> => {
        while (this.made < until && this.failures.length === 0) await this.#one();
      };
      await this.#watched(Promise.all(Array.from({ length: callers }, caller)));
      this.failures.push(...(await leftovers('between the calls')));
      await this.#sample();
    }
  }

  async #sample(): Promise<void> {
    this.samples.push(await aliveMb());
  }

  async #one(stage?: (typeof STAGES)[number]): Promise<void> {
    const number = this.made++;
    const entry = { sinceMs: performance.now(), kind: '' };
    this.#underWay.set(number, entry);
    const ended = await callOnce(this.#mesh, {
      number,
      random: this.#random,
      stage,
      tell: (kind) => (entry.kind = kind),
    });
    this.#underWay.delete(number);
    this.answers.set(ended, (this.answers.get(ended) ?? 0) + 1);
  }

  /** Resolves as well when a call does not end. */
  async #watched(calls: Promise<unknown>): Promise<void> {
    const { promise: hung, resolve } = Promise.withResolvers<void>();
    const watching = setInterval(() => {
      const [first] = this.#underWay;
      if (first === undefined || performance.now() - first[1].sinceMs < HUNG_MS) return;
      this.failures.push(`call ${first[0]} (${first[1].kind}) has not ended after ${HUNG_MS} ms`);
      resolve();
    }, 1_000);
    await Promise.race([calls, hung]);
    clearInterval(watching);
  }
}

/** What is lent while nobody calls; connections may stay. */
async function leftovers(when: string): Promise<string[]> {
  const untilMs = performance.now() + QUIET_MS;
  while (held.Pending !== 0 || held.Request !== 0 || held.Retry !== 0) {
    if (performance.now() > untilMs) return [`${when}: ${JSON.stringify(held)} are not given back`];
    await sleep(50);
  }
  return [];
}

function grown(samples: readonly number[]): string[] {
  const { firstMb, lastMb } = growth(samples);
  if (lastMb <= firstMb * (1 + ALLOWED_GROWTH.share) + ALLOWED_GROWTH.mb) return [];
  return [`the heap grew from ${firstMb.toFixed(1)} MB in the first third to ${lastMb.toFixed(1)} MB in the last`];
}

/** Sockets, timers and their like that this thread has, by kind. */
function resources(): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) counts.set(kind, (counts.get(kind) ?? 0) + 1);
  return counts;
}

/** What is left once all is closed. */
async function unclosed(upstreams: Upstreams, before: ReadonlyMap<string, number>): Promise<string[]> {
  const untilMs = performance.now() + QUIET_MS;
  for (;;) {
    const left = [...resources()].filter(([kind, count]) => count > (before.get(kind) ?? 0));
    const { open } = await upstreams.counts();
    if (left.length === 0 && open.length === 0 && held.Connection === 0) return [];
    if (performance.now() > untilMs) {
      return [
        `after the end: ${left.map(([kind, count]) => `${count} ${kind}`).join(', ')}; open at ${open.join(', ')}, ${held.Connection} counted`,
      ];
    }
    await sleep(50);
  }
}
