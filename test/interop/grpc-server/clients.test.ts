import { describe, expect, it } from 'vitest';
import { destinationRule, idOf, peerAuthentication, service, startWorld } from '../../harness/secure-world.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { bootstrap, type Files, issue } from '../identity-live/certificate-files.ts';
import { buildGrpcGo, findGrpcio, type GrpcPeer, startGrpcPeer } from '../identity-live/grpc-peers.ts';
import { until, useWorlds } from '../identity-live/live.ts';
import { startEcho } from './guarded.ts';

const start = useWorlds();
const ECHO = 'echo.shop.svc.cluster.local:9080';
const MUTUAL = destinationRule('echo', '{ mode: ISTIO_MUTUAL }');
const PLAIN = destinationRule('echo', '{ mode: DISABLE }');

/** Clients of other implementations, steered by xDS, call a guarded server of grpc-js. */
describe.each([
  ['grpc-go', buildGrpcGo()],
  ['grpcio', findGrpcio()],
] as const)('%s calls a guarded server of grpc-js', (_, caller) => {
  const setUp = async (...yaml: readonly string[]) => {
    const port = await freePort();
    const world = await start([service('echo', 'echo', port, 'grpc'), ...yaml].join(''));
    const web = await issue(world, idOf('web'), 'web');
    const client = (files: Files = web): GrpcPeer => {
      const peer = startGrpcPeer(caller ?? [], 'call', ECHO, bootstrap(world, 'web', files, false));
      world.onClose(() => peer.stop());
      return peer;
    };
    return { world, port, client };
  };
  const answer = { event: 'answered', text: idOf('web') };
  const it_ = it.skipIf(caller === undefined);

  it_('under STRICT: both are proven', async () => {
    const { world, port, client } = await setUp(peerAuthentication('STRICT'), MUTUAL);
    const guarded = await startEcho(world, port);
    expect(await client().call()).toEqual(answer);
    expect(guarded.unready()).toBeUndefined();
  });

  it_('under STRICT with a certificate of a foreign CA, or in plain: refused', async () => {
    const { world, port, client } = await setUp(peerAuthentication('STRICT'), MUTUAL);
    const guarded = await startEcho(world, port);
    const foreign = await startWorld('');
    world.onClose(() => foreign.close());
    const stranger = await issue(world, idOf('web'), 'stranger', foreign.caFolder);
    const roots = (await issue(world, idOf('web'), 'web')).ca_certificate_file;
    expect((await client({ ...stranger, ca_certificate_file: roots }).call()).event).toBe('failed');
    expect(guarded.stats().refused.peer).toBeGreaterThan(0);
    world.source.apply(PLAIN);
    await world.server.settled();
    const plain = client();
    await until(async () => (await plain.call()).event).toBe('failed');
    expect(guarded.stats().refused['no-chain']).toBeGreaterThan(0);
  });

  it_('under PERMISSIVE: in plain and by mutual TLS, though they offer none of Istio’s protocols', async () => {
    const { world, port, client } = await setUp(peerAuthentication('PERMISSIVE'), PLAIN);
    await startEcho(world, port);
    expect(await client().call()).toEqual({ event: 'answered', text: 'nobody' });
    world.source.apply(MUTUAL);
    await world.server.settled();
    const proven = client();
    await until(() => proven.call()).toEqual(answer);
  });

  it_('a change to STRICT and new certificates: no call of a proven client fails', async () => {
    const { world, port, client } = await setUp(peerAuthentication('PERMISSIVE'), MUTUAL);
    await startEcho(world, port);
    const calls = client();
    expect(await calls.call()).toEqual(answer);
    world.source.apply(peerAuthentication('STRICT'));
    for (let round = 0; round < 3; round++) {
      await issue(world, idOf('web'), 'web');
      for (let count = 0; count < 20; count++) expect(await calls.call()).toEqual(answer);
    }
  });

  it_('that drains: the call under way ends, and the next one goes to the server that took its place', async () => {
    const { world, port, client } = await setUp(peerAuthentication('STRICT'), MUTUAL);
    let under = 0;
    const held = Promise.withResolvers<void>();
    const first = await startEcho(world, port, {
      onCall: () => {
        under++;
        return held.promise;
      },
    });
    const calls = client();
    const call = calls.call();
    await until(() => under).toBe(1);
    const closed = first.close();
    held.resolve();
    expect(await call).toEqual(answer);
    await closed;
    await startEcho(world, port);
    await until(() => calls.call()).toEqual(answer);
  });
});
