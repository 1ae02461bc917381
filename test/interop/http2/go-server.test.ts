import { type ChildProcess, spawn } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import net, { type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import tls from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Random } from '../../../sdk/src/clock.ts';
import { type Connected, connectOver, GET, POST } from '../../../sdk/src/wire/http2/peer.fixture.ts';
import type { ClientLimits } from '../../../sdk/src/wire/http2/peer-settings.ts';
import { buildGoPeer } from '../../harness/go-peer.ts';
import { seededRandom } from '../../harness/seeded-random.ts';

/** Our client at net/http's servers, which check what they are sent. */
const binary = buildGoPeer('http2');
const SEED = Number(process.env.INMESH_FUZZ_SEED ?? 9113);
const below = (random: Random, limit: number): number => Math.floor((random() / 2 ** 32) * limit);
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** How Go's server is set up: windows and frames that are the usual ones, and the least there may be. */
const WAYS: readonly (readonly [title: string, isSecure: boolean, args: readonly string[]])[] = [
  ['in clear', false, []],
  ['over TLS', true, []],
  ['in clear, with small windows', false, ['stream-window=1000', 'window=65535']],
  ['in clear, without a table for headers', false, ['decoder-table=1', 'frame=16384']],
];

describe.skipIf(binary === undefined).each(WAYS)('a server of Go %s', (_, isSecure, args) => {
  let child: ChildProcess;
  let port: number;
  let ca: string;
  beforeAll(async () => {
    const server = spawn(binary ?? '', ['serve', ...args], { stdio: ['pipe', 'pipe', 'ignore'] });
    child = server;
    const [line] = (await once(createInterface({ input: server.stdout }), 'line')) as [string];
    const [plain, secure, certificate] = line.split(' ');
    port = Number(isSecure ? secure : plain);
    ca = `-----BEGIN CERTIFICATE-----\n${certificate}\n-----END CERTIFICATE-----`;
  });
  afterAll(() => child.kill('SIGKILL'));

  const open: Connected[] = [];
  async function connect(limits: Partial<ClientLimits> = {}): Promise<Connected> {
    const socket: Socket = isSecure
      ? tls.connect({ port, host: '127.0.0.1', ALPNProtocols: ['h2'], servername: 'example.com', ca })
      : net.connect(port, '127.0.0.1');
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
    const random = seededRandom(SEED);
    const { ask, client } = await connect({ streamWindow: 65_535, connectionWindow: 65_535 });
    const one = async (index: number): Promise<void> => {
      const body = randomBytes(below(random, index % 5 === 0 ? 400_000 : 3_000));
      const isGivenUp = below(random, 4) === 0;
      const { told, stream } = ask(
        [...to(index % 7 ? '/' : '/slow', POST), 'x-index', String(index), 'x-v', 'e'.repeat(below(random, 300))],
        false,
      );
      told.onChunk = () => {
        if (isGivenUp && told.chunks.length > 2) stream.reset(8);
        if (told.chunks.length % 3 > 0) return;
        stream.pause();
        setImmediate(() => stream.resume());
      };
      for (let at = 0; at < body.length && !stream.isClosed; ) {
        const to = at + 1 + below(random, 30_000);
        const rooms = told.rooms;
        if (!stream.write(body.subarray(at, to))) {
          while (told.rooms === rooms && !stream.isClosed) await new Promise<void>((resolve) => setImmediate(resolve));
        }
        at = to;
      }
      stream.end();
      await told.closed;
      if (isGivenUp && told.closedWith === 8) return;
      expect(told).toMatchObject({ status: 200, closedWith: 0, trailers: ['x-count', String(body.length)] });
      expect(digest(told.bytes)).toBe(digest(body));
      expect(told.headers[told.headers.indexOf('x-index') + 1]).toBe(String(index));
    };
    for (let round = 0; round < 4; round++)
      await Promise.all(Array.from({ length: 40 }, (_, i) => one(round * 40 + i)));
    expect(client.isOver).toBe(false);
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
