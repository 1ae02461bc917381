import { once } from 'node:events';
import { createTestMesh, type TestMesh } from '@inmesh/xds-server/testing';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { deadPort, type Echo, greeting, startEcho } from '../../../sdk/src/connect/connect.fixture.ts';
import { type ConnectionStory, formatExplanation, type Mesh } from '../../../sdk/src/index.ts';

let test: TestMesh;
let mesh: Mesh;
let one: Echo;
let two: Echo;

beforeEach(async () => {
  test = await createTestMesh({ yaml: '' });
  mesh = test.mesh({ workload: 'web' }) as Mesh;
  [one, two] = await Promise.all([startEcho('one'), startEcho('two')]);
});
afterEach(async () => {
  await test.close();
  await Promise.all([one.close(), two.close()]);
});

const PLAIN = '{ connectionPool: { tcp: { connectTimeout: 2s } } }';

const world = (ports: readonly number[], policy = PLAIN, protocol = 'TCP'): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: db, namespace: default }
spec:
  hosts: [db.example]
  resolution: STATIC
  ports: [{ number: 5432, name: db, protocol: ${protocol} }]
  endpoints: [${ports.map((port, index) => `{ address: 127.0.0.1, labels: { version: v${index + 1} }, ports: { db: ${port} } }`)}]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: db, namespace: default }
spec:
  host: db.example
  trafficPolicy: ${policy}
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
`;

const SPLIT = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: db, namespace: default }
spec:
  hosts: [db.example]
  tcp:
    - match: [{ port: 5432 }]
      route:
        - { destination: { host: db.example, subset: v1 }, weight: 75 }
        - { destination: { host: db.example, subset: v2 }, weight: 25 }
`;

const greet = async (): Promise<string> => {
  const socket = await mesh.connect({ host: 'db.example', port: 5432 });
  const name = await greeting(socket);
  const closed = once(socket, 'close');
  socket.destroy();
  await closed;
  return name;
};
const failure = (): Promise<{ code?: string; flag?: string }> =>
  greet().then(
    () => ({}),
    (error: { code: string; flag: string }) => error,
  );

describe('mesh.connect by the resources', () => {
  it('goes by the service where no rule stands, by tcp routes where one does', async () => {
    await test.apply(world([one.port]));
    expect(await greet()).toBe('one');
    await test.apply(world([one.port, two.port]));
    await test.apply(SPLIT);
    const counts = { one: 0, two: 0 };
    const rounds = 200;
    for (let round = 0; round < rounds; round++) counts[(await greet()) as 'one' | 'two']++;
    // 6 standard deviations of 200 draws of 1 in 4.
    expect(Math.abs(counts.two - rounds / 4)).toBeLessThan(37);
  });

  it('a port that speaks HTTP has none; a name nobody knows is refused under REGISTRY_ONLY', async () => {
    await test.apply(world([one.port], PLAIN, 'HTTP'));
    expect(await failure()).toMatchObject({ code: 'MESH_NO_ROUTE', flag: 'NR' });
    await test.apply(`
apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: { name: default, namespace: default }
spec: { egress: [{ hosts: ["~/*"] }], outboundTrafficPolicy: { mode: REGISTRY_ONLY } }
`);
    expect(await failure()).toMatchObject({ code: 'MESH_BLOCKED' });
  });

  it('connectionPool.tcp: maxConnections refuses at once, connectTimeout and idleTimeout hold', async () => {
    await test.apply(world([one.port], '{ connectionPool: { tcp: { maxConnections: 1, idleTimeout: 50ms } } }'));
    const socket = await mesh.connect({ host: 'db.example', port: 5432 });
    expect(await failure()).toMatchObject({ code: 'MESH_OVERFLOW', flag: 'UO' });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    const [error] = await once(socket.resume(), 'error');
    expect(error).toMatchObject({ code: 'MESH_TIMEOUT' });
    await closed;
    expect(await greet()).toBe('one');
  });

  it('outlier detection: a host that refuses connections is left out', async () => {
    const policy = '{ outlierDetection: { consecutive5xxErrors: 2, baseEjectionTime: 60s, maxEjectionPercent: 100 } }';
    await test.apply(world([await deadPort(), two.port], policy));
    const stories: ConnectionStory[] = [];
    mesh.on((event) => event.kind === 'connection' && stories.push(event.story));
    for (let round = 0; round < 20; round++) await failure();
    expect(stories.filter(({ flag }) => flag === 'UF')).toHaveLength(2);
    expect(stories.slice(-10).map(({ flag }) => flag)).toEqual(Array(10).fill(undefined));
  });
});

describe('mesh.explain of a connection', () => {
  it('tells chain, split, endpoints and terms; nothing is dialled', async () => {
    await test.apply(world([one.port, two.port], '{ connectionPool: { tcp: { idleTimeout: 30s } } }'));
    await test.apply(SPLIT);
    const explanation = await mesh.explain({ url: 'tcp://DB.example:5432', random: 80 });
    expect(explanation).toMatchObject({
      request: { method: 'CONNECT', url: 'tcp://db.example:5432', random: 80 },
      considered: [{ rule: 'any connection', matched: true }],
      route: '/apis/networking.istio.io/v1/namespaces/default/virtual-service/db',
      cluster: 'outbound|5432|v2|db.example',
      split: [
        { cluster: 'outbound|5432|v1|db.example', weight: 75, range: [0, 74] },
        { cluster: 'outbound|5432|v2|db.example', weight: 25, range: [75, 99] },
      ],
      endpoints: [{ address: `127.0.0.1:${two.port}`, state: 'healthy' }],
      notes: ['without a byte for 30 s it is closed'],
    });
    expect(formatExplanation(explanation)).toContain('CONNECT tcp://db.example:5432');
    expect([one.sockets.size, two.sockets.size]).toEqual([0, 0]);
  });

  it('says why there is none', async () => {
    await test.apply(world([one.port], PLAIN, 'HTTP'));
    const notes = async (url: string) => (await mesh.explain({ url })).notes.join();
    expect(await notes('tcp://db.example:5432')).toContain('speaks HTTP');
    expect(await notes('tcp://unknown.example:1')).toContain('PassthroughCluster');
    await expect(mesh.explain({ url: 'tcp://db.example' })).rejects.toMatchObject({ code: 'MESH_CONFIG_INVALID' });
  });
});
