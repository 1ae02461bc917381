import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createMesh, type Mesh } from '../../../sdk/src/mesh.ts';
import type { MeshEvent } from '../../../sdk/src/model/events.ts';
import type { XdsServer } from '../../../xds-server/src/embedded/api.ts';
import { createXdsServer } from '../../../xds-server/src/embedded.ts';
import { memorySource } from '../../../xds-server/src/source/memory.ts';
import { type Origin, startOrigin } from '../../harness/test-mesh.ts';

/** Two control planes that know the same service by different endpoints, so that an answer tells which one is listened to. */
const yaml = (port: number) => `apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: echo }
spec:
  hosts: [echo, other]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ name: http, number: 80, protocol: HTTP }]
  endpoints: [{ address: 127.0.0.1, ports: { http: ${port} } }]
`;

class ControlPlane {
  xds = '127.0.0.1:0';
  readonly #yaml: string;
  #server: XdsServer | undefined;

  constructor(origin: Origin) {
    this.#yaml = yaml(origin.port);
  }

  async start(): Promise<void> {
    this.#server = createXdsServer({ source: memorySource(this.#yaml) });
    this.xds = (await this.#server.listen({ xds: this.xds })).xds;
  }

  async stop(): Promise<void> {
    await this.#server?.close();
    this.#server = undefined;
  }
}

describe('two control planes, killed and started again under calls (gRFC A71)', () => {
  const origins: Origin[] = [];
  const planes: ControlPlane[] = [];
  const events: MeshEvent[] = [];
  let mesh: Mesh;

  beforeEach(async () => {
    events.length = 0;
    for (const name of ['first', 'second']) {
      const origin = await startOrigin((_, response) => response.end(name));
      origins.push(origin);
      const plane = new ControlPlane(origin);
      await plane.start();
      planes.push(plane);
    }
  });
  afterEach(async () => {
    await mesh.close();
    for (const plane of planes.splice(0)) await plane.stop();
    for (const origin of origins.splice(0)) await origin.close();
  });

  const join = (): void => {
    mesh = createMesh({ xds: planes.map(({ xds }) => xds), workload: 'caller' }, { env: {} });
    mesh.on((event) => events.push(event));
  };
  const ask = async (host = 'echo'): Promise<string> => {
    const response = await mesh.fetch(`http://${host}/`);
    return `${response.status} ${await response.text()}`;
  };
  const plane = (index: number): ControlPlane => {
    const found = planes[index];
    if (found === undefined) throw new Error('there are two');
    return found;
  };
  const used = async () => (await mesh.csds()).servers?.find(({ isUsed }) => isUsed)?.server;

  it('starts with the second while the first is down, and goes back to the first', async () => {
    await plane(0).stop();
    join();
    expect(await ask()).toBe('200 second');
    await plane(0).start();
    await expect.poll(() => ask(), { timeout: 10_000 }).toBe('200 first');
    expect(await used()).toBe(plane(0).xds);
    expect(events.flatMap((event) => (event.kind === 'xds-switched' ? event.server : []))).toEqual([
      plane(1).xds,
      plane(0).xds,
    ]);
  });

  it('stays with what it knows when the first dies, asks the second for what is new, then has all from the second', async () => {
    join();
    expect(await ask()).toBe('200 first');
    await plane(0).stop();
    await sleep(400);
    expect(await ask()).toBe('200 first');
    expect(await used()).toBe(plane(0).xds);
    expect(await ask('other')).toBe('200 second');
    await expect.poll(() => ask()).toBe('200 second');
    expect(await used()).toBe(plane(1).xds);
  });

  it('no call fails through deaths of both, in turns and together', async () => {
    join();
    const answers = new Map<string, number>();
    let isOver = false;
    const caller = async (): Promise<void> => {
      while (!isOver) {
        const answer = await ask().catch(String);
        answers.set(answer, (answers.get(answer) ?? 0) + 1);
        await sleep(1);
      }
    };
    await ask();
    const callers = Promise.all(Array.from({ length: 4 }, caller));
    const unknown = ['other:80', 'other'];
    for (const [at, deaths] of [[0], [1], [0, 1], [1, 0], [0]].entries()) {
      for (const index of deaths) await plane(index).stop();
      // Something that nobody has sent yet makes it look further.
      void ask(unknown[at % 2]).catch(() => {});
      await sleep(300);
      for (const index of deaths) {
        await plane(index).start();
        await sleep(300);
      }
      await sleep(700);
    }
    isOver = true;
    await callers;
    expect([...answers.keys()].filter((answer) => !answer.startsWith('200 '))).toEqual([]);
    await expect.poll(() => ask(), { timeout: 10_000 }).toBe('200 first');
  }, 30_000);
});
