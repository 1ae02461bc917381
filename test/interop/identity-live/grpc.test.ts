import { describe, expect, it } from 'vitest';
import { destinationRule, idOf, peerAuthentication, service, startWorld } from '../../harness/secure-world.ts';
import { freePort } from '../envoy-policy/free-port.ts';
import { bootstrap, type Files, issue } from './certificate-files.ts';
import { buildGrpcGo, findGrpcio, type GrpcPeer, type PeerEvent, startGrpcPeer } from './grpc-peers.ts';
import { useWorlds } from './live.ts';

const start = useWorlds();
const ECHO = 'echo.shop.svc.cluster.local:9080';
const MUTUAL = destinationRule('echo', '{ mode: ISTIO_MUTUAL }');

const GO = buildGrpcGo();
const PYTHON = findGrpcio();

describe.each([
  ['grpc-go', GO, 'grpcio', PYTHON],
  ['grpcio', PYTHON, 'grpc-go', GO],
  ['grpc-go', GO, 'grpc-go', GO],
  ['grpcio', PYTHON, 'grpcio', PYTHON],
] as const)('%s calls', (_, caller, name, called) => {
  const isHere = caller !== undefined && called !== undefined;

  const setUp = async (mode: string, account = 'echo', ...more: readonly string[]) => {
    const port = await freePort();
    const yaml = [service('echo', account, port, 'grpc'), peerAuthentication(mode), ...more].join('');
    const world = await start(yaml);
    const [web, echo] = await Promise.all([issue(world, idOf('web'), 'web'), issue(world, idOf('echo'), 'echo')]);
    const open = (...args: Parameters<typeof startGrpcPeer>): GrpcPeer => {
      const peer = startGrpcPeer(...args);
      world.onClose(() => peer.stop());
      return peer;
    };
    const client = (files: Files = web, tls = false) =>
      open(caller ?? [], 'call', ECHO, bootstrap(world, 'web', files, tls));
    const server = async (files: Files = echo, tls = false): Promise<GrpcPeer> => {
      const peer = open(called ?? [], 'serve', `127.0.0.1:${port}`, bootstrap(world, 'echo', files, tls));
      expect(await peer.next()).toMatchObject({ event: 'serving' });
      return peer;
    };
    return { world, client, server };
  };

  it.skipIf(!isHere)(`${name} under STRICT by ISTIO_MUTUAL: both are proven`, async () => {
    const { client, server } = await setUp('STRICT', 'echo', MUTUAL);
    await server();
    expect(await answered(client())).toEqual({ event: 'answered', text: idOf('web') });
  });

  it.skipIf(!isHere)(`${name}, the control plane over TLS: the same certificates prove who asks`, async () => {
    const { world, client, server } = await setUp('STRICT', 'echo', MUTUAL);
    await server(undefined, true);
    expect(await answered(client(undefined, true))).toEqual({ event: 'answered', text: idOf('web') });
    expect(world.server.clients().map(({ workload }) => workload)).toEqual(expect.arrayContaining(['grpc~web']));
  });

  it.skipIf(!isHere)(`${name} of another account: refused`, async () => {
    const { client, server } = await setUp('STRICT', 'ratings', MUTUAL);
    await server();
    const calls = client();
    expect(await refused(calls)).toMatch(/SAN|match|verification failed/i);
    expect(await refused(calls)).toMatch(/SAN|match|verification failed/i);
  });

  it.skipIf(!isHere)(`${name} with a certificate of a foreign CA: refused by either`, async () => {
    const { world, client, server } = await setUp('STRICT', 'echo', MUTUAL);
    const foreign = await startWorld('');
    world.onClose(() => foreign.close());
    const stranger = await issue(world, idOf('web'), 'stranger', foreign.caFolder);
    await server();
    // It trusts the mesh, but the mesh does not know it.
    const roots = (await issue(world, idOf('web'), 'web')).ca_certificate_file;
    expect(await refused(client({ ...stranger, ca_certificate_file: roots }))).not.toBe('');
    // It does not trust the mesh.
    expect(await refused(client(stranger))).toMatch(/certificate|unknown authority|handshake/i);
    expect(await answered(client())).toEqual({ event: 'answered', text: idOf('web') });
  });

  it.skipIf(!isHere)(`${name} in plain: PERMISSIVE takes it, STRICT does not`, async () => {
    const { world, client, server } = await setUp('PERMISSIVE');
    await server();
    expect(await answered(client())).toEqual({ event: 'answered', text: 'nobody' });
    world.source.apply(peerAuthentication('STRICT') + destinationRule('echo', '{ mode: DISABLE }'));
    await world.server.settled();
    const late = client();
    await expect.poll(async () => (await late.call()).event, { timeout: 60_000 }).toBe('failed');
  });

  it.skipIf(!isHere)(`${name}, new certificates in the files: no call fails`, async () => {
    const { world, client, server } = await setUp('STRICT', 'echo', MUTUAL);
    await server();
    const calls = client();
    expect(await answered(calls)).toEqual({ event: 'answered', text: idOf('web') });
    for (let time = 0; time < 3; time++) {
      await Promise.all([issue(world, idOf('web'), 'web'), issue(world, idOf('echo'), 'echo')]);
      const end = Date.now() + 1_500;
      while (Date.now() < end) expect(await calls.call()).toEqual({ event: 'answered', text: idOf('web') });
    }
    expect(await answered(client())).toEqual({ event: 'answered', text: idOf('web') });
  });
});

/** What a call that came to nothing says. */
async function refused(client: GrpcPeer): Promise<string> {
  const { event, text } = await client.call();
  expect(event).toBe('failed');
  return text;
}

/** A server of grpcio says that it serves before it has its listener. */
async function answered(client: GrpcPeer): Promise<PeerEvent> {
  for (let attempt = 0; ; attempt++) {
    const event = await client.call();
    if (event.event === 'answered' || attempt > 40) return event;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
}
