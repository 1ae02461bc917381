import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { createServer as createSocketServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { create, toBinary } from '@bufbuild/protobuf';
import { systemClock, systemRandom } from '@inmesh/sdk/internal/clock';
import { createDiscovery, type Discovery } from '@inmesh/sdk/internal/discovery/discovery';
import type { AdsMethod, AdsTransport } from '@inmesh/sdk/internal/discovery/transport';
import { DeltaDiscoveryRequestSchema } from '@inmesh/sdk/internal/gen/discovery';
import type { LoadAssignment } from '@inmesh/sdk/internal/model/cluster';
import { loadAssignmentType } from '@inmesh/sdk/internal/resource/endpoint/load-assignment';
import { listenerType } from '@inmesh/sdk/internal/resource/listener/listener';
import { type ResourceType, resourceType } from '@inmesh/sdk/internal/resource/resource-type';
import { createGrpcTransport } from '@inmesh/sdk/internal/wire/grpc-transport';
import { afterEach, describe, expect, it } from 'vitest';
import { createFakeClock } from '../../test/harness/fake-clock.ts';
import type { XdsServer } from './embedded/api.ts';
import { createXdsServer } from './embedded.ts';
import { memorySource } from './source/memory.ts';

const REVIEWS = `
apiVersion: v1
kind: Service
metadata: {name: reviews}
spec:
  ports: [{name: http, port: 9080}]
  selector: {app: reviews}
`;
const CLUSTER = 'outbound|9080||reviews.default.svc.cluster.local';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

function serverOf(yaml = REVIEWS) {
  const source = memorySource(yaml);
  const server = createXdsServer({ source });
  closers.push(() => server.close());
  return { source, server };
}

/** The SDK's own discovery client, and everything it was told, as text. */
function clientOf(transport: AdsTransport, id: string, method: AdsMethod = 'delta') {
  const heard: string[] = [];
  const discovery: Discovery = createDiscovery({
    servers: [{ transport }],
    method,
    node: { id, cluster: 'test', metadata: { INMESH_KIND: 'sdk', NAMESPACE: 'default', WORKLOAD_NAME: id } },
    clock: systemClock,
    random: systemRandom,
    emit: (event) => {
      if (event.kind === 'xds-disconnected') heard.push(`disconnected: ${event.reason}`);
    },
  });
  closers.push(() => discovery.close());
  const watch = <T>(type: ResourceType<T>, name: string, show: (value: T) => string) => {
    const until = Promise.withResolvers<void>();
    const note = (text: string) => {
      heard.push(text);
      until.resolve();
    };
    discovery.subscribe(type, name, {
      onResource: (value) => note(show(value)),
      onAbsent: () => note(`${name} absent`),
      onError: (reason) => note(`${name} error ${reason}`),
    });
    return until.promise;
  };
  return {
    discovery,
    heard,
    listener: (name: string) => watch(listenerType, name, (value) => `${value.name} present`),
    endpoints: (name: string) => watch(loadAssignmentType, name, addressesOf),
    register: (...ports: number[]) =>
      discovery.setMetadata(
        'INMESH_REGISTER',
        ports.map((port) => ({ service: 'reviews', port })),
      ),
  };
}

const addressesOf = ({ localities }: LoadAssignment): string =>
  `endpoints ${localities
    .flatMap(({ endpoints }) => endpoints.map(({ address, port }) => `${address}:${port}`))
    .sort()
    .join(' ')}`;

async function reach(server: XdsServer, how: 'in process' | 'grpc' | 'unix'): Promise<AdsTransport> {
  if (how === 'in process') return server.transport();
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-'));
  closers.unshift(() => rmSync(folder, { recursive: true, force: true }));
  const { xds } = await server.listen({
    xds: how === 'grpc' ? '127.0.0.1:0' : `unix:${path.join(folder, 'ads.sock')}`,
  });
  return createGrpcTransport({ server: xds, clock: systemClock });
}

describe.each([
  ['in process', 'delta'],
  ['in process', 'sotw'],
  ['grpc', 'delta'],
  ['grpc', 'sotw'],
  ['unix', 'delta'],
] as const)('the SDK %s, %s', (how, method) => {
  it('has what exists, is told what does not, hears edits, and sees processes come and go', async () => {
    const { server, source } = serverOf();
    const transport = await reach(server, how);
    const web = clientOf(transport, 'web', method);
    await Promise.all([web.listener('reviews:9080'), web.endpoints(CLUSTER)]);
    expect(web.heard.splice(0).sort()).toEqual(['endpoints ', 'reviews:9080 present']);

    if (method === 'delta') {
      await web.listener('ratings:9080');
      expect(web.heard.splice(0)).toEqual(['ratings:9080 absent']);
      source.apply(REVIEWS.replaceAll('reviews', 'ratings'));
      await server.settled();
      expect(web.heard.splice(0)).toEqual(['ratings:9080 present']);
    }

    const reviews = clientOf(transport, 'reviews-1', method);
    reviews.register(3001, 3002);
    await reviews.discovery.connected();
    await server.settled();
    expect(web.heard.splice(0).at(-1)).toBe('endpoints 127.0.0.1:3001 127.0.0.1:3002');

    reviews.register();
    await server.settled();
    expect(web.heard.splice(0).at(-1)).toBe('endpoints ');
    expect(
      server
        .clients()
        .map(({ id, types }) => `${id} ${types.eds?.status}`)
        .sort(),
    ).toEqual(['reviews-1 undefined', 'web SYNCED']);
  });

  it('is let go with UNAVAILABLE when the control plane closes, and keeps what it has', async () => {
    const { server } = serverOf();
    const web = clientOf(await reach(server, how), 'web', method);
    await web.listener('reviews:9080');
    await server.close();
    expect(web.heard.filter((text) => !text.startsWith('disconnected'))).toEqual(['reviews:9080 present']);
  });
});

describe('createXdsServer', () => {
  it('answers nothing before the source has been read, and then what it holds', async () => {
    const gate = Promise.withResolvers<void>();
    const source = memorySource(REVIEWS);
    const start = source.start.bind(source);
    source.start = async (on) => {
      await gate.promise;
      await start(on);
    };
    const server = createXdsServer({ source });
    closers.push(() => server.close());
    const web = clientOf(server.transport(), 'web');
    const listener = web.listener('reviews:9080');
    await web.discovery.connected();
    expect(web.heard).toEqual([]);
    gate.resolve();
    await listener;
    expect(web.heard).toEqual(['reviews:9080 present']);
  });

  it('rejects start and ends streams where the source cannot be read', async () => {
    const source = memorySource();
    source.start = () => Promise.reject(new Error('no such folder'));
    const server = createXdsServer({ source });
    closers.push(() => server.close());
    const web = clientOf(server.transport(), 'web');
    void web.listener('reviews:9080');
    await expect(server.start()).rejects.toThrow('no such folder');
    await expect(server.listen({ xds: '127.0.0.1:0' })).rejects.toThrow('no such folder');
    await expect.poll(() => web.heard.join()).toContain('the configuration cannot be read');
  });

  it('tells problems once, to whoever listens late too, and again when they come back', async () => {
    const broken = REVIEWS.replace('9080', 'many');
    const { server, source } = serverOf(`${REVIEWS}---${broken.replaceAll('reviews', 'ratings')}`);
    await server.start();
    const heard: string[] = [];
    server.onProblem((text) => heard.push(text));
    const problem = 'memory.yaml:13: Service default/ratings: spec.ports[0].port';
    expect(heard).toEqual([expect.stringContaining(problem)]);
    source.apply(REVIEWS);
    await server.settled();
    source.apply(REVIEWS);
    expect(heard).toHaveLength(1);
    source.apply(`# moved\n${broken}`);
    expect(heard).toHaveLength(2);
    expect(server.problems()).toMatchObject([{ severity: 'error', object: 'Service default/reviews' }]);
  });

  it('tells each change in a line, a comment not at all', async () => {
    const { server, source } = serverOf();
    await server.start();
    const heard: string[] = [];
    server.onChange((text) => heard.push(text));
    source.apply(`# why\n${REVIEWS}`);
    source.apply(REVIEWS.replace('9080', '9081'));
    source.apply(REVIEWS.replaceAll('reviews', 'ratings'));
    source.delete('Service/default/ratings');
    const reviews = clientOf(server.transport(), 'reviews-1');
    reviews.discovery.setMetadata('INMESH_REGISTER', [{ service: 'reviews', port: 3001, version: 'v1' }]);
    await reviews.discovery.connected();
    await server.settled();
    reviews.register();
    await server.settled();
    expect(heard).toEqual([
      'Service default/reviews changed (memory.yaml:4)',
      'Service default/ratings added (memory.yaml:4)',
      'Service default/ratings deleted (memory.yaml)',
      'reviews-1: 127.0.0.1:3001 of reviews v1 joined',
      'reviews-1: 127.0.0.1:3001 of reviews v1 left',
    ]);
    expect(server.summary()).toEqual({ objects: 1, services: 1 });
  });

  it('waits at most 5 s for a client that never answers', async () => {
    const clock = createFakeClock();
    const server = createXdsServer({ source: memorySource(REVIEWS), clock });
    closers.push(() => server.close());
    let isSent = false;
    const stream = server.transport().open('delta', { message: () => (isSent = true), close: () => {} });
    const question = { node: { id: 'deaf' }, typeUrl: listenerType.typeUrl, resourceNamesSubscribe: ['reviews:9080'] };
    stream.send(toBinary(DeltaDiscoveryRequestSchema, create(DeltaDiscoveryRequestSchema, question)));
    let isSettled = false;
    const settled = server.settled().then(() => {
      isSettled = true;
    });
    await expect.poll(() => isSent).toBe(true);
    await clock.pass(4_900);
    expect(isSettled).toBe(false);
    await clock.pass(200);
    await settled;
  });

  it('refuses an address it cannot have, and opens nothing', async () => {
    const { server } = serverOf();
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    closers.push(() => taken.close());
    const address = taken.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    await expect(server.listen({ xds: `127.0.0.1:${port}` })).rejects.toThrow(`cannot listen on 127.0.0.1:${port}`);
    const free = `unix:${path.join(mkdtempSync(path.join(tmpdir(), 'inmesh-')), 'ads.sock')}`;
    const both = server.listen({ xds: free, admin: `127.0.0.1:${port}` });
    await expect(both).rejects.toThrow('admin cannot listen');
    expect(existsSync(free.slice('unix:'.length))).toBe(false);
    await expect(server.listen({ admin: '0.0.0.0:0' })).rejects.toThrow('want a loopback address');
  });

  it('takes the place of a socket file that nobody answers, never of one in use nor of another file', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-'));
    closers.push(() => rmSync(folder, { recursive: true, force: true }));
    const inUse = path.join(folder, 'used.sock');
    const holder = createSocketServer();
    await new Promise<void>((resolve) => holder.listen(inUse, resolve));
    closers.push(() => new Promise((resolve) => holder.close(resolve)));
    const { server } = serverOf();
    await expect(server.listen({ xds: `unix:${inUse}` })).rejects.toThrow('cannot listen');
    await expect(server.listen({ admin: `unix:${inUse}` })).rejects.toThrow('cannot listen');
    expect(existsSync(inUse)).toBe(true);
  });
});

