import http2 from 'node:http2';
import { create, createFileRegistry } from '@bufbuild/protobuf';
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  file_google_protobuf_wrappers,
} from '@bufbuild/protobuf/wkt';
import { Code, ConnectError, createClient } from '@connectrpc/connect';
import { connectNodeAdapter } from '@connectrpc/connect-node';
import { createMesh } from '@inmesh/sdk';
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from '@inmesh/sdk/connectrpc';
import { createXdsServer, memorySource } from '@inmesh/xds-server';

/** Clients of Connect on the mesh: what differs between two releases of it shows here. */

const SERVICE = `
apiVersion: v1
kind: Service
metadata: { name: echo }
spec: { ports: [{ name: grpc, port: 80 }] }
`;
const TEXT = '.google.protobuf.StringValue';
const method = (name, clientStreaming, serverStreaming) => ({
  name,
  clientStreaming,
  serverStreaming,
  inputType: TEXT,
  outputType: TEXT,
});
const registry = createFileRegistry(
  create(FileDescriptorSetSchema, {
    file: [
      file_google_protobuf_wrappers.proto,
      create(FileDescriptorProtoSchema, {
        name: 'echo.proto',
        package: 'test',
        syntax: 'proto3',
        dependency: ['google/protobuf/wrappers.proto'],
        service: [
          {
            name: 'Echo',
            method: [
              method('Unary', false, false),
              method('Collect', true, false),
              method('Spread', false, true),
              method('Chat', true, true),
            ],
          },
        ],
      }),
    ],
  }),
);
const Echo = registry.getService('test.Echo');

const handler = connectNodeAdapter({
  routes: (router) => {
    router.service(Echo, {
      unary({ value }, { responseHeader, responseTrailer, signal }) {
        responseHeader.set('x-head', 'head');
        responseTrailer.set('x-trail', 'trail');
        if (value === 'fail') throw new ConnectError('none', Code.NotFound);
        if (value !== 'sleep') return { value };
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      },
      async collect(messages) {
        let value = '';
        for await (const message of messages) value += message.value;
        return { value };
      },
      async *spread({ value }) {
        for (const letter of value) yield { value: letter };
      },
      async *chat(messages) {
        for await (const { value } of messages) yield { value };
      },
    });
  },
});
const origin = http2.createServer(handler);
const sessions = new Set();
origin.on('session', (session) => sessions.add(session));
await new Promise((resolve) => origin.listen(0, '127.0.0.1', resolve));
const { port } = origin.address();

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

async function* said(...values) {
  for (const value of values) yield { value };
}

async function heard(messages) {
  let text = '';
  for await (const { value } of messages) text += value;
  return text;
}

async function tried(make, isBidi) {
  const client = createClient(Echo, make({ baseUrl: 'http://echo', mesh }));
  const codeOf = (value, options) =>
    client.unary({ value }, options).then(
      () => 0,
      (error) => error.code,
    );
  const told = [];
  const { value } = await client.unary(
    { value: 'one' },
    { onHeader: (all) => told.push(all.get('x-head')), onTrailer: (all) => told.push(all.get('x-trail')) },
  );
  return {
    unary: [value, ...told].join(' '),
    failed: await codeOf('fail'),
    late: await codeOf('sleep', { timeoutMs: 200 }),
    collected: (await client.collect(said('a', 'b'))).value,
    spread: await heard(client.spread({ value: 'xyz' })),
    ...(isBidi && { chatted: await heard(client.chat(said('ping'))) }),
  };
}

const result = {
  connect: await tried(createConnectTransport, false),
  grpc: await tried(createGrpcTransport, true),
  grpcWeb: await tried(createGrpcWebTransport, false),
};
process.stdout.write(JSON.stringify(result));
await mesh.close();
await echo.close();
await server.close();
for (const session of sessions) session.destroy();
origin.close();
