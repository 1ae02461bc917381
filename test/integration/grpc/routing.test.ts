import http2 from 'node:http2';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Echo, type EchoClient, type Handlers, servePeer, told } from '../../../sdk/src/grpc/peer.fixture.ts';
import type { Mesh } from '../../../sdk/src/index.ts';
import { guard, peerOf } from '../../../sdk/src/server/index.ts';
import { createTestMesh, type TestMesh } from '../../../xds-server/src/testing/index.ts';

/** A gRPC client is steered by the resources that steer meshFetch. */

const SERVICE = `
apiVersion: v1
kind: Service
metadata: { name: echo }
spec:
  ports: [{ name: grpc, port: 80 }]
  selector: { app: echo }
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: echo }
spec:
  host: echo
  subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }]
`;

const http = (rules: string): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: echo }
spec:
  hosts: [echo]
  http: ${rules}
`;
const to = (subset: string, weight = 100): string =>
  `{ destination: { host: echo, subset: ${subset} }, weight: ${weight} }`;

const HELLO = Buffer.from('hello');
const { status } = grpc;

let test: TestMesh;
let web: Mesh;
let client: EchoClient;
const ends: (() => unknown)[] = [];
beforeEach(async () => {
  test = await createTestMesh({ yaml: SERVICE });
  web = test.mesh({ workload: 'web' });
  client = new Echo('echo:80', grpc.credentials.createInsecure(), web.grpc());
});
afterEach(async () => {
  client.close();
  await test.close();
  for (const end of ends.splice(0)) await end();
});

type Unary = (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => void;

/** One version of the service; answers with its name unless told otherwise. */
async function echo(
  version: string,
  unary: Unary = (_, done) => done(null, Buffer.from(version)),
  more: Handlers = {},
) {
  const peer = await servePeer({ unary, ...more });
  ends.push(() => peer.close());
  test.mesh({ workload: `echo-${version}`, service: { name: 'echo', port: peer.port, version } });
  return peer;
}

const call = (headers: Readonly<Record<string, string>> = {}, options: grpc.CallOptions = {}) =>
  told((done) => {
    const metadata = new grpc.Metadata();
    for (const [name, value] of Object.entries(headers)) metadata.set(name, value);
    return client.unary(HELLO, metadata, { deadline: Date.now() + 15_000, ...options }, done);
  });

const answerOf = async (headers?: Readonly<Record<string, string>>): Promise<string> => {
  const { value, status: end } = await call(headers);
  return value === undefined ? `${end.code}: ${end.details}` : String(value);
};

describe('a VirtualService', () => {
  it('routes by metadata', async () => {
    await Promise.all([echo('v1'), echo('v2')]);
    const match = '[{ headers: { end-user: { exact: jason } } }]';
    await test.apply(http(`[{ match: ${match}, route: [${to('v2')}] }, { route: [${to('v1')}] }]`));
    expect(await answerOf({ 'end-user': 'jason' })).toBe('v2');
    expect(await answerOf({ 'end-user': 'other' })).toBe('v1');
    expect(await answerOf()).toBe('v1');
  });

  it('routes by method', async () => {
    await Promise.all([echo('v1'), echo('v2')]);
    const match = '[{ uri: { exact: /test.Echo/Unary } }]';
    await test.apply(http(`[{ match: ${match}, route: [${to('v2')}] }, { route: [${to('v1')}] }]`));
    expect(await answerOf()).toBe('v2');
  });

  it('splits 50/50, and an edit holds from the next call on', async () => {
    await Promise.all([echo('v1'), echo('v2')]);
    await test.apply(http(`[{ route: [${to('v1', 50)}, ${to('v2', 50)}] }]`));
    const answers = await Promise.all(Array.from({ length: 200 }, () => answerOf()));
    const first = answers.filter((text) => text === 'v1').length;
    expect(answers.every((text) => text === 'v1' || text === 'v2')).toBe(true);
    expect(first).toBeGreaterThan(50);
    expect(first).toBeLessThan(150);
    await test.apply(http(`[{ route: [${to('v2')}] }]`));
    expect(await answerOf()).toBe('v2');
  });

  it('retries what is unavailable, and nothing else', async () => {
    let calls = 0;
    const unary: Unary = (request, done) => {
      const code = Number(String(request.metadata.get('x-code')));
      if (++calls < 3) done({ code, details: 'not now' });
      else done(null, Buffer.from(String(calls)));
    };
    await echo('v1', unary);
    await test.apply(http(`[{ retries: { attempts: 3, retryOn: unavailable }, route: [${to('v1')}] }]`));
    expect(await answerOf({ 'x-code': '14' })).toBe('3');
    calls = 0;
    expect(await answerOf({ 'x-code': '13' })).toBe('13: not now');
    expect(calls).toBe(1);
  });

  it('ends a call at its timeout with DEADLINE_EXCEEDED', async () => {
    await echo('v1', () => {});
    await test.apply(http(`[{ timeout: 0.2s, route: [${to('v1')}] }]`));
    expect((await call()).error?.code).toBe(status.DEADLINE_EXCEEDED);
  });

  it.each([
    ['grpcStatus: RESOURCE_EXHAUSTED', status.RESOURCE_EXHAUSTED],
    ['httpStatus: 503', status.UNAVAILABLE],
    ['httpStatus: 404', status.UNIMPLEMENTED],
  ])('aborts with a fault of %s', async (abort, code) => {
    await echo('v1');
    const fault = `{ abort: { ${abort}, percentage: { value: 100 } } }`;
    await test.apply(http(`[{ fault: ${fault}, route: [${to('v1')}] }]`));
    expect((await call()).error?.code).toBe(code);
  });

  it('delays by a fault, within the deadline of the caller', async () => {
    await echo('v1');
    const fault = '{ delay: { fixedDelay: 10s, percentage: { value: 100 } } }';
    await test.apply(http(`[{ fault: ${fault}, route: [${to('v1')}] }]`));
    const { error } = await call({}, { deadline: Date.now() + 200 });
    expect(error?.code).toBe(status.DEADLINE_EXCEEDED);
  });

  it('mirrors a unary call', async () => {
    const mirrored = Promise.withResolvers<string>();
    await echo('v1');
    await echo('v2', (request, done) => {
      mirrored.resolve(String(request.request));
      done(null, HELLO);
    });
    await test.apply(http(`[{ route: [${to('v1')}], mirror: { host: echo, subset: v2 } }]`));
    expect(await answerOf()).toBe('v1');
    expect(await mirrored.promise).toContain('hello');
  });

  it('changes metadata on its way out and back', async () => {
    await echo('v1', (request, done) => done(null, Buffer.from(String(request.metadata.get('x-by')))));
    const headers = '{ request: { set: { x-by: mesh } }, response: { set: { x-told: mesh } } }';
    await test.apply(http(`[{ headers: ${headers}, route: [${to('v1')}] }]`));
    const { value, metadata } = await call();
    expect(String(value)).toBe('mesh');
    expect(metadata?.get('x-told')).toEqual(['mesh']);
  });

  it('routes streams by the same rules', async () => {
    await echo('v1');
    await echo('v2', undefined, {
      spread: (stream: grpc.ServerWritableStream<Buffer, Buffer>) => {
        stream.write(Buffer.from('v2'));
        stream.end();
      },
    });
    await test.apply(http(`[{ route: [${to('v2')}] }]`));
    const heard: string[] = [];
    for await (const part of client.spread(HELLO)) heard.push(String(part));
    expect(heard).toEqual(['v2']);
  });
});

describe('a host', () => {
  it('without an endpoint is UNAVAILABLE and says so', async () => {
    await test.settled();
    const { error } = await call();
    expect(error).toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining('MESH_NO_HEALTHY_UPSTREAM'),
    });
  });

  it('that fails is ejected', async () => {
    await echo('v1');
    await echo('v2', (_, done) => done({ code: status.UNAVAILABLE, details: 'broken' }));
    await test.apply(`
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: echo }
spec:
  host: echo
  trafficPolicy:
    outlierDetection: { consecutive5xxErrors: 2, interval: 1s, baseEjectionTime: 60s, maxEjectionPercent: 100 }
