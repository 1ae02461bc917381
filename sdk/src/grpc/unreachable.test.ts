import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusingPort } from '../../../test/harness/fault-server-sockets.ts';
import { ECHO } from './peer.fixture.ts';
import { named, retries, route, type Stage, shares, startStage, unary } from './policy.fixture.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
});
afterEach(() => stage.close());

const { status } = grpc;
const refusing = async () => ({ port: await refusingPort() });
const attempts = () => stage.calls().map(({ story }) => story.attempts.map(({ flag = 'OK' }) => flag));
const dials = () =>
  attempts()
    .flat()
    .filter((flag) => flag === 'UF').length;

describe('a host that takes no connections', () => {
  it('costs no call where another one does, and is not asked by every call', async () => {
    const peers = [await refusing(), await stage.peer(named('a')), await refusing(), await stage.peer(named('b'))];
    stage.set({ clusters: { a: { groups: [{ peers }] } } });
    expect([...(await shares(stage.client(), 40)).keys()].sort()).toEqual(['a', 'b']);
    expect(dials()).toBeGreaterThan(0);
    expect(dials()).toBeLessThan(20);
  });

  it('leaves its share to the others alike', async () => {
    const peers = [await stage.peer(named('a')), await refusing(), await stage.peer(named('b'))];
    stage.set({ clusters: { a: { groups: [{ peers }] } } });
    const client = stage.client();
    while (dials() === 0) await unary(client);
    const { a = 0, b = 0 } = Object.fromEntries(await shares(client, 100));
    expect(Math.abs(a - b)).toBeLessThan(20);
  });

  it('is no attempt to the retry policy, nor to the server', async () => {
    let told: unknown = 'nothing';
    const good = await stage.peer({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        told = call.metadata.get('grpc-previous-rpc-attempts');
        done(null, call.request);
      },
    });
    const groups = [
      { peers: [await refusing(), await refusing()], priority: 0 },
      { peers: [good], priority: 1 },
    ];
    stage.set({ clusters: { a: { groups } }, routes: [route('a', retries('unavailable', 1))] });
    expect((await unary(stage.client())).status.code).toBe(status.OK);
    expect(attempts()).toEqual([['UF', 'UF', 'OK']]);
    expect(told).toEqual([]);
    expect(stage.calls()).toMatchObject([{ story: { flags: [] } }]);
  });

  it.each(['0', '1'])('fails the call where there is no other, with `grpc.enable_retries` %s', async (on) => {
    const peers = [await refusing(), await refusing()];
    stage.set({ clusters: { a: { groups: [{ peers }] } } });
    const { code, details } = (await unary(stage.client({ 'grpc.enable_retries': Number(on) }))).status;
    expect([code, details]).toEqual([status.UNAVAILABLE, expect.stringContaining('MESH_CONNECT_FAILED')]);
    expect(attempts()).toEqual([['UF', 'UF']]);
    // Both rest: one of them is asked all the same.
    expect((await unary(stage.client())).status.code).toBe(status.UNAVAILABLE);
    expect(attempts()[1]).toEqual(['UF']);
  });

  it('is used again by a call that waits for it', async () => {
    const { port } = await refusing();
    stage.set({ clusters: { a: { groups: [{ peers: [{ port }] }] } } });
    const client = stage.client();
    expect((await unary(client)).status.code).toBe(status.UNAVAILABLE);
    const metadata = new grpc.Metadata({ waitForReady: true });
    const waiting = new Promise<Buffer | undefined>((resolve) =>
      client.unary(Buffer.from('x'), metadata, { deadline: Date.now() + 30_000 }, (_: unknown, value?: Buffer) =>
        resolve(value),
      ),
    );
    const server = new grpc.Server();
    server.addService(
      { unary: ECHO.unary },
      { unary: (_: unknown, done: grpc.sendUnaryData<Buffer>) => done(null, Buffer.from('back')) },
    );
    await new Promise((resolve) =>
      server.bindAsync(`127.0.0.1:${port}`, grpc.ServerCredentials.createInsecure(), resolve),
    );
    expect(String(await waiting)).toBe('back');
    server.forceShutdown();
  });

  it('is asked once by other calls of the mesh, whose policy says what becomes of it', async () => {
    const peers = [await refusing()];
    stage.set({ clusters: { a: { groups: [{ peers }] } } });
    expect((await stage.test.mesh.fetch('http://echo')).status).toBe(503);
    expect(attempts()).toEqual([['UF']]);
  });
});

describe('a call that its server resets before it answers', () => {
  it.each([
    ['internal', status.OK, 2],
    ['unavailable', status.INTERNAL, 1],
  ])('is repeated where the words of its policy have what it comes to: %s', async (words, code, count) => {
    let calls = 0;
    const server = http2.createServer().on('stream', (stream) => {
      stream.on('error', () => {});
      if (++calls === 1) {
        stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
        return;
      }
      stream.respond({ 'content-type': 'application/grpc' }, { waitForTrailers: true });
      stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }));
      stream.end(Buffer.alloc(5));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    stage.set({ clusters: { a: { groups: [{ peers: [{ port }] }] } }, routes: [route('a', retries(words, 2))] });
    expect((await unary(stage.client())).status.code).toBe(code);
    expect(calls).toBe(count);
    server.close();
  });
});
