import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import { FIRST_CHANNEL } from '../../grpc/channel-list.ts';
import { Echo, servePeer, told } from '../../grpc/peer.fixture.ts';
import { startStage } from '../../grpc/policy.fixture.ts';
import { createMesh, type Mesh } from '../../mesh.ts';
import { addAdminServices } from './admin-services.ts';

/** The channels of the mesh in channelz (gRFC A14), by grpc-js's own client of it. */

const Channelz = grpc.makeClientConstructor(grpc.getChannelzServiceDefinition(), 'Channelz');
const INSECURE = grpc.credentials.createInsecure();
const HELLO = Buffer.from('hello');

interface Channel {
  readonly ref: { readonly channel_id: string; readonly name: string };
  readonly data: {
    readonly target: string;
    readonly state: { readonly state: string };
    readonly calls_started: string;
    readonly calls_succeeded: string;
    readonly calls_failed: string;
    readonly last_call_started_timestamp: { readonly seconds: string } | null;
  };
}

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** The admin services of a process. Its mesh knows no host where none is given: all of its calls are grpc-js's own. */
async function setUp(mesh: Mesh = createMesh({}, { env: {} })) {
  const server = new grpc.Server();
  await addAdminServices(server, { mesh, health: false });
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    );
  });
  const client = new Channelz(`127.0.0.1:${port}`, INSECURE, { 'grpc.enable_channelz': 0 });
  closers.push(
    () => mesh.close(),
    () => server.forceShutdown(),
    () => client.close(),
  );
  const ask = <T>(method: string, request: object): Promise<T> =>
    new Promise((resolve, reject) => {
      const answered = (error: Error | null, value: T): void => (error ? reject(error) : resolve(value));
      (client[method] as (request: object, answered: unknown) => void).call(client, request, answered);
    });
  return { mesh, ask };
}

type Ask = Awaited<ReturnType<typeof setUp>>['ask'];

const topChannels = (ask: Ask, max = 0, from = '0') =>
  ask<{ channel: readonly Channel[]; end: boolean }>('GetTopChannels', { start_channel_id: from, max_results: max });

const clientOf = (mesh: Mesh, target: string, options: object = {}) => {
  const client = new Echo(target, INSECURE, { ...options, ...mesh.grpc() });
  closers.push(() => client.close());
  return client;
};

describe('channelz', () => {
  it('lists the channels of the mesh after those of grpc-js, page by page, until they are closed', async () => {
    const { mesh, ask } = await setUp();
    const clients = ['first:80', 'second:80'].map((target) => clientOf(mesh, target));
    const plain = new grpc.Channel('127.0.0.1:1', INSECURE, {});
    closers.push(() => plain.close());
    const all = (await topChannels(ask)).channel;
    expect(all.map(({ ref }) => ref.name).slice(-2)).toEqual(['first:80', 'second:80']);
    expect(all.map(({ ref }) => ref.name)).toContain('127.0.0.1:1');

    const page = await topChannels(ask, all.length - 1);
    expect(page.channel.at(-1)?.ref.name).toBe('first:80');
    expect(page.end).toBe(false);
    const id = Number(page.channel.at(-1)?.ref.channel_id);
    expect(id).toBe(clients[0]?.getChannel().getChannelzRef().id);
    const rest = await topChannels(ask, 10, String(id + 1));
    expect(rest.channel.map(({ ref }) => ref.name)).toEqual(['second:80']);
    expect(rest.end).toBe(true);

    clients[1]?.close();
    expect((await topChannels(ask)).channel.map(({ ref }) => ref.name)).not.toContain('second:80');
    await expect(ask('GetChannel', { channel_id: id + 1 })).rejects.toMatchObject({ code: grpc.status.NOT_FOUND });
    await expect(ask('GetChannel', { channel_id: FIRST_CHANNEL - 1 })).rejects.toMatchObject({
      code: grpc.status.NOT_FOUND,
    });
  });

  it('counts their calls, good and bad, and says when the last one began', async () => {
    const stage = await startStage();
    closers.push(() => stage.close());
    const { ask } = await setUp(stage.test.mesh);
    let code = 0;
    const peer = await stage.peer({
      unary: (_: unknown, done: grpc.sendUnaryData<Buffer>) =>
        code === 0 ? done(null, HELLO) : done({ code, details: 'no' }),
    });
    stage.set({ clusters: { c: { groups: [{ peers: [peer] }] } } });
    const client = stage.client();
    const channel_id = client.getChannel().getChannelzRef().id;
    const look = async () => (await ask<{ channel: Channel }>('GetChannel', { channel_id })).channel.data;
    expect(await look()).toMatchObject({
      target: 'echo:80',
      state: { state: 'IDLE' },
      calls_started: '0',
      last_call_started_timestamp: null,
    });
    const call = () => told((done) => client.unary(HELLO, { deadline: Date.now() + 15_000 }, done));
    await call();
    await call();
    code = grpc.status.NOT_FOUND;
    await call();
    const data = await look();
    expect(data).toMatchObject({ calls_started: '3', calls_succeeded: '2', calls_failed: '1' });
    expect(data.state).toEqual({ state: 'READY' });
    expect(Number(data.last_call_started_timestamp?.seconds)).toBeGreaterThan(1_700_000_000);
  });

  it('has calls of hosts that are none of the mesh at the channel of grpc-js that makes them', async () => {
    const { mesh, ask } = await setUp();
    const peer = await servePeer({});
    closers.push(() => peer.close());
    const client = clientOf(mesh, `127.0.0.1:${peer.port}`);
    await told((done) => client.unary(HELLO, { deadline: Date.now() + 15_000 }, done));
    const found = (await topChannels(ask)).channel.filter(({ ref }) => ref.name.endsWith(`:${peer.port}`));
    expect(found.map(({ data }) => data.calls_started)).toEqual(['1', '0']);
  });

  it('does not have those of which the application says so', async () => {
    const { mesh, ask } = await setUp();
    const client = clientOf(mesh, 'hidden:80', { 'grpc.enable_channelz': 0 });
    expect(client.getChannel().getChannelzRef().id).toBe(-1);
    expect((await topChannels(ask)).channel.map(({ ref }) => ref.name)).not.toContain('hidden:80');
  });
});