`);
    for (let n = 0; n < 20; n++) await call();
    expect(web.ejections()).toHaveLength(1);
    expect(await Promise.all(Array.from({ length: 5 }, () => answerOf()))).toEqual(Array(5).fill('v1'));
  });
});

describe('mutual TLS', () => {
  it('is spoken where the mesh is STRICT, and the peer has its SPIFFE ID', async () => {
    await test.apply(`
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: default, namespace: istio-system }
spec: { mtls: { mode: STRICT } }
`);
    const app = http2.createServer((request, response) => {
      request.resume();
      response.writeHead(200, { 'content-type': 'application/grpc' });
      response.addTrailers({ 'grpc-status': '0' });
      const caller = Buffer.from(peerOf(request)?.id ?? 'nobody');
      response.end(Buffer.concat([Buffer.from([0, 0, 0, 0, caller.length]), caller]));
    });
    const mesh = test.mesh({ workload: 'echo', serviceAccount: 'echo' });
    const guarded = guard(app, { mesh, service: 'echo', port: 0, host: '127.0.0.1' });
    await guarded.listen();
    ends.push(() => guarded.close());
    await test.settled();
    let begun: grpc.ClientUnaryCall | undefined;
    const { value, status: end } = await told((done) => {
      begun = client.unary(HELLO, new grpc.Metadata(), { deadline: Date.now() + 15_000 }, done);
      return begun;
    });
    expect(end.details).toBe('');
    expect(String(value)).toBe('spiffe://cluster.local/ns/default/sa/default');
    expect(begun?.getAuthContext()).toMatchObject({ spiffeId: 'spiffe://cluster.local/ns/default/sa/echo' });
  });
});
