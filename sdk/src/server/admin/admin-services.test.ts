import { create } from '@bufbuild/protobuf';
import * as grpc from '@grpc/grpc-js';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { createStaticAds } from '../../../../test/harness/static-ads.ts';
import { ClientStatusRequestSchema } from '../../../gen/services.js';
import { CLIENT_STATUS } from '../../discovery/client-status-service.ts';
import { createMesh } from '../../mesh.ts';
import { startGrpc } from '../grpc.fixture.ts';
import { until } from '../server.fixture.ts';
import { type AdminOptions, addAdminServices } from './admin-services.ts';
import { decodeRequest, HEALTH, type HealthRequest } from './health.ts';

const NOBODY = create(ClientStatusRequestSchema);
const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const Health = grpc.makeClientConstructor(HEALTH as unknown as grpc.ServiceDefinition, 'Health');
const Csds = grpc.makeClientConstructor(CLIENT_STATUS as unknown as grpc.ServiceDefinition, 'Csds');
const Channelz = grpc.makeClientConstructor(grpc.getChannelzServiceDefinition(), 'Channelz');

async function setUp(options: AdminOptions = {}) {
  const setting = await startGrpc('PERMISSIVE');
  const ads = createStaticAds();
  const mesh = createMesh({ transport: ads.transport, workload: 'reviews' }, { env: {} });
  closers.push(
    () => mesh.close(),
    () => setting[Symbol.asyncDispose](),
  );
  await addAdminServices(setting.server, { mesh, ...options });
  const ask = <T>(Client: grpc.ServiceClientConstructor, name: string, request: unknown): Promise<T | string> => {
    const client = new Client(`127.0.0.1:${setting.port}`, grpc.credentials.createInsecure());
    closers.push(() => client.close());
    return new Promise((resolve) => {
      const answered = (error: grpc.ServiceError | null, value: T): void =>
        resolve(error ? `${grpc.status[error.code]} ${error.details}` : value);
      (client[name] as (request: unknown, answered: unknown) => void).call(client, request, answered);
    });
  };
  return { setting, mesh, ask };
}

