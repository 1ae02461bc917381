import { once } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import { createMesh } from '@inmesh/sdk';
import { createXdsServer, memorySource } from '@inmesh/xds-server';
import { ECHO, Echo } from './echo-service.mjs';

/** Everything that a client of grpc-js does with a channel, on the mesh: what differs between two releases of it shows here. */

const SERVICE = `
apiVersion: v1
kind: Service
metadata: { name: echo }
spec: { ports: [{ name: grpc, port: 80 }] }
`;

const peer = new grpc.Server();
peer.addService(ECHO, {
  unary(call, done) {
    const wish = String(call.request);
    if (wish === 'fail') done({ code: grpc.status.NOT_FOUND, details: 'none' });
    else if (wish !== 'sleep')
      done(null, Buffer.from(`${wish} ${call.metadata.get('x-by')} ${call.metadata.get('authorization')}`));
  },
  collect(call, done) {
    const parts = [];
    call.on('data', (part) => parts.push(part)).on('end', () => done(null, Buffer.concat(parts)));
  },
  spread(call) {
    for (const byte of call.request) call.write(Buffer.from([byte]));
    call.end();
  },
  chat(call) {
    call.on('data', (part) => call.write(part)).on('end', () => call.end());
  },
});
const insecure = grpc.ServerCredentials.createInsecure();
const port = await new Promise((resolve, reject) => {
  peer.bindAsync('127.0.0.1:0', insecure, (error, bound) => (error ? reject(error) : resolve(bound)));
});
const server = createXdsServer({ source: memorySource(SERVICE) });
await server.start();
const meshOf = (workload, service) =>
  createMesh({
    transport: server.transport({ namespace: 'default' }),
    namespace: 'default',
    workload,
    ...(service && { service }),
  });
const echo = meshOf('echo', { name: 'echo', port, address: '127.0.0.1' });
const mesh = meshOf('web');
await echo.ready();
await mesh.ready({ hosts: ['echo:80'] });
await server.settled();

const plain = grpc.credentials.createInsecure();
const interceptor = (options, next) =>
  new grpc.InterceptingCall(next(options), {
    start(metadata, listener, go) {
      metadata.set('x-by', 'interceptor');
      go(metadata, listener);
    },
  });
const client = new Echo('echo:80', plain, {
  interceptors: [interceptor],
  'grpc.default_compression_algorithm': 2,
  ...mesh.grpc(),
});
const direct = new Echo(`127.0.0.1:${port}`, plain, mesh.grpc());
const made = mesh.client(Echo, 'dns:///echo:80');

const token = grpc.credentials.createFromMetadataGenerator((_, done) => {
  const metadata = new grpc.Metadata();
  metadata.set('authorization', 'it');
  done(null, metadata);
});
const unary = (of, text, options = {}) =>
  new Promise((resolve) => {
    of.unary(Buffer.from(text), new grpc.Metadata(), options, (error, value) => {
      resolve(error ? `${error.code} ${error instanceof Error}` : String(value));
    });
  });
const collected = () =>
  new Promise((resolve, reject) => {
    const call = client.collect((error, value) => (error ? reject(error) : resolve(String(value))));
    call.write(Buffer.from('a'));
    call.write(Buffer.from('b'));
    call.end();
  });
const heard = async (call) => {
  let text = '';
  for await (const part of call) text += part;
  return text;
};
const chatted = async () => {
  const call = client.chat();
  call.write(Buffer.from('ping'));
  const [word] = await once(call, 'data');
  call.end();
  await once(call, 'status');
  return String(word);
};
const cancelled = () =>
  new Promise((resolve) => {
    const call = client.unary(Buffer.from('sleep'), (error) => resolve(error?.code));
    setImmediate(() => call.cancel());
  });
const ready = new Promise((resolve) => {
  made.waitForReady(Date.now() + 10_000, (error) => resolve(error === undefined));
});

const result = {
  unary: await unary(client, 'one', { credentials: token }),
  failed: await unary(client, 'fail'),
  late: await unary(client, 'sleep', { deadline: Date.now() + 100 }),
  cancelled: await cancelled(),
  collected: await collected(),
  spread: await heard(client.spread(Buffer.from('xyz'))),
  chatted: await chatted(),
  made: await unary(made, 'two'),
  direct: await unary(direct, 'three'),
  ready: await ready,
  states: [client.getChannel().getConnectivityState(false), client.getChannel().getTarget()],
};
process.stdout.write(JSON.stringify(result));
for (const one of [client, direct, made]) one.close();
await mesh.close();
await echo.close();
await server.close();
peer.forceShutdown();
