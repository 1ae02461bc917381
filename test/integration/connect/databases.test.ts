import type { Socket } from 'node:net';
import { createTestMesh, type TestMesh } from '@inmesh/xds-server/testing';
import { AbstractConnector, Redis } from 'ioredis';
import pg from 'pg';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { ConnectionStory, Mesh } from '../../../sdk/src/index.ts';
import { type DatabaseServer, hasPostgres, hasRedis, startPostgres, startRedis } from './servers.ts';

/** Two servers behind one name: `v1` and `v2`. */
const service = (host: string, port: number, protocol: string, [one, two]: readonly number[]): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ${host}, namespace: default }
spec:
  hosts: [${host}.example]
  location: MESH_INTERNAL
  resolution: STATIC
  ports: [{ number: ${port}, name: db, protocol: ${protocol} }]
  endpoints:
    - { address: 127.0.0.1, labels: { version: v1 }, ports: { db: ${one} } }
    - { address: 127.0.0.1, labels: { version: v2 }, ports: { db: ${two} } }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${host}, namespace: default }
spec: { host: ${host}.example, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
`;

const route = (host: string, ...weights: readonly number[]): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${host}, namespace: default }
spec:
  hosts: [${host}.example]
  tcp: [{ route: [${weights.map((weight, index) => `{ destination: { host: ${host}.example, subset: v${index + 1} }, weight: ${weight} }`)}] }]
`;

let test: TestMesh;
let mesh: Mesh;
let servers: DatabaseServer[];
let stories: ConnectionStory[];

beforeEach(async () => {
  test = await createTestMesh({ yaml: '' });
  mesh = test.mesh({ workload: 'web' }) as Mesh;
  stories = [];
  mesh.on((event) => event.kind === 'connection' && stories.push(event.story));
});
afterEach(async () => {
  await test.close();
  await Promise.all(servers.map((server) => server.close()));
});

describe.skipIf(!hasPostgres)('PostgreSQL (skipped without its programs)', () => {
  const client = (options: pg.ClientConfig = {}): pg.Client =>
    new pg.Client({
      host: 'db.example',
      port: 5432,
      user: 'mesh',
      database: 'postgres',
      stream: () => mesh.socket(),
      ...options,
    });

  const portOf = async (options?: pg.ClientConfig): Promise<number> => {
    const one = client(options);
    await one.connect();
    const { rows } = await one.query('select inet_server_port() as port');
    await one.end();
    return rows[0].port;
  };

  it('pg: queries, a pool, a server that dies, and a route that moves live', { timeout: 60_000 }, async () => {
    const [one, two] = await Promise.all([startPostgres(), startPostgres()]);
    servers = [one, two];
    await test.apply(service('db', 5432, 'TCP', [one.port, two.port]));
    await test.apply(route('db', 100, 0));
    expect(await portOf()).toBe(one.port);
    // The stream may also be made with its address, and the pool calls connect all the same.
    expect(await portOf({ stream: () => mesh.socket({ host: 'db.example', port: 5432 }) })).toBe(one.port);

    const pool = new pg.Pool({
      host: 'db.example',
      port: 5432,
      user: 'mesh',
      database: 'postgres',
      max: 4,
      stream: () => mesh.socket(),
    });
    pool.on('error', () => {});
    await pool.query('create table t (id int primary key, body text)');
    const body = 'x'.repeat(200_000);
    await Promise.all(Array.from({ length: 20 }, (_, id) => pool.query('insert into t values ($1, $2)', [id, body])));
    const { rows } = await pool.query('select count(*)::int as n, sum(length(body))::int as bytes from t');
    expect(rows).toEqual([{ n: 20, bytes: 20 * body.length }]);

    await test.apply(route('db', 0, 100));
    expect(await portOf()).toBe(two.port);
    // What was open stays where it is.
    expect((await pool.query('select count(*)::int as n from t')).rows).toEqual([{ n: 20 }]);

    await two.close();
    await expect(client().connect()).rejects.toMatchObject({ code: 'MESH_CONNECT_FAILED', flag: 'UF' });
    await pool.end();
    const name = '/apis/networking.istio.io/v1/namespaces/default/virtual-service/db';
    expect(new Set(stories.map(({ route: by }) => by))).toEqual(new Set([name]));
    await vi.waitFor(() =>
      expect(stories.reduce((sum, { bytesOut }) => sum + bytesOut, 0)).toBeGreaterThan(20 * body.length),
    );
  });

  it('pg, with TLS of its own asked for: what the server says reaches it', { timeout: 60_000 }, async () => {
    servers = [await startPostgres()];
    await test.apply(service('db', 5432, 'TCP', [servers[0]?.port ?? 0, 1]));
    await test.apply(route('db', 100, 0));
    await expect(client({ ssl: true }).connect()).rejects.toThrow('does not support SSL');
  });
});

describe.skipIf(!hasRedis)('Redis (skipped without its program)', () => {
  /** As docs/guides/connections.md shows it. */
  const connectorTo = (host: string, port: number) =>
    class extends AbstractConnector {
      constructor(options: { disconnectTimeout: number }) {
        super(options.disconnectTimeout);
      }
      async connect(): Promise<Socket> {
        this.connecting = true;
        this.stream = await mesh.connect({ host, port });
        return this.stream as Socket;
      }
    };

  it('ioredis: commands, a pipeline, a subscription, and a new connection elsewhere', { timeout: 30_000 }, async () => {
    const [one, two] = await Promise.all([startRedis(), startRedis()]);
    servers = [one, two];
    await test.apply(service('cache', 6379, 'REDIS', [one.port, two.port]));
    await test.apply(route('cache', 100, 0));
    const Connector = connectorTo('cache.example', 6379);
    const options = { Connector: Connector as never, retryStrategy: () => 5 };
    const redis = new Redis(options);
    const port = async (): Promise<number> => Number(/tcp_port:(\d+)/.exec(await redis.info('server'))?.[1]);
    expect(await port()).toBe(one.port);
    await redis.set('key', 'x'.repeat(1_000_000));
    expect(await redis.strlen('key')).toBe(1_000_000);
    expect(await redis.pipeline().incr('n').incr('n').exec()).toEqual([
      [null, 1],
      [null, 2],
    ]);

    const subscriber = new Redis(options);
    const heard = new Promise((resolve) => subscriber.on('message', (...message) => resolve(message)));
    await subscriber.subscribe('news');
    await redis.publish('news', 'hello');
    expect(await heard).toEqual(['news', 'hello']);

    await test.apply(route('cache', 0, 100));
    expect(await port()).toBe(one.port);
    // Its server goes: ioredis connects anew, and the mesh knows where to.
    redis.on('error', () => {});
    subscriber.disconnect();
    await one.close();
    expect(await port()).toBe(two.port);
    await redis.quit();
  });
});
