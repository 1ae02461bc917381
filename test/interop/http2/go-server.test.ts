import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type Connected, connectOver, GET, POST } from '../../../sdk/src/wire/http2/peer.fixture.ts';
import type { ClientLimits } from '../../../sdk/src/wire/http2/peer-settings.ts';
import { buildGoPeer } from '../../harness/go-peer.ts';
import { seededRandom } from '../../harness/seeded-random.ts';
import { echoes } from './echoes.ts';
import { type GoServer, goServer } from './go-server.ts';

/** Our client at net/http's servers, which check what they are sent. */
const binary = buildGoPeer('http2');
const SEED = Number(process.env.INMESH_FUZZ_SEED ?? 9113);

/** How Go's server is set up: windows and frames that are the usual ones, and the least there may be. */
const WAYS: readonly (readonly [title: string, isSecure: boolean, args: readonly string[]])[] = [
  ['in clear', false, []],
  ['over TLS', true, []],
  ['in clear, with small windows', false, ['stream-window=1000', 'window=65535']],
  ['in clear, without a table for headers', false, ['decoder-table=1', 'frame=16384']],
];

describe.skipIf(binary === undefined).each(WAYS)('a server of Go %s', (_, isSecure, args) => {
  let server: GoServer;
  beforeAll(async () => {
    server = await goServer(binary ?? '', args);
  });
  afterAll(() => server.close());

  const open: Connected[] = [];
  async function connect(limits: Partial<ClientLimits> = {}): Promise<Connected> {
    const socket: Socket = isSecure
      ? tls.connect({
          port: server.securePort,
          host: '127.0.0.1',
          ALPNProtocols: ['h2'],
          servername: 'example.com',
          ca: server.ca,
        })
      : net.connect(server.port, '127.0.0.1');
    await once(socket, isSecure ? 'secureConnect' : 'connect');
    const connected = await connectOver(socket, limits);
    open.push(connected);
    return connected;
  }
  afterEach(async () => {
    for (const { client, ended } of open.splice(0)) {
      client.destroy();
      expect(await ended).toBeUndefined();
    }
  });
  const to = (path: string, head = GET): string[] => [...head.slice(0, -1), path];

  it(`has bodies back that are written in random pieces, read at a random pace, or given up (seed ${SEED})`, async () => {
    const connected = await connect({ streamWindow: 65_535, connectionWindow: 65_535 });
    await echoes(connected, seededRandom(SEED), { count: 160, atOnce: 40 });
    expect(connected.client.isOver).toBe(false);
  });

  it('answers HEAD, 204, 103 before the answer, an answer before the request ends, one it breaks off', async () => {
    const { ask, client } = await connect();
    const head = ask([':method', 'HEAD', ...to('/').slice(2)]).told;
    const none = ask(to('/none')).told;
    const hints = ask(to('/hints')).told;
    const early = ask(to('/early', POST), false);
    const broken = ask(to('/abort')).told;
    const padded = ask(to('/padded')).told;
    await Promise.all([head, none, hints, early.told, broken, padded].map((told) => told.closed));
    expect(head).toMatchObject({ status: 200, closedWith: 0, chunks: [] });
    expect(none).toMatchObject({ status: 204, closedWith: 0, chunks: [] });
    expect(hints).toMatchObject({ status: 200, events: ['info 103', 'head', 'end', 'closed 0'] });
    expect(early.told).toMatchObject({ status: 413, closedWith: 0, events: ['head', 'end', 'closed 0'] });
    expect(broken).toMatchObject({ status: 200, closedWith: 2 });
    expect(padded.headers).toEqual(expect.arrayContaining(['x-padded', 'a b']));
    expect(client.isOver).toBe(false);
  });

  it('reads headers in every byte they may have, of several frames too, and again from its table', async () => {
    const { ask } = await connect({ maxHeaderListSize: 1 << 20 });
    const bytes = Array.from({ length: 128 }, (_, i) => String.fromCharCode(128 + i)).join('');
    const fields = ['x-bytes', bytes, 'x-text', 'ó ô', 'x-long', 'v'.repeat(40_000), 'cookie', 'a=b', 'cookie', 'c=d'];
    for (let i = 0; i < 3; i++) {
      const { told } = ask([...to('/'), ...fields]);
      await told.closed;
      for (const name of ['x-bytes', 'x-text', 'x-long']) {
        expect(told.headers[told.headers.indexOf(name) + 1]).toBe(fields[fields.indexOf(name) + 1]);
      }
    }
  });

  it('takes a hundred streams that are begun and given up at once', async () => {
    const { ask, client } = await connect();
    for (let round = 0; round < 20; round++) {
      const asked = Array.from({ length: 10 }, () => ask(to('/hang')));
      for (const { stream } of asked) stream.reset(8);
      await Promise.all(asked.map(({ told }) => told.closed));
      await new Promise<void>((resolve) => client.ping(resolve));
    }
    const { told } = ask(to('/none'));
    await told.closed;
    expect(told.status).toBe(204);
  });
});
