import { setTimeout as delay } from 'node:timers/promises';
import { collapsed } from '../../harness/collapsed.ts';
import type { ControlPlane } from '../control-plane-go/control-plane.ts';
import { missedTime, sharesLine } from './bounds.ts';
import { type Ask, type GrpcCase, type Served, type Step, TARGET } from './case.ts';
import type { Certificates } from './certificates.ts';
import type { ClientKind, GrpcChannel, GrpcClient, Reply } from './clients.ts';
import type { Hosts, Seen } from './hosts.ts';
import { addedUp, isSettled, refusedTypes, streamsOf } from './journal.ts';
import { resourcesOf } from './resources.ts';

/** What a client did in a case. */
export interface Outcome {
  /** One line a call or look, equal neighbours once; the last says which types it refused. */
  readonly lines: readonly string[];
  /** Why it could not be played. */
  readonly missed: readonly string[];
  /** What it said when it refused. */
  readonly refusals: readonly string[];
}

/** One client in one case. */
export interface Scene {
  readonly one: GrpcCase;
  readonly kind: ClientKind | 'fetch' | 'sotw';
  /** Its name at the control plane. */
  readonly group: string;
  readonly plane: ControlPlane;
  readonly hosts: Hosts;
  readonly certificates: Certificates;
}

export async function play(scene: Scene, client: GrpcClient): Promise<Outcome> {
  const { one, plane, hosts, group } = scene;
  await plane.serve(resourcesOf(one, one, hosts.ports), group);
  if (one.loadsOf) await plane.askLoads({ intervalMs: 500, clusters: one.loadsOf }, group);
  const channel = await client.open({
    bootstrap: bootstrapOf(scene),
    target: one.target ?? `xds:///${TARGET}`,
    tls: one.tls === true,
  });
  const stage = new Stage(scene, channel);
  try {
    for (const step of one.steps) await stage.take(step);
    return await stage.outcome();
  } finally {
    await channel.close();
  }
}

