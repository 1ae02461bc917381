import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type FaultServerOptions, startFaultServers } from '../../harness/fault-server.ts';
import { rules, service, world } from '../sdk/world.ts';

/** How many sockets this process has begun to connect. */
let dials = 0;
const onDial = (): void => {
  dials++;
};
beforeEach(() => {
  dials = 0;
  subscribe('net.client.socket', onDial);
});
afterEach(() => {
  unsubscribe('net.client.socket', onDial);
});

const CALLS = 200;
const REFUSES: FaultServerOptions = { name: 'dead', connections: 'refuse' };

/** Three endpoints that refuse connections, one rule. */
async function deadWorld(rule: string, policy = '') {
  const group = await startFaultServers([REFUSES, REFUSES, REFUSES]);
  const ports = Object.fromEntries(group.servers.map(({ port }, index) => [`v${index}`, port]));
  const http = `- route: [{ destination: { host: dead } }]\n${rule}`;
  const w = await world(`${service('dead', ports)}${rules('dead', http)}${policy}`);
  await w.test.settled();
  dials = 0;
  return w;
}

interface Seen {
  readonly answers: readonly string[];
  readonly mostAttempts: number;
  readonly attempts: number;
}

async function callAll(mesh: { fetch: typeof fetch }, isConcurrent: boolean): Promise<Seen> {
  const answers = new Set<string>();
  const counts: number[] = [];
  const call = async (): Promise<void> => {
    const response = (await mesh.fetch('http://dead/')) as Response & { mesh?: { flags: string[]; attempts: [] } };
    await response.text();
    answers.add(`${response.status} ${response.mesh?.flags[0]}`);
    counts.push(response.mesh?.attempts.length ?? 0);
  };
  if (isConcurrent) await Promise.all(Array.from({ length: CALLS }, call));
  else for (let n = 0; n < CALLS; n++) await call();
  const attempts = counts.reduce((sum, count) => sum + count, 0);
  return { answers: [...answers], mostAttempts: Math.max(...counts), attempts };
}

describe('every endpoint refuses connections', () => {
  it.each([
    ['one after the other', false],
    ['at once', true],
  ])(
    '%s: each call is answered 503 UF after at most the three attempts that are due, one dial each',
    async (_, isConcurrent) => {
      await using w = await deadWorld('');
      const { answers, mostAttempts, attempts } = await callAll(w.mesh as never, isConcurrent);
      expect(answers).toEqual(['503 UF']);
      expect(mostAttempts).toBeLessThanOrEqual(3);
      expect(dials).toBe(attempts);
    },
  );

  it('ten retries asked for: eleven attempts, no more dials', async () => {
    await using w = await deadWorld('  retries: { attempts: 10, retryOn: connect-failure, backoff: 1ms }');
    const { mostAttempts, attempts } = await callAll(w.mesh as never, false);
    expect(mostAttempts).toBeLessThanOrEqual(11);
    expect(dials).toBe(attempts);
  });

  it('nothing goes on dialling once the calls are answered', async () => {
    await using w = await deadWorld('');
    await callAll(w.mesh as never, true);
    const before = dials;
    await sleep(200);
    expect(dials).toBe(before);
  });
});

describe('there is no endpoint', () => {
  it('each call is answered 503 UH without a dial', async () => {
    await using w = await world(service('dead', {}));
    await w.test.settled();
    dials = 0;
    const { answers, attempts } = await callAll(w.mesh as never, true);
    expect([answers, attempts, dials]).toEqual([['503 UH'], 0, 0]);
  });
});