describe('admin services (gRFC A38)', () => {
  it('channelz lists the guarded server, its port and its connection', async () => {
    const { setting, ask } = await setUp();
    interface Servers {
      readonly server: readonly {
        readonly ref: { readonly server_id: number } | null;
        readonly listen_socket: readonly { readonly name: string }[];
      }[];
    }
    const found = (await ask<Servers>(Channelz, 'GetServers', {})) as Servers;
    const names = found.server.flatMap(({ listen_socket }) => listen_socket.map(({ name }) => name));
    expect(names).toContain(`127.0.0.1:${setting.port}`);
    const own = found.server.find(({ listen_socket }) =>
      listen_socket.some(({ name }) => name.endsWith(`:${setting.port}`)),
    );
    const sockets = await ask<{ socket_ref: unknown[] }>(Channelz, 'GetServerSockets', {
      server_id: own?.ref?.server_id,
    });
    expect(sockets).toMatchObject({ socket_ref: expect.arrayContaining([expect.anything()]) });
  });

  it('CSDS tells who this process is, and what became of its resources (gRFC A40)', async () => {
    const { mesh, ask } = await setUp();
    await mesh.explain({ url: 'http://nowhere:80/' });
    const found = await ask(Csds, 'FetchClientStatus', NOBODY);
    expect(found).toMatchObject({
      config: [
        {
          node: { userAgentName: expect.any(String) },
          genericXdsConfigs: expect.arrayContaining([expect.objectContaining({ name: 'nowhere:80' })]),
        },
      ],
    });
    expect(await ask(Csds, 'FetchClientStatus', create(ClientStatusRequestSchema, { nodeMatchers: [{}] }))).toContain(
      'INVALID_ARGUMENT node_matchers: set',
    );
  });

  it('CSDS answers each message of a stream', async () => {
    const { setting } = await setUp();
    const client = new Csds(`127.0.0.1:${setting.port}`, grpc.credentials.createInsecure());
    closers.push(() => client.close());
    const stream = (client.StreamClientStatus as () => grpc.ClientDuplexStream<unknown, unknown>).call(client);
    const answers: unknown[] = [];
    const ended = new Promise((resolve) => stream.on('data', (one) => answers.push(one)).on('end', resolve));
    stream.write(NOBODY);
    stream.write(NOBODY);
    stream.end();
    await ended;
    expect(answers).toHaveLength(2);
  });

  it('health tells the serving state, of the server and of the services it was told of', async () => {
    const { setting, ask } = await setUp({ health: ['test.Echo'] });
    expect(await ask(Health, 'Check', { service: '' })).toBe(1);
    expect(await ask(Health, 'Check', { service: 'test.Echo' })).toBe(1);
    expect(await ask(Health, 'Check', { service: 'test.Other' })).toBe('NOT_FOUND unknown service "test.Other"');
    expect(await ask(Health, 'Check', { service: 'é'.repeat(60) })).toBe(
      `NOT_FOUND unknown service "${'é'.repeat(60)}"`,
    );
    const client = new Health(`127.0.0.1:${setting.port}`, grpc.credentials.createInsecure());
    closers.push(() => client.close());
    const watch = (client.Watch as (request: HealthRequest) => grpc.ClientReadableStream<number>).call(client, {
      service: '',
    });
    const told: number[] = [];
    watch.on('data', (status: number) => told.push(status)).on('error', () => {});
    await until(() => told.length === 1);
    const closed = setting.guarded.close({ graceMs: 5_000 });
    await until(() => told.length === 2);
    expect(told).toEqual([1, 2]);
    watch.cancel();
    await closed;
  });

  it('channelz and CSDS answer whom they may, health everybody', async () => {
    const seen: string[] = [];
    const { ask } = await setUp({
      allow: (call) => {
        seen.push(call.getPeer());
        return false;
      },
    });
    expect(await ask(Channelz, 'GetServers', {})).toContain(
      'PERMISSION_DENIED admin services answer their own machine',
    );
    expect(await ask(Csds, 'FetchClientStatus', NOBODY)).toContain('PERMISSION_DENIED');
    expect(await ask(Health, 'Check', { service: '' })).toBe(1);
    expect(seen).toEqual([expect.stringMatching(/^127\.0\.0\.1:\d+$/), expect.stringMatching(/^127\.0\.0\.1:\d+$/)]);
  });

  it('a yes that is only promised is none', async () => {
    const { ask } = await setUp({ allow: (async () => false) as unknown as () => boolean });
    expect(await ask(Csds, 'FetchClientStatus', NOBODY)).toContain('PERMISSION_DENIED');
  });

  it('health answers names that no header can hold', async () => {
    const { setting } = await setUp();
    const bytes = Buffer.from([10, 0x80, 0x80, 8, ...Buffer.alloc(131_072, 97)]);
    const client = new grpc.Client(`127.0.0.1:${setting.port}`, grpc.credentials.createInsecure());
    closers.push(() => client.close());
    const raw = (value: Buffer): Buffer => value;
    const error = await new Promise<grpc.ServiceError | null>((resolve) =>
      client.makeUnaryRequest(HEALTH.Check.path, raw, raw, bytes, resolve),
    );
    expect(error).toMatchObject({
      code: grpc.status.NOT_FOUND,
      details: 'unknown service, a name of 131072 characters',
    });
  });

  it('a server of another copy of grpc-js is told of, instead of listing the wrong sockets', async () => {
    const other = { addService() {}, bindAsync() {}, tryShutdown() {}, forceShutdown() {} };
    await expect(addAdminServices(other)).rejects.toThrow('another copy of @grpc/grpc-js');
  });

  it('any bytes are a request of health, or an error', () => {
    expect(decodeRequest(Buffer.from([10, 1, 97]))).toEqual({ service: 'a' });
    expect(() => decodeRequest(Buffer.from([10, 9, 97]))).toThrow('cut off');
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
        try {
          expect(decodeRequest(Buffer.from(bytes))).toHaveProperty('service');
        } catch (error) {
          expect(String(error)).toContain('HealthCheckRequest');
        }
      }),
    );
  });
});