describe('admin pages', () => {
  async function admin(yaml?: string) {
    const { server, source } = serverOf(yaml);
    const listening = await server.listen({ admin: '127.0.0.1:0' });
    const get = async (page: string, headers: Record<string, string> = {}) => {
      const response = await fetch(`http://${listening.admin}${page}`, { headers });
      return { status: response.status, text: await response.text() };
    };
    return { server, source, get };
  }

  it('say that it lives and is ready', async () => {
    const { get } = await admin();
    expect(await get('/healthz')).toEqual({ status: 200, text: 'ok\n' });
    expect(await get('/readyz')).toEqual({ status: 200, text: 'ready\n' });
    expect((await get('/')).text).toContain('href="/clients"');
    expect((await get('/nope')).status).toBe(404);
  });

  it('show who is connected, with the reason of a NACK, and what a client is sent', async () => {
    const { server, get } = await admin();
    const heard: string[] = [];
    server.onProblem((text) => heard.push(text));
    const picky = resourceType<string>('envoy.config.listener.v3.Listener', () => {
      throw new Error('not to my taste');
    });
    const web = createDiscovery({
      servers: [{ transport: server.transport() }],
      node: { id: 'web', cluster: 'test', metadata: { WORKLOAD_NAME: 'web', NAMESPACE: 'shop' } },
      clock: systemClock,
      random: systemRandom,
      emit: () => {},
    });
    closers.push(() => web.close());
    web.subscribe(picky, 'reviews.default:9080', { onResource: () => {}, onAbsent: () => {}, onError: () => {} });
    await web.connected();
    await server.settled();
    expect(JSON.parse((await get('/clients')).text)).toMatchObject([
      {
        id: 'web',
        workload: 'web',
        namespace: 'shop',
        method: 'delta',
        types: {
          lds: { status: 'NACK', reason: expect.stringContaining('not to my taste'), names: ['reviews.default:9080'] },
        },
      },
    ]);
    expect(heard.join()).toMatch(/web rejects .*Listener: .*not to my taste/);
    const dump = JSON.parse((await get('/config_dump?client=web')).text);
    expect(dump.lds['reviews.default:9080'].resource.apiListener.apiListener.rds.routeConfigName).toBe(CLUSTER);
    expect(await get('/config_dump?client=nobody')).toEqual({
      status: 404,
      text: 'client: got "nobody", which is not connected; want one of\n  /config_dump?client=web\n',
    });
    expect((await get('/config_dump')).status).toBe(400);
  });

  it('count streams, answers and problems', async () => {
    const { server, get } = await admin(REVIEWS.replace('9080', 'many'));
    const web = clientOf(server.transport(), 'web');
    await web.listener('reviews:9080');
    await server.settled();
    const { text } = await get('/metrics');
    for (const line of [
      'pilot_xds 1',
      'pilot_services 0',
      'inmesh_problems{severity="error"} 1',
      'pilot_xds_pushes{type="lds"} 1',
    ]) {
      expect(text.split('\n')).toContain(line);
    }
    expect((await get('/problems')).text).toContain('Service default/reviews: spec.ports[0].port');
    expect(JSON.parse((await get('/problems?format=json')).text)).toMatchObject([{ severity: 'error' }]);
  });

  it('answer only who names this machine (DNS rebinding), and only reads', async () => {
    const { server } = serverOf();
    const { admin: address } = await server.listen({ admin: '127.0.0.1:0' });
    expect(await statusOf(address, 'GET', 'evil.example')).toBe(403);
    expect(await statusOf(address, 'GET', 'localhost')).toBe(200);
    expect(await statusOf(address, 'POST', 'localhost')).toBe(405);
  });
});

function statusOf(address: string, method: string, host: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    request(`http://${address}/healthz`, { method, headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    })
      .on('error', reject)
      .end();
  });
}
