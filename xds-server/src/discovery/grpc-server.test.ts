import { once } from 'node:events';
import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { Client, type ClientDuplexStream, credentials, type StatusObject, status } from '@grpc/grpc-js';
import { systemClock } from '@inmesh/sdk/internal/clock';
import { DiscoveryRequestSchema, DiscoveryResponseSchema } from '@inmesh/sdk/internal/gen/discovery';
import { afterEach, expect, it } from 'vitest';
import { LISTENER_TYPE } from '../translate/resource-types.ts';
import { addressOf } from './admit.ts';
import { AdsService } from './ads-service.ts';
import { type AdsServer, listenAds } from './grpc-server.ts';
import { textResource } from './session.fixture.ts';

const METHOD = '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources';
const pass = (bytes: Buffer): Buffer => bytes;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function setUp() {
  let text = 'first';
  const service = new AdsService({
    clock: systemClock,
    ready: Promise.resolve(),
    lookup: (_identity, type) => (name) => textResource(type, name, text),
    revision: () => String(text.length),
    registrations: { register: () => {}, unregister: () => {} },
  });
  const server: AdsServer = await listenAds(service, '127.0.0.1:0');
  closers.push(() => server.close(0));
  const client = new Client(server.address, credentials.createInsecure());
  closers.push(() => client.close());
  const call: ClientDuplexStream<Buffer, Buffer> = client.makeBidiStreamRequest(METHOD, pass, pass);
  call.on('error', () => {});
  const ended = new Promise<string>((resolve) =>
    call.on('status', ({ code, details }: StatusObject) => resolve(`${status[code]} ${details}`)),
  );
  return {
    service,
    server,
    client,
    call,
    ended,
    subscribe: () =>
      call.write(
        Buffer.from(
          toBinary(
            DiscoveryRequestSchema,
            create(DiscoveryRequestSchema, { node: { id: 'a' }, typeUrl: LISTENER_TYPE, resourceNames: ['x'] }),
          ),
        ),
      ),
    change(next: string) {
      text = next;
      service.push();
    },
  };
}

const textOf = (bytes: Buffer): string =>
  Buffer.from(fromBinary(DiscoveryResponseSchema, bytes).resources[0]?.value ?? []).toString();

it('holds for a client that does not read what the transport took, and then only the newest', async () => {
  const { call, subscribe, change, service } = await setUp();
  subscribe();
  const [first] = await once(call, 'data');
  expect(textOf(first)).toBe('first');
  call.pause();
  const changes = 200;
  for (let index = 1; index <= changes; index++) {
    change(`${index} `.padEnd(50_000, 'x'));
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(service.sessions[0]?.isSettled).toBe(false);
  const heard: string[] = [];
  const isNewest = new Promise<void>((resolve) =>
    call.on('data', (bytes: Buffer) => {
      heard.push(textOf(bytes).slice(0, 4).trim());
      if (heard.at(-1) === String(changes)) resolve();
    }),
  );
  call.resume();
  await isNewest;
  expect(heard.length).toBeLessThan(changes / 4);
});

it('tells a stream that cannot be read why it ends', async () => {
  const { call, ended } = await setUp();
  call.write(Buffer.from([0xff]));
  expect(await ended).toMatch(/^INVALID_ARGUMENT request cannot be read/);
});

it('lets streams end when it closes: UNAVAILABLE with the reason', async () => {
  const { call, ended, subscribe, service, server } = await setUp();
  subscribe();
  await once(call, 'data');
  service.close();
  const closed = server.close(1_000);
  expect(await ended).toBe('UNAVAILABLE the control plane is shutting down');
  await closed;
});

it('forgets a stream that its client ends or cancels', async () => {
  const { call, subscribe, service, client } = await setUp();
  subscribe();
  await once(call, 'data');
  call.end();
  await expect.poll(() => service.sessions.length).toBe(0);
  const second = client.makeBidiStreamRequest(METHOD, pass, pass);
  second.on('error', () => {});
  await expect.poll(() => service.sessions.length).toBe(1);
  second.cancel();
  await expect.poll(() => service.sessions.length).toBe(0);
});

it.each([
  ['127.0.0.1:1234', '127.0.0.1'],
  ['[::1]:1234', '::1'],
  ['::1:1234', '::1'],
  ['::ffff:10.0.0.1:80', '10.0.0.1'],
  ['unix:/tmp/x', undefined],
  ['unknown', undefined],
])('a peer %s is reached at %s', (peer, address) => {
  expect(addressOf(peer)).toBe(address);
});
