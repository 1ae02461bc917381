import { once } from 'node:events';
import { createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { xxHash64 } from '../balancer/hash/xx-hash-64.ts';
import { cluster } from '../call/call.fixture.ts';
import { TEST_CERTIFICATE, TEST_KEY } from '../connection/certificates.fixture.ts';
import { MeshError } from '../errors.ts';
import type { ConnectionStory } from '../model/events.ts';
import {
  type ConnectStage,
  chain,
  createConnectStage,
  deadPort,
  type Echo,
  greeting,
  startEcho,
} from './connect.fixture.ts';
import { connect } from './connect.ts';
import type { ConnectOptions } from './destination.ts';

let stage: ConnectStage;
let a: Echo;
let b: Echo;

beforeEach(async () => {
  stage = createConnectStage();
  [a, b] = await Promise.all([startEcho('a'), startEcho('b')]);
});
afterEach(async () => {
  await Promise.all([a.close(), b.close()]);
});

const open = (options: Partial<ConnectOptions> = {}) => connect(stage.runtime, { host: 'db', port: 5432, ...options });

const failure = async (options?: Partial<ConnectOptions>): Promise<MeshError> => {
  const error: unknown = await open(options).then(
    () => 'connected',
    (reason: unknown) => reason,
  );
  if (!(error instanceof MeshError)) throw new Error(`a MeshError was expected: ${error}`);
  return error;
};

const stories = (): ConnectionStory[] =>
  stage.events.flatMap((event) => (event.kind === 'connection' ? event.story : []));

/** Closes it and waits until both sides know. */
const close = async (socket: Awaited<ReturnType<typeof open>>): Promise<void> => {
  const closed = once(socket, 'close');
  socket.destroy();
  await closed;
};

describe('connect', () => {
  it('goes to an endpoint of the chain’s cluster; at its end the event tells what flowed', async () => {
    const live = await stage.serve(
      { chains: [chain({ one: 1 }, { configPath: 'virtual-service/db' })] },
      { one: cluster('one', [a.port]) },
    );
    const socket = await open();
    expect(await greeting(socket)).toBe('a');
    socket.write('hello');
    expect(await greeting(socket)).toBe('hello');
    const upstream = live.upstreams.get('one');
    expect(upstream?.hosts()[0]?.activeRequests).toBe(1);
    expect(upstream?.breaker('default').connections).toBe(1);
    await close(socket);
    expect(upstream?.hosts()[0]?.activeRequests).toBe(0);
    expect(upstream?.breaker('default')).toMatchObject({ connections: 0, pending: 0 });
    const endpoint = `127.0.0.1:${a.port}`;
    expect(stories()).toMatchObject([
      {
        target: 'db:5432',
        route: 'virtual-service/db',
        cluster: 'one',
        endpoint,
        bytesIn: 7,
        bytesOut: 5,
        attempts: [{ endpoint }],
      },
    ]);
    expect(stories()[0]?.flags).toEqual([]);
  });

  it('splits by weight', async () => {
    await stage.serve(
      { chains: [chain({ one: 9, two: 1 })] },
      { one: cluster('one', [a.port]), two: cluster('two', [b.port]) },
    );
    const seen: string[] = [];
    for (const draw of [0, 8, 9, 10]) {
      stage.runtime.random = () => draw;
      const socket = await open();
      seen.push(await greeting(socket));
      await close(socket);
    }
    expect(seen).toEqual(['a', 'a', 'b', 'a']);
  });

  it('matches server name and address: the host where nothing else is said', async () => {
    const byName = chain({ two: 1 }, { serverNames: ['db'] });
    await stage.serve(
      { chains: [byName], fallback: chain({ one: 1 }) },
      { one: cluster('one', [a.port]), two: cluster('two', [b.port]) },
    );
    for (const [serverName, expected] of [
      [undefined, 'b'],
      ['other', 'a'],
      ['DB', 'b'],
    ] as const) {
      const socket = await open(serverName === undefined ? {} : { serverName });
      expect(await greeting(socket)).toBe(expected);
      await close(socket);
    }
  });

  it('by the source’s hash where the chain says so: always the same host, as Envoy hashes the address', async () => {
    const ring = {
      kind: 'ring-hash',
      minimumRingSize: 1_024,
      maximumRingSize: 8_388_608,
      hashFunction: 'xx-hash',
    } as const;
    const loadBalancer = { ...ring, useHostname: false };
    const live = await stage.serve(
      { chains: [chain({ one: 1 }, { hashSourceIp: true })] },
      { one: cluster('one', [a.port, b.port], { loadBalancer }) },
    );
    const peek = live.upstreams.get('one')?.peek({ hash: xxHash64('192.0.2.7') });
    const expected = peek?.kind === 'peek' && peek.host.port === b.port ? 'b' : 'a';
    for (let round = 0; round < 8; round++) {
      const socket = await open();
      expect(await greeting(socket)).toBe(expected);
      await close(socket);
    }
  });

  it('originates TLS where the cluster asks for it, and verifies', async () => {
    const server = createTlsServer({ key: TEST_KEY, cert: TEST_CERTIFICATE });
    const secure = await startEcho('secure', server);
    const tls = { alpn: [], roots: { kind: 'system' as const }, subjectAltNames: [], sni: 'reviews.test' };
    await stage.serve({ chains: [chain({ one: 1 })] }, { one: cluster('one', [secure.port], { tls }) });
    // The root is not one of the platform's.
    expect(await failure()).toMatchObject({
      code: 'MESH_PEER_REFUSED',
      flag: 'UF',
      message: expect.stringContaining('TLS'),
    });
    await secure.close();
  });
});

describe('connect, when it does not work out', () => {
  it('tries another host as often as the chain says (Envoy TcpProxy.max_connect_attempts)', async () => {
    const dead = await deadPort();
    const live = await stage.serve(
      { chains: [chain({ one: 1 }, { connectAttempts: 2 })] },
      { one: cluster('one', [dead, a.port]) },
    );
    for (let round = 0; round < 4; round++) {
      const socket = await open();
      expect(await greeting(socket)).toBe('a');
      await close(socket);
    }
    expect(live.upstreams.get('one')?.breaker('default')).toMatchObject({ connections: 0, pending: 0 });
    const tries = stories().map(({ attempts }) => attempts.map(({ flag }) => flag));
    expect(tries).toContainEqual(['UF', undefined]);
  });

  it('gives up with UF and URX, as Envoy does after a single attempt too; everything is given back', async () => {
    const ports = [await deadPort(), await deadPort()];
    for (const connectAttempts of [1, 2]) {
      const live = await stage.serve(
        { chains: [chain({ one: 1 }, { connectAttempts })] },
        { one: cluster('one', ports) },
      );
      const error = await failure();
      expect(error).toMatchObject({
        code: 'MESH_CONNECT_FAILED',
        flag: 'UF',
        message: expect.stringContaining('refused'),
      });
      expect((error.mesh as ConnectionStory).flags).toEqual(['UF', 'URX']);
      expect((error.mesh as ConnectionStory).attempts).toHaveLength(connectAttempts);
      const upstream = live.upstreams.get('one');
      expect(upstream?.breaker('default')).toMatchObject({ connections: 0, pending: 0 });
      expect(upstream?.hosts().map(({ activeRequests }) => activeRequests)).toEqual([0, 0]);
    }
    expect(stories()).toHaveLength(2);
  });

  it('over the limit of connections it is refused at once (UO), and admitted when one has closed', async () => {
    const circuitBreakers = { default: { maxConnections: 1 }, high: {} };
    await stage.serve({ chains: [chain({ one: 1 })] }, { one: cluster('one', [a.port, b.port], { circuitBreakers }) });
    const first = await open();
    expect(await failure()).toMatchObject({ code: 'MESH_OVERFLOW', flag: 'UO' });
    await close(first);
    await close(await open());
  });

  it('one host may have a limit of its own (Envoy per_host_thresholds); a name’s known addresses are what is dialled', async () => {
    const circuitBreakers = { default: { maxConnectionsPerHost: 1 }, high: {} };
    const host = { address: 'db.internal', port: a.port, addresses: ['127.0.0.1'] };
    const live = await stage.serve(
      { chains: [chain({ one: 1 })] },
      { one: cluster('one', [host], { circuitBreakers }) },
    );
    const first = await open();
    expect(await failure()).toMatchObject({ code: 'MESH_OVERFLOW', flag: 'UO' });
    expect(live.upstreams.get('one')?.breaker('default')).toMatchObject({ connections: 1, pending: 0 });
    await close(first);
  });

  it('names what is missing: no host (UH), no cluster (NC), no configuration (NC)', async () => {
    await stage.serve({ chains: [chain({ one: 1 })] }, { one: cluster('one', []) });
    expect(await failure()).toMatchObject({ code: 'MESH_NO_HEALTHY_UPSTREAM', flag: 'UH' });
    await stage.serve({ chains: [chain({ gone: 1 })] }, { gone: { kind: 'failed', reason: 'refused' } });
    expect(await failure()).toMatchObject({
      code: 'MESH_NO_CLUSTER',
      flag: 'NC',
      message: expect.stringContaining('refused'),
    });
    stage.state = { kind: 'failed', reason: 'broken' };
    expect(await failure()).toMatchObject({ code: 'MESH_NOT_READY', flag: 'NC' });
  });

  it('a port of HTTP has routes for requests, none for connections', async () => {
    await stage.serve(undefined, {});
    expect(await failure()).toMatchObject({
      code: 'MESH_NO_ROUTE',
      flag: 'NR',
      hint: expect.stringContaining('mesh.fetch'),
    });
  });

  it.each(['unknown host', 'no chain fits'])('%s: dialled as written, or refused under REGISTRY_ONLY', async (why) => {
    if (why !== 'unknown host') {
      await stage.serve({ chains: [chain({ one: 1 }, { serverNames: ['else'] })] }, { one: cluster('one', [b.port]) });
    }
    const socket = await open({ host: 'localhost', port: a.port });
    expect(await greeting(socket)).toBe('a');
    await close(socket);
    stage.runtime.outboundPolicy = 'REGISTRY_ONLY';
    expect(await failure({ host: 'localhost', port: a.port })).toMatchObject({ code: 'MESH_BLOCKED' });
    expect(stories().map(({ cluster: name }) => name)).toEqual(['PassthroughCluster', 'BlackHoleCluster']);
    const loopback = await open({ host: '127.0.0.1', port: a.port });
    await close(loopback);
  });

  it('waits for the configuration no longer than it may, and follows the newest', async () => {
    const live = await stage.serve({ chains: [chain({ one: 1 })] }, { one: cluster('one', [a.port]) });
    const ready = stage.state;
    const settled = Promise.withResolvers<typeof ready>();
    stage.state = { kind: 'pending', settled: settled.promise };
    const socket = open();
    stage.state = ready;
    settled.resolve(ready);
    await close(await socket);
    expect(live.upstreams.size).toBe(1);
    stage.state = { kind: 'pending', settled: new Promise(() => {}) };
    stage = Object.assign(stage, { runtime: { ...stage.runtime, configTimeoutMs: 5 } });
    expect(await failure()).toMatchObject({ code: 'MESH_NOT_READY' });
  });

  it.each(['before', 'while waiting', 'while dialling'])(
    'an abort %s rejects with its very reason and leaves nothing',
    async (when) => {
      const abort = new AbortController();
      const reason = new Error('enough');
      // An address that never answers; where there is no way to it at all the abort still comes first.
      const live = await stage.serve(
        { chains: [chain({ one: 1 })] },
        { one: cluster('one', [{ address: '192.0.2.1', port: 9 }]) },
      );
      if (when === 'before') abort.abort(reason);
      if (when === 'while waiting') stage.state = { kind: 'pending', settled: new Promise(() => {}) };
      const opening = open({ signal: abort.signal });
      queueMicrotask(() => abort.abort(reason));
      await expect(opening).rejects.toBe(reason);
      expect(live.upstreams.get('one')?.breaker('default')).toMatchObject({ connections: 0, pending: 0 });
      expect(live.upstreams.get('one')?.hosts()[0]?.activeRequests).toBe(0);
      if (when !== 'before') expect(stories()[0]?.flags).toEqual(['DC']);
    },
  );

  it.each([{ host: '' }, { host: 'a b' }, { port: 0 }, { port: 70_000 }, { port: 1.5 }])(
    '%j is refused',
    async (bad) => {
      expect(await failure(bad)).toMatchObject({ code: 'MESH_CONFIG_INVALID' });
    },
  );
});

describe('an established connection', () => {
  it('ends when it is idle for the chain’s idle timeout; bytes keep it', async () => {
    await stage.serve({ chains: [chain({ one: 1 }, { idleTimeoutMs: 40 })] }, { one: cluster('one', [a.port]) });
    const socket = await open();
    socket.resume();
    const [error] = await once(socket, 'error');
    expect(error).toMatchObject({ code: 'MESH_TIMEOUT' });
    expect(stories()).toHaveLength(0);
    await once(socket, 'close');
    expect(stories()).toHaveLength(1);
  });

  it('ends when it has lived as long as it may (DT)', async () => {
    await stage.serve({ chains: [chain({ one: 1 }, { maxDurationMs: 20 })] }, { one: cluster('one', [a.port]) });
    const socket = await open();
    const talk = setInterval(() => socket.write('x'), 2);
    socket.resume();
    const [error] = await once(socket, 'error');
    clearInterval(talk);
    expect(error).toMatchObject({ code: 'MESH_TIMEOUT', flag: 'DT' });
  });
});
