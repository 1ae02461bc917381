import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { Client, type ClientDuplexStream, credentials, type StatusObject, status } from '@grpc/grpc-js';
import { systemClock } from '@inmesh/sdk/internal/clock';
import { DeltaDiscoveryRequestSchema, DeltaDiscoveryResponseSchema } from '@inmesh/sdk/internal/gen/discovery';
import { afterEach, expect, it } from 'vitest';
import { defaultOf } from '../defaults.ts';
import { LISTENER_TYPE } from '../translate/resource-types.ts';
import { AdsService } from './ads-service.ts';
import { listenAds } from './grpc-server.ts';
import { textResource } from './session.fixture.ts';

const METHOD = '/envoy.service.discovery.v3.AggregatedDiscoveryService/DeltaAggregatedResources';
const pass = (bytes: Buffer): Buffer => bytes;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A server of one text for every name, on a real port. */
async function setUp(unreadMs = 60_000) {
  let text = '1';
  let mostWaiting = 0;
  let throttled = 0;
  const warnings: string[] = [];
  const service = new AdsService({
    clock: systemClock,
    ready: Promise.resolve(),
    lookup: (_identity, type) => (name) => textResource(type, name, text),
    revision: () => text.slice(0, 8),
    registrations: { register: () => {}, unregister: () => {} },
    on: {
      warning: (message) => warnings.push(message),
      throttled: () => {
        throttled++;
      },
      answered: () => {
        mostWaiting = Math.max(mostWaiting, service.waiting);
      },
    },
  });
  const server = await listenAds(service, '127.0.0.1:0', { clock: systemClock, unreadMs });
  closers.push(() => server.close(0));
  const connect = (options = {}) => {
    const client = new Client(server.address, credentials.createInsecure(), options);
    closers.push(() => client.close());
    return client;
  };
  return {
    service,
    warnings,
    connect,
    mostWaiting: () => mostWaiting,
    throttled: () => throttled,
    change(next: string) {
      text = next;
      service.push();
    },
    /** A client that acknowledges all it hears. */
    stream(id: string, client = connect()) {
      const call: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(METHOD, pass, pass);
      const heard: string[] = [];
      call.on('error', () => {});
      const ended = new Promise<string>((resolve) =>
        call.on('status', ({ code, details }: StatusObject) => resolve(`${status[code]} ${details}`)),
      );
      const send = (fields: MessageInitShape<typeof DeltaDiscoveryRequestSchema>) =>
        call.write(Buffer.from(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, fields))));
      call.on('data', (bytes: Buffer) => {
        const { typeUrl, nonce, resources } = fromBinary(DeltaDiscoveryResponseSchema, bytes);
        heard.push(...resources.map(({ version }) => version.slice(0, 8)));
        send({ typeUrl, responseNonce: nonce });
      });
      return {
        call,
        heard,
        ended,
        subscribe: (...names: string[]) =>
          send({ node: { id }, typeUrl: LISTENER_TYPE, resourceNamesSubscribe: names }),
      };
    },
  };
}

it('takes a storm of 300 streams: every one is answered, none refused, most of them after a wait', async () => {
  const { service, stream, connect, mostWaiting, change } = await setUp();
  const clients = Array.from({ length: 10 }, () => connect({ 'grpc.use_local_subchannel_pool': 1 }));
  const streams = Array.from({ length: 300 }, (_, index) => stream(`client-${index}`, clients[index % 10]));
  let refused = 0;
  for (const { ended, subscribe } of streams) {
    void ended.then(() => refused++);
    subscribe('x');
  }
  await expect.poll(() => streams.every(({ heard }) => heard.join() === 'v:1'), { timeout: 20_000 }).toBe(true);
  expect(mostWaiting()).toBeGreaterThan(100);
  await expect.poll(() => service.waiting).toBe(0);
  change('2');
  await expect.poll(() => streams.every(({ heard }) => heard.at(-1) === 'v:2'), { timeout: 20_000 }).toBe(true);
  expect(refused).toBe(0);
});

it('lets a client go that reads nothing, says so, and holds one version for it meanwhile; others hear everything', async () => {
  const { service, stream, change, warnings } = await setUp(300);
  const [stuck, fine] = [stream('stuck'), stream('fine')];
  for (const one of [stuck, fine]) one.subscribe('x');
  await expect.poll(() => [stuck.heard, fine.heard]).toEqual([['v:1'], ['v:1']]);
  stuck.call.pause();
  const changes = 100;
  for (let index = 2; index <= changes; index++) {
    change(`${index} `.padEnd(200_000, 'x'));
    await expect.poll(() => fine.heard.at(-1), { interval: 1, timeout: 20_000 }).toMatch(`v:${index} `);
  }
  await expect.poll(() => warnings.length).toBe(1);
  stuck.call.resume();
  expect(await stuck.ended).toMatch(/^RESOURCE_EXHAUSTED/);
  expect(warnings).toEqual([expect.stringMatching(/^stuck: its stream is ended, \d+ bytes were not read for/)]);
  // What the transport took before it was full, and one version: a queue would hold 20 MB.
  expect(Number(/(\d+) bytes/.exec(warnings[0] ?? '')?.[1])).toBeLessThan(500_000);
  expect(service.sessions.map(({ identity }) => identity?.id)).toEqual(['fine']);
});

it('refuses a request that is too large by its frame (RESOURCE_EXHAUSTED)', async () => {
  const { stream } = await setUp();
  const one = stream('large');
  one.subscribe('x'.repeat(defaultOf('requestBytes')));
  expect(await one.ended).toMatch(/^RESOURCE_EXHAUSTED .*larger than max/);
});

it('answers everyone else while one client floods it with names', async () => {
  const { stream, warnings, throttled } = await setUp();
  const flood = stream('flood');
  const size = 2_000;
  for (let round = 0; round < 50; round++)
    flood.subscribe(...Array.from({ length: size }, (_, index) => `name-${round}-${index}`));
  await expect.poll(throttled, { timeout: 20_000 }).toBeGreaterThan(0);
  for (let index = 0; index < 5; index++) {
    const fine = stream(`fine-${index}`);
    fine.subscribe('x');
    await expect.poll(() => fine.heard, { timeout: 20_000 }).toEqual(['v:1']);
  }
  expect(flood.heard.length).toBeLessThanOrEqual(defaultOf('namesPerStream'));
  const lines = warnings.filter((line) => line.startsWith('flood: asks for more than 500 new names a second'));
  expect(lines).toHaveLength(1);
});
