/** Ways of a gRPC call to the same server, each by a client of its own in this process. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { create, createFileRegistry } from '@bufbuild/protobuf';
import { FileDescriptorProtoSchema, FileDescriptorSetSchema } from '@bufbuild/protobuf/wkt';
import { createClient } from '@connectrpc/connect';
import { createGrpcTransport } from '@connectrpc/connect-node';
import * as grpc from '@grpc/grpc-js';
import { createMesh, type Mesh } from '@inmesh/sdk';
import { createXdsServer, memorySource } from '@inmesh/xds-server';
import { findEnvoy } from '../interop/envoy-hash/envoy.ts';
import { startOne, startPair } from './envoy-pair.ts';
import { ECHO, MESSAGES } from './grpc-origin.ts';
import { plugInCa } from './workload-certificates.ts';

export const MESSAGE = Buffer.alloc(100, 'x');

const Echo = grpc.makeClientConstructor(ECHO, 'Echo');
type EchoClient = InstanceType<typeof Echo>;

export type Kind = 'unary' | 'client stream' | 'server stream' | 'both ways';
export type Calls = Readonly<Partial<Record<Kind, () => Promise<unknown>>>>;

export interface Way {
  readonly calls: Calls;
  /** Processes between the client and the server. */
  readonly pids: readonly number[];
}

export interface Ways {
  /** By the names they have in the tables; `mesh` and `grpc-js` are always there. */
  readonly ways: ReadonlyMap<string, Way>;
  close(): Promise<void>;
}

const settled = (begin: (done: grpc.requestCallback<Buffer>) => unknown): Promise<unknown> =>
  new Promise((resolve, reject) => begin((error, value) => (error ? reject(error) : resolve(value))));

/** A stream has so many messages; of those both ways each waits for the answer to the one before. */
const callsOf = (client: EchoClient): Calls => ({
  unary: () => settled((done) => client.unary?.(MESSAGE, done)),
  'client stream': () =>
    settled((done) => {
      const call = client.collect?.(done) as unknown as grpc.ClientWritableStream<Buffer>;
      for (let n = 0; n < MESSAGES; n++) call.write(MESSAGE);
      call.end();
    }),
  'server stream': () => read(client.spread?.(MESSAGE) as unknown as grpc.ClientReadableStream<Buffer>, () => {}),
  'both ways': () => {
    const call = client.chat?.() as unknown as grpc.ClientDuplexStream<Buffer, Buffer>;
    call.write(MESSAGE);
    return read(call, (count) => (count < MESSAGES ? call.write(MESSAGE) : call.end()));
  },
});

const read = (call: grpc.ClientReadableStream<Buffer>, onMessage: (count: number) => void): Promise<void> =>
  new Promise((resolve, reject) => {
    let count = 0;
    call.on('data', () => onMessage(++count));
    call.on('error', reject);
    call.on('end', () => (count === MESSAGES ? resolve() : reject(new Error(`bench: ${count} messages`))));
  });

/** Ten routes with a header rule, as a service of some age has them; the last one takes the call. */
const worldOf = (port: number): string => `
apiVersion: v1
kind: Service
metadata: { name: echo }
spec: { ports: [{ name: grpc, port: 7070 }], selector: { app: echo } }
---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: echo }
spec: { address: 127.0.0.1, ports: { grpc: ${port} }, labels: { app: echo } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: echo }
spec:
  hosts: [echo]
  http:${Array.from({ length: 9 }, (_, index) => routeAt(`/other.Service${index}/`)).join('')}${routeAt('/')}
`;

const routeAt = (prefix: string): string => `
  - match: [{ uri: { prefix: ${prefix} } }]
    route: [{ destination: { host: echo } }]`;

const insecure = grpc.credentials.createInsecure();

export async function startWays(port: number, hasPeers: boolean): Promise<Ways> {
  const server = createXdsServer({ source: memorySource(worldOf(port)) });
  const { xds } = await server.listen({ xds: '127.0.0.1:0' });
  const mesh: Mesh = createMesh({ xds }, { env: {} });
  const clients: EchoClient[] = [];
  const dial = (target: string, options: grpc.ClientOptions = {}): Calls => {
    const client = new Echo(target, insecure, options);
    clients.push(client);
    return callsOf(client);
  };
  const ways = new Map<string, Way>([
    ['mesh', { calls: dial('echo:7070', mesh.grpc()), pids: [] }],
    ['grpc-js', { calls: dial(`127.0.0.1:${port}`), pids: [] }],
    ['grpc-js-xds', { calls: dial(await xdsTarget(xds)), pids: [] }],
    ['connect-node', { calls: connectTo(port), pids: [] }],
  ]);
  const stop = hasPeers ? await addEnvoys(ways, port, dial) : async () => {};
  return {
    ways,
    async close() {
      for (const client of clients) client.close();
      await mesh.close();
      await server.close();
      await stop();
    },
  };
}

/** Registers the client of grpc-js-xds, which reads its bootstrap once. */
async function xdsTarget(xds: string): Promise<string> {
  process.env.GRPC_XDS_BOOTSTRAP_CONFIG = JSON.stringify({
    xds_servers: [{ server_uri: xds, channel_creds: [{ type: 'insecure' }], server_features: ['xds_v3'] }],
    node: { id: 'bench', locality: {}, metadata: { NAMESPACE: 'default' } },
  });
  const { register } = await import('@grpc/grpc-js-xds');
  register();
  return 'xds:///echo:7070';
}

type Dial = (target: string) => Calls;

/** None where there is no Envoy. */
async function addEnvoys(ways: Map<string, Way>, port: number, dial: Dial): Promise<() => Promise<void>> {
  const binary = findEnvoy();
  if (binary === undefined) return async () => {};
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-bench-grpc-'));
  const certificates = await plugInCa(folder);
  const one = await startOne({ binary, port });
  const two = await startPair({ binary, port, certificates, http2: true, isHttp2Origin: true });
  ways.set('grpc-js through one Envoy', { calls: dial(`127.0.0.1:${one.port}`), pids: one.pids });
  ways.set('grpc-js through two Envoys with mTLS', { calls: dial(`127.0.0.1:${two.port}`), pids: two.pids });
  return async () => {
    await one.stop();
    await two.stop();
    rmSync(folder, { recursive: true, force: true });
  };
}

/** Its protocol of gRPC; a message of one field of bytes, as it takes none without a schema. */
function connectTo(port: number): Calls {
  const registry = createFileRegistry(
    create(FileDescriptorSetSchema, {
      file: [
        create(FileDescriptorProtoSchema, {
          name: 'echo.proto',
          package: 'bench',
          syntax: 'proto3',
          messageType: [
            { name: 'Message', field: [{ name: 'value', number: 1, type: 12, label: 1, jsonName: 'value' }] },
          ],
          service: [
            { name: 'Echo', method: [{ name: 'Unary', inputType: '.bench.Message', outputType: '.bench.Message' }] },
          ],
        }),
      ],
    }),
  );
  const service = registry.getService('bench.Echo');
  if (service === undefined) throw new Error('bench: the schema has no service');
  const client = createClient(service, createGrpcTransport({ baseUrl: `http://127.0.0.1:${port}` }));
  const { unary } = client as unknown as { unary(message: { value: Uint8Array }): Promise<unknown> };
  return { unary: () => unary({ value: MESSAGE }) };
}