const bootstrapOf = ({ one, plane, group, certificates }: Scene) => ({
  xds_servers: [
    { server_uri: plane.xds, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'], ...one.server },
  ],
  node: { id: `${group}/client`, cluster: 'test', locality: { region: 'here' }, metadata: {} },
  certificate_providers: certificates.providers,
  ...one.bootstrap,
});

const DEADLINE_MS = 15_000;

interface Made extends Reply {
  readonly ms: number;
  readonly reached: readonly string[];
  readonly timeoutMs: number;
}

class Stage {
  readonly #scene: Scene;
  readonly #channel: GrpcChannel;
  readonly #told: (string | Promise<readonly string[]>)[] = [];
  #served: Served;
  #calls = 0;

  constructor(scene: Scene, channel: GrpcChannel) {
    this.#scene = scene;
    this.#channel = channel;
    this.#served = scene.one;
  }

  async take(step: Step): Promise<void> {
    if ('waitMs' in step) await delay(step.waitMs);
    else if ('serve' in step) await this.#serve({ ...this.#served, ...step.serve });
    else if ('restore' in step) await this.#serve(this.#scene.one);
    else if ('drop' in step) await this.#drop();
    else if ('loads' in step) this.#told.push(await this.#loads(step.loads));
    else if (step.until !== undefined) this.#told.push(await this.#until(step, step.until));
    else {
      const lines = this.#ask(step);
      this.#told.push(lines);
      if (!step.background) await lines;
    }
  }

  async outcome(): Promise<Outcome> {
    const lines = (await Promise.all(this.#told)).flat();
    await this.#settle();
    const { plane, group, one } = this.#scene;
    const nacks = await plane.nacks(group);
    const refused = one.ignoresNacks ? '' : refusedTypes(nacks);
    const refusals = [...new Set(nacks.map(({ error }) => error?.message ?? ''))];
    return {
      lines: [...collapsed(lines), ...(refused === '' ? [] : [`refuses ${refused}`])],
      missed: [],
      refusals,
    };
  }

  async #serve(served: Served): Promise<void> {
    const { one, plane, hosts, group } = this.#scene;
    this.#served = served;
    await plane.serve(resourcesOf(one, served, hosts.ports), group);
    await this.#settle();
  }

  /** Everything that was sent has been answered, and nothing new has come of it. */
  async #settle(): Promise<void> {
    const { plane, group } = this.#scene;
    for (let left = 30, calm = 0; left > 0 && calm < 3; left--) {
      await delay(50);
      calm = isSettled(await plane.journal(group)) ? calm + 1 : 0;
    }
  }

  async #drop(): Promise<void> {
    const { plane, group } = this.#scene;
    const before = streamsOf(await plane.journal(group));
    await plane.drop(group);
    for (let left = 200; left > 0 && streamsOf(await plane.journal(group)) === before; left--) await delay(50);
    await this.#settle();
  }

  async #loads(calls: number): Promise<string> {
    const { plane, group } = this.#scene;
    for (let left = 50; left > 0; left--) {
      const sums = addedUp(await plane.journal(group));
      if (sums.ended >= calls) return `loads: ${sums.text}`;
      await delay(100);
    }
    return `loads: ${addedUp(await plane.journal(group)).text}`;
  }

  async #until(ask: Ask, wanted: string): Promise<string> {
    const begun = performance.now();
    let last = '';
    while (performance.now() - begun < DEADLINE_MS) {
      const made = await this.#make({ timeoutMs: 2_000, ...ask });
      last = lineOf(ask, made);
      if (last === wanted) return `becomes ${wanted}`;
      await delay(100);
    }
    return `does not become ${wanted}: ${last}`;
  }

  async #ask(ask: Ask): Promise<readonly string[]> {
    const { times = 1, atOnce = 1, quiet, share, tell = [] } = ask;
    const made: Made[] = [];
    let begun = 0;
    const next = async (): Promise<void> => {
      while (begun < times) {
        begun++;
        made.push(await this.#make(ask));
      }
    };
    await Promise.all(Array.from({ length: atOnce }, next));
    if (quiet) return [];
    if (share)
      return [
        sharesLine(
          share,
          made.map(({ reached, status }) => (status === 'OK' ? (reached.at(-1) ?? '') : status)),
        ),
      ];
    if (tell.includes('distinct')) {
      const statuses = [...new Set(made.map(({ status }) => status))].sort();
      return [`${statuses.join(' ')}: ${new Set(made.flatMap(({ reached }) => reached)).size} hosts`];
    }
    const lines = made.map((one) => lineOf(ask, one));
    return atOnce > 1 ? lines.sort() : lines;
  }

  async #make(ask: Ask): Promise<Made> {
    const { group, hosts } = this.#scene;
    const id = `${group}/${++this.#calls}`;
    const {
      path = '/test.Echo/Say',
      metadata = [],
      script,
      scripts = {},
      timeoutMs = DEADLINE_MS,
      waitForReady = false,
    } = ask;
    const pairs: (readonly [string, string])[] = [...metadata, ['x-id', id]];
    if (script !== undefined) pairs.push(['x-script', script]);
    for (const [host, own] of Object.entries(scripts)) pairs.push([`x-script-${host}`, own]);
    const begun = performance.now();
    const reply = await this.#channel.call({ path, metadata: pairs, timeoutMs, wait: waitForReady });
    return { ...reply, ms: performance.now() - begun, reached: hosts.reached(id), timeoutMs };
  }
}

/** A call that ended by the caller's own deadline, which is long, has hung. */
function lineOf({ tell = [], sent = [], lastsMs }: Ask, { status, body, ms, reached, timeoutMs }: Made): string {
  const hangs = status === 'DEADLINE_EXCEEDED' && ms >= timeoutMs - 50 && timeoutMs >= 1_000;
  const parts = [hangs ? 'HANGS' : status];
  if (status === 'OK') parts.push(reached.at(-1) ?? '?');
  const missed = missedTime(lastsMs, ms);
  if (missed) parts.push(missed);
  if (tell.includes('attempts')) parts.push(`after ${reached.length} attempts`);
  const { headers } = (body === '' ? { host: '', headers: {} } : JSON.parse(body)) as Seen;
  if (tell.includes('deadline')) parts.push(`${'grpc-timeout' in headers ? 'with' : 'without'} grpc-timeout`);
  if (tell.includes('sent')) {
    parts.push(`{${sent.map((name) => `${name}: ${headers[name] ?? 'none'}`).join(', ')}}`);
  }
  return parts.join(' ');
}
