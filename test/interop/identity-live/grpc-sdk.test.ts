import http2 from 'node:http2';
import { describe, expect, it } from 'vitest';
import { type guard, peerOf } from '../../../sdk/src/server/index.ts';
import { destinationRule, idOf, peerAuthentication, service, type World } from '../../harness/secure-world.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { bootstrap, issue } from './certificate-files.ts';
import { buildGrpcGo, findGrpcio, startGrpcPeer } from './grpc-peers.ts';
import { startGuarded, useWorlds } from './live.ts';

const start = useWorlds();
const ECHO = 'echo.shop.svc.cluster.local:9080';

/** Length-prefixed, uncompressed (gRPC over HTTP/2). */
const message = (text: string): Buffer => {
  const head = Buffer.alloc(5);
  head.writeUInt32BE(Buffer.byteLength(text), 1);
  return Buffer.concat([head, Buffer.from(text)]);
};

/** A gRPC method by hand: it answers with who called. */
const echoApp = (): Parameters<typeof guard>[0] =>
  http2.createServer((request, response) => {
    request.resume();
    response.writeHead(200, { 'content-type': 'application/grpc' });
    response.addTrailers({ 'grpc-status': '0' });
    response.end(message(peerOf(request)?.id ?? 'nobody'));
  });

async function peer(
  world: World,
  [command, account, role, where]: readonly [readonly string[], string, 'serve' | 'call', string],
) {
  const started = startGrpcPeer(
    command,
    role,
    where,
    bootstrap(world, account, await issue(world, idOf(account), account), false),
  );
  world.onClose(() => started.stop());
  return started;
}

describe.each([
  ['grpc-go', buildGrpcGo()],
  ['grpcio', findGrpcio()],
] as const)('%s', (_, command) => {
  const setUp = async (account: string, ...more: readonly string[]) => {
    const port = await freePort();
    const yaml = [service('echo', account, port, 'grpc'), peerAuthentication('STRICT'), ...more].join('');
    return { port, world: await start(yaml) };
  };

  it.skipIf(command === undefined)('calls a guarded server, and refuses one of another account', async () => {
    const { port, world } = await setUp('reviews', destinationRule('echo', '{ mode: ISTIO_MUTUAL }'));
    await startGuarded(world, port, echoApp());
    const web = await peer(world, [command ?? [], 'web', 'call', ECHO]);
    expect(await web.call()).toEqual({ event: 'answered', text: idOf('web') });
    const other = await setUp('ratings', destinationRule('echo', '{ mode: ISTIO_MUTUAL }'));
    await startGuarded(other.world, other.port, echoApp());
    expect(await (await peer(other.world, [command ?? [], 'web', 'call', ECHO])).call()).toMatchObject({
      event: 'failed',
    });
  });

  it.skipIf(command === undefined)('is called by meshFetch, which refuses one of another account', async () => {
    for (const account of ['echo', 'ratings']) {
      const { port, world } = await setUp(account);
      const server = await peer(world, [command ?? [], 'echo', 'serve', `127.0.0.1:${port}`]);
      expect(await server.next()).toMatchObject({ event: 'serving' });
      const { mesh } = await world.mesh('web');
      const call = async (): Promise<string> => {
        const answer = await mesh.fetch('http://echo.shop:9080/echo.Echo/Say', {
          method: 'POST',
          headers: { 'content-type': 'application/grpc', te: 'trailers' },
          body: message(''),
          mesh: { localReply: 'throw' },
        });
        return Buffer.from(await answer.arrayBuffer())
          .subarray(5)
          .toString();
      };
      if (account === 'echo') await expect.poll(call, { timeout: 30_000 }).toBe(idOf('web'));
      else await expect(call()).rejects.toThrow(/echo.*ratings|ratings.*echo/);
    }
  });
});
