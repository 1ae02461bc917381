import { readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { createMesh } from '@inmesh/sdk';
import { describe, expect, it } from 'vitest';
import type { XdsServerOptions } from '../../../xds-server/src/embedded/api.ts';
import { main } from '../../../xds-server/src/main.ts';
import { destinationRule, idOf, peerAuthentication, service, type World } from '../../harness/secure-world.ts';
import { startEnvoy } from '../envoy-hash/envoy.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { type Backend, startBackend } from '../grpc-peers/backend.ts';
import { type Peer, startPeer } from '../grpc-peers/peer.ts';
import { findPeer, PEER_KINDS } from '../grpc-peers/peers.ts';
import { listenPlain, seen, showApp } from '../identity-live/apps.ts';
import { issue } from '../identity-live/certificate-files.ts';
import { buildGrpcGo, findGrpcio, type GrpcPeer, startGrpcPeer } from '../identity-live/grpc-peers.ts';
import { binary, startGuarded, until, useWorlds } from '../identity-live/live.ts';

/** What `inmesh bootstrap` prints starts the clients it is for. */

const start = useWorlds();
const AUTHORITY = 'mesh.example';

/** The command, as people give it, into a file of the world's folder. */
async function bootstrap(world: World, ...args: readonly string[]): Promise<string> {
  const file = path.join(world.folder, `bootstrap-${files++}`);
  expect(await main(['bootstrap', ...args, '--out', file])).toBe(0);
  return readFileSync(file, 'utf8');
}
let files = 0;

const plain = ({ plainPort }: World): readonly string[] => ['--xds', `127.0.0.1:${plainPort}`, '--namespace', 'shop'];

/** Certificates of an account, and the control plane over TLS. */
async function proven(world: World, account: string): Promise<readonly string[]> {
  await issue(world, idOf(account), account);
  return ['--xds', `tls://localhost:${world.securePort}`, '--certs', path.join(world.folder, account)];
}

async function startEcho(more = '', options: Partial<XdsServerOptions> = {}): Promise<[World, Backend]> {
  const backend = await startBackend('echo');
  const yaml = service('echo', 'echo', backend.port, 'grpc').replace(', security.istio.io/tlsMode: istio', '');
  const world = await start(yaml + more, options);
  world.onClose(() => backend.close());
  return [world, backend];
}

const statusesOf = (world: World): readonly string[] =>
  world.server.clients().flatMap(({ types }) => Object.values(types).map(({ status }) => status));

describe.each(PEER_KINDS.map((kind) => [kind, findPeer(kind)] as const))('%s', (kind, command) => {
  const open = async (world: World, text: string): Promise<Peer> => {
    const peer = await startPeer(command ?? [], { bootstrap: JSON.parse(text) });
    world.onClose(() => peer.stop());
    return peer;
  };
  const statuses = async (peer: Peer, target: string): Promise<readonly string[]> => {
    await peer.open(target, target);
    const answers = await peer.call(target, { count: 3, deadlineMs: 30_000 });
    return answers.map(({ status, message }) => (status === 'OK' ? status : `${status}: ${message}`));
  };
  const OK = ['OK', 'OK', 'OK'];

  it.skipIf(command === undefined)('in plain text: it calls, and nothing is refused', async () => {
    const [world] = await startEcho();
    const peer = await open(world, await bootstrap(world, '--kind', 'grpc', ...plain(world)));
    expect(await statuses(peer, 'xds:///echo:9080')).toEqual(OK);
    await world.server.settled();
    expect(new Set(statusesOf(world))).toEqual(new Set(['SYNCED']));
  });

  it.skipIf(command === undefined)('a default authority: everything it asks for has an xdstp name', async () => {
    const [world] = await startEcho('', { authorities: ['', AUTHORITY] });
    const own = ['--authority', AUTHORITY, '--default-authority', AUTHORITY];
    const peer = await open(world, await bootstrap(world, '--kind', 'grpc', ...plain(world), ...own));
    expect(await statuses(peer, 'xds:///echo:9080')).toEqual(OK);
    expect(await statuses(peer, `xds://${AUTHORITY}/echo.shop:9080`)).toEqual(OK);
    await world.server.settled();
    const names = world.server
      .clients()
      .flatMap(({ types }) => Object.values(types))
      .flatMap((type) => type.names);
    expect(names.length).toBeGreaterThan(3);
    expect(names.filter((name) => !name.startsWith(`xdstp://${AUTHORITY}/`))).toEqual([]);
    expect(new Set(statusesOf(world))).toEqual(new Set(['SYNCED']));
  });

  it.skipIf(command === undefined)('an authority with a control plane of its own', async () => {
    const [first] = await startEcho();
    const [world] = await startEcho('', { authorities: [AUTHORITY] });
    const own = ['--authority', `${AUTHORITY}=127.0.0.1:${world.plainPort}`];
    const peer = await open(first, await bootstrap(first, '--kind', 'grpc', ...plain(first), ...own));
    expect(await statuses(peer, `xds://${AUTHORITY}/echo:9080`)).toEqual(OK);
    expect(world.server.clients().length).toBeGreaterThan(0);
  });

  // grpc-js-xds has no TLS, grpc-java none with files (gRFC A65); grpc-js-xds takes the first server only (A71).
  const hasTls = command !== undefined && ['grpc-go', 'grpcio'].includes(kind);

  it.skipIf(!hasTls)('over TLS: its certificate proves who it is', async () => {
    const [world] = await startEcho();
    const peer = await open(world, await bootstrap(world, '--kind', 'grpc', ...(await proven(world, 'web'))));
    expect(await statuses(peer, 'xds:///echo:9080')).toEqual(OK);
    expect(new Set(world.server.clients().map(({ namespace }) => namespace))).toEqual(new Set(['shop']));
  });

  it.skipIf(command === undefined || kind === 'grpc-js-xds')(
    'the second control plane, where the first cannot be reached',
    async () => {
      const [world] = await startEcho();
      const away = ['--xds', `127.0.0.1:${await freePort()}`];
      const peer = await open(world, await bootstrap(world, '--kind', 'grpc', ...away, ...plain(world)));
      expect(await statuses(peer, 'xds:///echo:9080')).toEqual(OK);
    },
  );
});

describe.each([
  ['grpc-go', buildGrpcGo()],
  ['grpcio', findGrpcio()],
] as const)('%s as client and server', (_, command) => {
  it.skipIf(command === undefined)('finds its own listener and its certificates: STRICT', async () => {
    const port = await freePort();
    const rules = peerAuthentication('STRICT') + destinationRule('echo', '{ mode: ISTIO_MUTUAL }');
    const world = await start(service('echo', 'echo', port, 'grpc') + rules);
    const play = async (role: 'serve' | 'call', where: string, account: string): Promise<GrpcPeer> => {
      const text = await bootstrap(
        world,
        '--kind',
        'grpc',
        ...(await proven(world, account)),
        '--label',
        `app=${account}`,
      );
      const peer = startGrpcPeer(command ?? [], role, where, JSON.parse(text));
      world.onClose(() => peer.stop());
      return peer;
    };
    const server = await play('serve', `127.0.0.1:${port}`, 'echo');
    expect(await server.next()).toMatchObject({ event: 'serving' });
    const client = await play('call', 'echo.shop.svc.cluster.local:9080', 'web');
    await until(() => client.call()).toEqual({ event: 'answered', text: idOf('web') });
  });
});

describe.skipIf(binary === '')('Envoy', () => {
  const open = async (world: World, ...args: readonly string[]) => {
    const [port, adminPort] = [await freePort(), await freePort()];
    const outbound = `reviews:9080=127.0.0.1:${port}`;
    const own = ['--admin', `127.0.0.1:${adminPort}`, '--outbound', outbound];
    const text = await bootstrap(world, '--kind', 'envoy', ...args, ...own);
    const envoy = await startEnvoy(binary, JSON.parse(text), adminPort);
    world.onClose(() => envoy.stop());
    return () => get(port);
  };
  const route = (header: string) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: shop }
spec: { hosts: [reviews], http: [{ route: [{ destination: { host: reviews } }], headers: { request: { set: { ${header} } } } }] }
---`;

  it('in plain text: calls to the address follow the rules of the host', async () => {
    const app = showApp();
    const port = await listenPlain(app);
    const yaml = service('reviews', 'reviews', port).replace(', security.istio.io/tlsMode: istio', '');
    const world = await start(yaml + route('x-rule: one'));
    world.onClose(() => app.close());
    const call = await open(world, ...plain(world));
    expect(await call()).toMatchObject({ status: 200, headers: expect.arrayContaining(['x-rule']) });
    world.source.apply(route('x-other: two'));
    await until(call).toMatchObject({ status: 200, headers: expect.arrayContaining(['x-other']) });
    expect(statusesOf(world)).not.toContain('NACK');
  });

  it.each(['--certs', '--token-file'])('mutual TLS to control plane and servers: proven by %s', async (flag) => {
    const port = await freePort();
    const world = await start(service('reviews', 'reviews', port) + peerAuthentication('STRICT'));
    await startGuarded(world, port);
    const certified = await proven(world, 'web');
    const token = path.join(world.folder, 'token');
    writeFileSync(token, await world.token('web'));
    const told = ['--xds', `tls://localhost:${world.securePort}`, '--token-file', token, '--ca-root', world.rootsFile];
    const call = await open(world, '--namespace', 'shop', ...(flag === '--certs' ? certified : told));
    expect(await call()).toMatchObject({ status: 200, peer: idOf('web') });
  });
});

