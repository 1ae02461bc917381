import { Client, credentials, Metadata, Server, ServerCredentials, type ServiceError, status } from '@grpc/grpc-js';
import { createXdsServer, type MemorySource, memorySource, type XdsServer } from '@inmesh/xds-server';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { rawMethod } from '../harness/raw-method.ts';

/** Google's own xDS client for grpc-js, served by this control plane (SotW, plaintext: it has no other credentials). */

const METHOD = '/echo.Echo/Say';
const pass = (bytes: Buffer): Buffer => bytes;

/** A gRPC server that answers with its name. */
async function echo(name: string): Promise<{ port: number; server: Server }> {
  const server = new Server();
  server.addService(
    { Say: rawMethod(METHOD) },
    {
      Say: (_call: unknown, done: (error: null, value: Buffer) => void) => done(null, Buffer.from(name)),
    },
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) =>
      error ? reject(error) : resolve(bound),
    ),
  );
  return { port, server };
}

const workload = (version: string, port: number): string => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: {name: echo-${version}}
spec: {address: 127.0.0.1, ports: {grpc: ${port}}, labels: {app: echo, version: ${version}}}
---`;

const SERVICE = `
apiVersion: v1
kind: Service
metadata: {name: echo}
spec: {ports: [{name: grpc, port: 7070}], selector: {app: echo}}
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: echo}
spec: {host: echo, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]}
---`;

const rule = (http: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: echo}
spec: {hosts: [echo], http: [${http}]}
`;
const route = (...shares: readonly (readonly [string, number])[]): string =>
  `route: [${shares.map(([subset, weight]) => `{destination: {host: echo, subset: ${subset}}, weight: ${weight}}`).join(', ')}]`;

let source: MemorySource;
let server: XdsServer;
let xds = '';
let yaml = '';
const echoes: Server[] = [];
const clients: Client[] = [];

async function startServer(address: string): Promise<void> {
  source = memorySource(yaml);
  server = createXdsServer({ source });
  ({ xds } = await server.listen({ xds: address }));
}

/** What the control plane is to hold from now on; resolves when every client has it. */
async function hold(http: string): Promise<void> {
  source.apply(rule(http));
  await server.settled();
}

beforeAll(async () => {
  const servers = await Promise.all(['v1', 'v2'].map(echo));
  echoes.push(...servers.map((one) => one.server));
  yaml =
    SERVICE +
    servers.map(({ port }, index) => workload(`v${index + 1}`, port)).join('') +
    rule(`{${route(['v1', 100])}}`);
  await startServer('127.0.0.1:0');
  process.env.GRPC_XDS_BOOTSTRAP_CONFIG = JSON.stringify({
    xds_servers: [{ server_uri: xds, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
    // It wants a locality, even an empty one.
    node: { id: 'grpc-js', locality: {}, metadata: { NAMESPACE: 'default' } },
  });
  const { register } = await import('@grpc/grpc-js-xds');
  register();
});

afterAll(async () => {
  for (const client of clients) client.close();
  await server.close();
  for (const one of echoes) one.forceShutdown();
});

function dial(target: string, deadlineMs = 10_000): (metadata?: Readonly<Record<string, string>>) => Promise<string> {
  const client = new Client(`xds:///${target}`, credentials.createInsecure());
  clients.push(client);
  return (headers = {}) =>
    new Promise((resolve) => {
      const metadata = new Metadata();
      for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
      const answer = (error: ServiceError | null, value?: Buffer) =>
        resolve(error ? (status[error.code] ?? String(error.code)) : String(value));
      client.makeUnaryRequest(
        METHOD,
        pass,
        pass,
        Buffer.alloc(0),
        metadata,
        { deadline: Date.now() + deadlineMs },
        answer,
      );
    });
}

async function share(call: () => Promise<string>, calls = 200): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const answer of await Promise.all(Array.from({ length: calls }, call)))
    counts[answer] = (counts[answer] ?? 0) + 1;
  return counts;
}

describe('grpc-js-xds as a client', () => {
  it.each(['echo:7070', 'echo.default:7070', 'echo.default.svc.cluster.local:7070'])(
    'resolves xds:///%s',
    async (target) => {
      expect(await dial(target)()).toBe('v1');
    },
  );

  it('has everything acknowledged', async () => {
    await server.settled();
    const [client] = server.clients();
    expect(client).toMatchObject({ id: 'grpc-js', method: 'sotw' });
    expect(Object.values(client?.types ?? {}).map((type) => type.status)).toEqual([
      'SYNCED',
      'SYNCED',
      'SYNCED',
      'SYNCED',
    ]);
  });

  it('follows edits: subsets, headers, weights', async () => {
    const call = dial('echo:7070');
    expect(await call()).toBe('v1');
    await hold(`{${route(['v2', 100])}}`);
    expect(await call()).toBe('v2');
    await hold(`{match: [{headers: {end-user: {exact: jason}}}], ${route(['v2', 100])}}, {${route(['v1', 100])}}`);
    expect([await call(), await call({ 'end-user': 'jason' })]).toEqual(['v1', 'v2']);
    await hold(`{${route(['v1', 50], ['v2', 50])}}`);
    const counts = await share(call);
    // 1 in 10⁶ either way.
    expect(counts.v1).toBeGreaterThan(65);
    expect(counts.v1).toBeLessThan(135);
    expect((counts.v1 ?? 0) + (counts.v2 ?? 0)).toBe(200);
  });

  it('fails no call while rules change under it', async () => {
    const call = dial('echo:7070');
    const answers = new Set<string>();
    let isOver = false;
    const calling = (async () => {
      while (!isOver) answers.add(await call());
    })();
    for (let edit = 0; edit < 20; edit++) {
      source.apply(rule(`{${route(edit % 2 === 0 ? ['v2', 100] : ['v1', 100])}}`));
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    isOver = true;
    await calling;
    expect([...answers].sort()).toEqual(['v1', 'v2']);
  });

  it('keeps calling while the control plane is away, and follows the one that comes in its place', async () => {
    const call = dial('echo:7070');
    await hold(`{${route(['v1', 100])}}`);
    expect(await call()).toBe('v1');
    yaml = yaml.replace(
      /kind: VirtualService[\s\S]*$/,
      rule(`{${route(['v1', 100])}}`).replace(/^[\s\S]*?(?=kind: Virt)/, ''),
    );
    await server.close();
    expect(await share(call, 50)).toEqual({ v1: 50 });
    await startServer(xds);
    await expect.poll(() => server.clients().length, { timeout: 30_000 }).toBe(1);
    expect(await call()).toBe('v1');
    await hold(`{${route(['v2', 100])}}`);
    expect(await call()).toBe('v2');
  });

  it('is answered at once about a name that does not exist; SotW has no word for it, so the call ends by its own deadline (gRPC A57)', async () => {
    const call = dial('nobody:7070', 1_000)();
    await expect
      .poll(() => server.clients()[0]?.types.lds)
      .toMatchObject({
        status: 'SYNCED',
        names: expect.arrayContaining(['nobody:7070']),
      });
    expect(await call).toBe('DEADLINE_EXCEEDED');
  });
});
