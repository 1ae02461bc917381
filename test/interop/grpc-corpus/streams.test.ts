import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type Backend, startBackend } from '../grpc-peers/backend.ts';
import type { Peer } from '../grpc-peers/peer.ts';
import { PEER_KINDS } from '../grpc-peers/peers.ts';
import { isHere, startClient } from './clients.ts';
import { type ControlPlane, startControlPlane } from './control-plane.ts';
import { destinationRule, service, virtualService, workloadEntry } from './features/feature.ts';

/** Streams that break off, names that come and go, many streams of one node: what each client then does with its calls. */

const STREAMS = 200;
const isFull = process.env.INMESH_INTEROP !== 'brief';
const backends: Backend[] = [];
const peers: Peer[] = [];
let plane: ControlPlane;

const until = (what: () => unknown) => expect.poll(what, { timeout: 60_000, interval: 100 });

/** `echo` of two versions, all calls to one of them. */
const echo = (version: string): string =>
  here(
    service('ports: [{name: grpc, port: 7070}], selector: {app: echo}') +
      backends
        .map(({ name, port }) =>
          workloadEntry(`address: 127.0.0.1, ports: {grpc: ${port}}, labels: {app: echo, version: ${name}}`, name),
        )
        .join('') +
      destinationRule('host: echo, subsets: [{name: v1, labels: {version: v1}}, {name: v2, labels: {version: v2}}]') +
      virtualService(`hosts: [echo], http: [{route: [{destination: {host: echo, subset: ${version}}}]}]`),
  );
const here = (yaml: string): string => yaml.replaceAll('NS', 'default');

beforeAll(async () => {
  for (const name of ['v1', 'v2']) backends.push(await startBackend(name));
});

beforeEach(async () => {
  plane = await startControlPlane(echo('v1'));
});

afterEach(async () => {
  for (const peer of peers.splice(0)) await peer.stop();
  await plane.close();
});

afterAll(async () => {
  for (const backend of backends) await backend.close();
});

async function start(kind: (typeof PEER_KINDS)[number]): Promise<Peer> {
  const peer = await startClient(kind, { xds: plane.xds });
  peers.push(peer);
  return peer;
}

/** What `count` calls came to, each once. */
async function answers(peer: Peer, channel: string, count = 1, deadlineMs = 20_000): Promise<string> {
  const told = await peer.call(channel, { count, parallel: Math.min(count, 4), deadlineMs });
  const names = told.map(({ status, body = '{}', message = '' }) =>
    status === 'OK' ? JSON.parse(body).backend : `!${status} ${message}`,
  );
  return [...new Set<string>(names)].sort().join('\n');
}

/** Calls without a pause until it is told to stop; what they came to. */
function load(peer: Peer, channel: string): () => Promise<readonly string[]> {
  const met = new Set<string>();
  let isOver = false;
  const calling = (async () => {
    while (!isOver) for (const one of (await answers(peer, channel, 20)).split('\n')) met.add(one);
  })();
  return async () => {
    isOver = true;
    await calling;
    return [...met].sort();
  };
}

/** Another one in its place, at the same address. */
async function restart(yaml: string): Promise<void> {
  const { xds, nacks } = plane;
  await plane.close();
  expect(nacks).toEqual([]);
  plane = await startControlPlane(yaml, { xds });
}

/** grpc-go's, between its config selector and its picker: now and then a call is sent to a cluster that is not there yet, or no more. */
const OWN_RACE = 'unknown cluster selected for RPC';