describe('the SDK', () => {
  const fetchWith = async (world: World, env: Readonly<Record<string, string>>) => {
    const mesh = createMesh({}, { env });
    world.onClose(() => mesh.close());
    const response = await mesh.fetch('http://reviews:9080/');
    return { status: response.status, ...seen(await response.text()) };
  };
  const guarded = async (options: Partial<XdsServerOptions> = {}): Promise<World> => {
    const port = await freePort();
    const world = await start(service('reviews', 'reviews', port) + peerAuthentication('STRICT'), options);
    await startGuarded(world, port);
    return world;
  };

  it('by variables: certificates, the control plane over TLS', async () => {
    const world = await guarded();
    const text = await bootstrap(world, '--kind', 'sdk', ...(await proven(world, 'web')));
    const env = Object.fromEntries(
      text
        .trim()
        .split('\n')
        .map((line) => line.split(/=(.*)/s)),
    );
    expect(await fetchWith(world, env)).toMatchObject({ status: 200, peer: idOf('web') });
  });

  it('by the same file as gRPC: certificates, xdstp names', async () => {
    const world = await guarded({ authorities: [AUTHORITY] });
    const own = ['--authority', AUTHORITY, '--default-authority', AUTHORITY];
    const text = await bootstrap(world, '--kind', 'grpc', ...(await proven(world, 'web')), ...own);
    expect(await fetchWith(world, { GRPC_XDS_BOOTSTRAP_CONFIG: text })).toMatchObject({
      status: 200,
      peer: idOf('web'),
    });
  });
});

const get = (port: number): Promise<object> =>
  new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part;
      });
      response.on('end', () => {
        const { statusCode: status } = response;
        resolve(status === 200 ? { status, ...seen(text) } : { status, text });
      });
    });
    request.on('error', reject);
  });
