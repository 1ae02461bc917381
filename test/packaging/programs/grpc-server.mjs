import * as grpc from '@grpc/grpc-js';
import { createMesh } from '@inmesh/sdk';
import { addAdminServices, guard, peerOf } from '@inmesh/sdk/server';
import { createXdsServer, memorySource } from '@inmesh/xds-server';
import { ECHO, Echo } from './echo-service.mjs';

/** A guarded server of grpc-js, under STRICT: what differs between two releases of it shows here. */

const STRICT = `
apiVersion: v1
kind: Service
metadata: { name: echo }
spec: { ports: [{ name: grpc, port: 80 }] }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default }
spec: { mtls: { mode: STRICT } }
`;

const control = createXdsServer({ source: memorySource(STRICT) });
await control.start();
const meshOf = (serviceAccount) => {
  const transport = control.transport({ namespace: 'default', serviceAccount });
  return createMesh({ transport, workload: serviceAccount, namespace: 'default', serviceAccount });
};
const mesh = meshOf('echo');
const web = meshOf('web');
const through = (_, call) => new grpc.ServerInterceptingCall(call);
const server = new grpc.Server({ interceptors: [through, through] });
const by = (call) => Buffer.from(peerOf(call)?.serviceAccount ?? 'nobody');
server.addService(ECHO, {
  unary: (call, done) => done(null, by(call)),
  collect: (call, done) => call.on('data', () => {}).on('end', () => done(null, by(call))),
  spread(call) {
    call.write(by(call));
    call.end();
  },
  chat(call) {
    call.on('data', () => call.write(by(call))).on('end', () => call.end());
  },
});
const states = [];
const guarded = guard(server, {
  mesh,
  service: 'echo',
  onServing: () => states.push('serving'),
  onNotServing: (error) => states.push(error.code),
});
await addAdminServices(server, { mesh, grpc });
const port = await new Promise((resolve, reject) => {
  const insecure = grpc.ServerCredentials.createInsecure();
  server.bindAsync('127.0.0.1:0', insecure, (error, bound) => (error ? reject(error) : resolve(bound)));
});
await web.ready({ hosts: ['echo:80'] });
await control.settled();

const client = web.client(Echo, 'echo:80');
const settled = (run) =>
  new Promise((resolve) => {
    run((error, value) => resolve(error ? `${error.code}` : String(value)));
  });
const heard = async (call) => {
  let text = '';
  for await (const part of call) text += part;
  return text;
};
const plain = new Echo(`127.0.0.1:${port}`, grpc.credentials.createInsecure());
const collect = (done) => {
  const call = client.collect(done);
  call.write(Buffer.from('a'));
  call.end();
};
const chat = client.chat();
chat.write(Buffer.from('a'));
chat.end();
const result = {
  unary: await settled((done) => client.unary(Buffer.from('a'), done)),
  collected: await settled(collect),
  spread: await heard(client.spread(Buffer.from('a'))),
  chatted: await heard(chat),
  plain: (await settled((done) => plain.unary(Buffer.from('a'), done))) !== 'nobody',
};
plain.close();
client.close();
result.shutdown = await new Promise((resolve) => server.tryShutdown((error) => resolve(error === undefined)));
await guarded.close();
process.stdout.write(JSON.stringify({ ...result, states }));
await web.close();
await mesh.close();
await control.close();