describe.each(PEER_KINDS)('%s', (kind) => {
  const test = it.skipIf(!isHere(kind));
  const full = it.skipIf(!isHere(kind) || !isFull);

  test('a control plane that is restarted twice under calls: none fails, and what changed meanwhile is followed', async () => {
    const peer = await start(kind);
    await peer.open('a', 'xds:///echo:7070');
    expect(await answers(peer, 'a')).toBe('v1');
    const stop = load(peer, 'a');
    await restart(echo('v1'));
    await until(() => plane.server.clients().length).toBeGreaterThan(0);
    await restart(echo('v2'));
    await until(() => answers(peer, 'a')).toBe('v2');
    await plane.hold(echo('v1'));
    await until(() => answers(peer, 'a')).toBe('v1');
    expect((await stop()).filter((one) => !one.includes(OWN_RACE))).toEqual(['v1', 'v2']);
    expect(plane.nacks).toEqual([]);
  });

  full('rules that change under calls, back and forth: clusters are asked for, left and asked for again', async () => {
    const peer = await start(kind);
    await peer.open('a', 'xds:///echo:7070');
    const stop = load(peer, 'a');
    for (let edit = 0; edit < 10; edit++) {
      const version = edit % 2 === 0 ? 'v2' : 'v1';
      await plane.hold(echo(version));
      await until(() => answers(peer, 'a')).toBe(version);
    }
    const failed = (await stop()).filter((one) => one.startsWith('!') && !one.includes(OWN_RACE));
    expect(failed).toEqual([]);
    expect(plane.nacks).toEqual([]);
  });

  test('a channel that is closed and opened again: what it unsubscribed from is sent again, though it has not changed', async () => {
    const peer = await start(kind);
    await peer.open('other', 'xds:///echo.default:7070');
    expect(await answers(peer, 'other')).toBe('v1');
    for (let time = 0; time < 5; time++) {
      await peer.open('a', 'xds:///echo:7070');
      expect(await answers(peer, 'a')).toBe('v1');
      await peer.close('a');
    }
    expect(await answers(peer, 'other')).toBe('v1');
    expect(plane.nacks).toEqual([]);
  });

  // grpc-js-xds forgets that a Listener is gone, so the same one is no news to it: its channel stays without.
  it.skipIf(!isHere(kind) || kind === 'grpc-js-xds')(
    'a service that is deleted and comes again, byte for byte the same',
    async () => {
      const peer = await start(kind);
      await peer.open('a', 'xds:///echo:7070');
      expect(await answers(peer, 'a')).toBe('v1');
      await plane.hold('');
      await until(() => answers(peer, 'a', 1, 1_000)).toMatch(/^!/);
      await plane.hold(echo('v1'));
      await until(() => answers(peer, 'a', 1, 5_000)).toBe('v1');
      expect(plane.nacks).toEqual([]);
    },
  );

  // grpc-java goes on with the endpoints it had when an assignment becomes empty, whoever serves it.
  it.skipIf(!isHere(kind) || kind === 'grpc-java')('a subset that is deleted and comes again', async () => {
    const peer = await start(kind);
    await peer.open('a', 'xds:///echo:7070');
    expect(await answers(peer, 'a')).toBe('v1');
    await plane.hold(echo('v1').replace('{name: v1, labels: {version: v1}}, ', ''));
    await until(() => answers(peer, 'a', 1, 1_000)).toMatch(/^!/);
    await plane.hold(echo('v1'));
    await until(() => answers(peer, 'a', 1, 5_000)).toBe('v1');
    expect(plane.nacks).toEqual([]);
  });

  it.skipIf(!isHere(kind) || !isFull || kind === 'grpc-java')('endpoints that all go and come again', async () => {
    const peer = await start(kind);
    await peer.open('a', 'xds:///echo:7070');
    expect(await answers(peer, 'a')).toBe('v1');
    await plane.hold(echo('v1').replaceAll('app: echo, version', 'app: gone, version'));
    await until(() => answers(peer, 'a', 1, 1_000)).toMatch(/^!/);
    await plane.hold(echo('v1'));
    await until(() => answers(peer, 'a', 1, 5_000)).toBe('v1');
    expect(plane.nacks).toEqual([]);
  });

  full('a host that is not there yet is called as soon as it is', async () => {
    const peer = await start(kind);
    await peer.open('a', 'xds:///later:7070');
    expect(await answers(peer, 'a', 1, 1_000)).toMatch(/^!/);
    const later = here(service('ports: [{name: grpc, port: 7070}], selector: {app: echo}', 'later'));
    await plane.hold(echo('v1') + later);
    await until(() => answers(peer, 'a', 1, 5_000)).toMatch(/^v[12]$/);
    expect(plane.nacks).toEqual([]);
  });
});

/** A service for each stream: these clients open one for every target. */
const many = (version: string): string =>
  echo(version) +
  here(
    Array.from(
      { length: STREAMS },
      (_, index) =>
        service('ports: [{name: grpc, port: 7070}], selector: {app: echo}', `echo-${index}`) +
        virtualService(
          `hosts: [echo-${index}], http: [{route: [{destination: {host: echo, subset: ${version}}}]}]`,
          `echo-${index}`,
        ),
    ).join(''),
  );

describe.each(['grpc-go', 'grpcio', 'grpc-java'] as const)('%s', (kind) => {
  it.skipIf(!isHere(kind) || (!isFull && kind !== 'grpc-go'))(
    `${STREAMS} targets of one node id: all are served, all follow, all come back`,
    async () => {
      await plane.hold(many('v1'));
      const peer = await start(kind);
      const targets = Array.from({ length: STREAMS }, (_, index) => `echo-${index}:7070`);
      const everyone = async (): Promise<string> => {
        const all = await Promise.all(targets.map((target) => answers(peer, target, 1, 60_000)));
        return [...new Set(all)].join('|');
      };
      for (const target of targets) await peer.open(target, `xds:///${target}`);
      expect(await everyone()).toBe('v1');
      const clients = plane.server.clients();
      expect(new Set(clients.map(({ id }) => id))).toEqual(new Set([`${kind}~client`]));
      expect(clients).toHaveLength(STREAMS);
      await plane.hold(many('v2'));
      await until(everyone).toBe('v2');
      await restart(many('v1'));
      await until(() => plane.server.clients().length).toBe(STREAMS);
      await plane.server.settled();
      await until(everyone).toBe('v1');
      expect(plane.nacks).toEqual([]);
    },
  );
});
