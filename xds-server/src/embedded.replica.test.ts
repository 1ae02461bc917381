import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from '@inmesh/sdk/internal/gen/discovery';
import { afterEach, expect, it } from 'vitest';
import { createFakeClock } from '../../test/harness/fake-clock.ts';
import { createXdsServer } from './embedded.ts';
import { memorySource } from './source/memory.ts';
import { LISTENER_TYPE } from './translate/resource-types.ts';

const service = (name: string): string =>
  `apiVersion: v1\nkind: Service\nmetadata: {name: ${name}}\nspec: {ports: [{name: http, port: 80}]}\n`;
const NEWER = `${service('a')}---\n${service('b')}`;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A replica that has read `yaml` when `atMs` had passed; `ask` opens a stream of a client that has seen `revision`. */
async function replica(yaml: string, atMs: number) {
  const clock = createFakeClock();
  clock.stall(atMs);
  const source = memorySource(yaml);
  const server = createXdsServer({ source, clock });
  closers.push(() => server.close());
  const { admin } = await server.listen({ admin: '127.0.0.1:0' });
  return {
    clock,
    source,
    server,
    metric: async (name: string) => {
      const text = await (await fetch(`http://${admin}/metrics`)).text();
      return text.split('\n').find((line) => line.startsWith(`${name} `));
    },
    ask(revision: string) {
      const heard: string[] = [];
      let seen = '';
      const stream = server.transport().open('delta', {
        message(bytes) {
          const { systemVersionInfo, resources, removedResources } = fromBinary(DeltaDiscoveryResponseSchema, bytes);
          seen = systemVersionInfo;
          heard.push(...resources.map(({ name }) => name), ...removedResources.map((name) => `no ${name}`));
        },
        close: () => {},
      });
      closers.push(() => stream.close());
      const metadata = { NAMESPACE: 'default', INMESH_KIND: 'sdk', INMESH_REVISION: revision };
      const fields = { node: { id: 'web', metadata }, typeUrl: LISTENER_TYPE, resourceNamesSubscribe: ['b:80'] };
      stream.send(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, fields)));
      return { heard, seen: () => seen };
    },
  };
}

async function revisionOf(yaml: string, atMs: number): Promise<string> {
  const { ask } = await replica(yaml, atMs);
  const client = ask('');
  await expect.poll(client.seen).not.toBe('');
  return client.seen();
}

it('waits with its first answer for what the client has seen on another replica, and shows that it does', async () => {
  const seen = await revisionOf(NEWER, 60_000);
  const { ask, source, server, clock, metric } = await replica(service('a'), 0);
  const client = ask(seen);
  await expect.poll(() => server.clients().map(({ isWaiting }) => isWaiting)).toEqual([true]);
  expect(await metric('inmesh_xds_waiting_streams')).toBe('inmesh_xds_waiting_streams 1');
  source.apply(NEWER);
  await clock.pass(100);
  await expect.poll(() => client.heard).toEqual(['b:80']);
  expect(await metric('inmesh_xds_waiting_streams')).toBe('inmesh_xds_waiting_streams 0');
});

it('answers after 2 s with what it has', async () => {
  const seen = await revisionOf(NEWER, 60_000);
  const { ask, server, clock } = await replica(service('a'), 0);
  const client = ask(seen);
  await expect.poll(() => server.clients().length).toBe(1);
  await clock.pass(1_999);
  expect(client.heard).toEqual([]);
  await clock.pass(1);
  await expect.poll(() => client.heard).toEqual(['no b:80']);
});

it.each([
  ['an older one', NEWER, 0],
  ['the same content at another time', service('a'), 90_000],
])('does not wait for %s', async (_what, yaml, atMs) => {
  const seen = await revisionOf(yaml, atMs);
  const { ask } = await replica(service('a'), 60_000);
  const client = ask(seen);
  await expect.poll(() => client.heard).toEqual(['no b:80']);
});
