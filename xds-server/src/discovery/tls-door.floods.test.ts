import { once } from 'node:events';
import { connect as connectPlain, type Socket } from 'node:net';
import { connect, type TLSSocket } from 'node:tls';
import { systemClock } from '@inmesh/sdk/internal/clock';
import { afterEach, describe, expect, it } from 'vitest';
import type { XdsServerOptions } from '../embedded/api.ts';
import { closeAll, node, PRIVATE, setUp, until } from '../embedded/secure-mesh.fixture.ts';
import { LISTENER_TYPE } from '../translate/resource-types.ts';

/** Strangers, without a certificate and without a token, at the TLS port: others are served meanwhile, and memory is bounded. */

const open: Socket[] = [];
afterEach(async () => {
  for (const socket of open.splice(0)) socket.destroy();
  await closeAll();
});

type Mesh = Awaited<ReturnType<typeof setUp>>;

const start = (options: Partial<XdsServerOptions> = {}): Promise<Mesh> => setUp(options);

async function stranger({ listening, roots }: Mesh): Promise<TLSSocket> {
  const [host = '', port = ''] = listening.secure.split(':');
  const ca = roots.join('\n');
  const socket = connect({ host, port: Number(port), servername: 'localhost', ALPNProtocols: ['h2'], ca });
  open.push(socket);
  socket.on('error', () => {});
  await once(socket, 'secureConnect');
  socket.resume();
  return socket;
}

/** RFC 9113 §4.1. */
function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}
const SETTINGS = frame(4, 0, 0);
const BEGIN = Buffer.concat([Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1'), SETTINGS]);

/** HPACK without a table: `:method POST`, `:scheme https`, and the rest as literals (RFC 7541 6.2.2). */
const literal = (name: string, value: string): Buffer =>
  Buffer.concat([Buffer.from([0, name.length]), Buffer.from(name), Buffer.from([value.length]), Buffer.from(value)]);
const request = (path: string): Buffer =>
  Buffer.concat([
    Buffer.from([0x83, 0x87]),
    literal(':path', path),
    literal(':authority', 'localhost'),
    literal('content-type', 'application/grpc'),
    literal('te', 'trailers'),
  ]);
const CERTIFICATE = request('/istio.v1.auth.IstioCertificateService/CreateCertificate');

/** Writes for as long as it is taken, and is to. */
async function flood(socket: Socket, next: () => Buffer, isEnough: () => boolean): Promise<void> {
  while (!socket.destroyed && socket.writable && !isEnough()) {
    if (!socket.write(next())) await Promise.race([once(socket, 'drain'), once(socket, 'close')]).catch(() => {});
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Somebody who proves who it is has its answers: a stream, and a certificate. */
async function others({ tls, token }: Mesh): Promise<void> {
  const peer = tls({ token: await token('shop', 'web') });
  const stream = peer.stream(node('a'));
  stream.ask(LISTENER_TYPE, PRIVATE);
  await until(() => stream.heard.size).toBe(1);
  expect((await peer.certificate()).chain).toContain('BEGIN CERTIFICATE');
  peer.close();
}

/** Both ends are in this process, and its garbage is. */
const MOST_BYTES = 192 * 1024 * 1024;

async function bounded(mesh: Mesh, begin: (isEnough: () => boolean) => Promise<unknown>): Promise<void> {
  await others(mesh);
  const before = process.memoryUsage().rss;
  let isEnough = false;
  const flooding = begin(() => isEnough);
  for (let times = 0; times < 3; times++) await others(mesh);
  isEnough = true;
  await flooding;
  expect(process.memoryUsage().rss - before).toBeLessThan(MOST_BYTES);
  await others(mesh);
}

describe('a flood of', { timeout: 120_000 }, () => {
  it('rapid resets (CVE-2023-44487) ends its connection', async () => {
    const mesh = await start();
    const socket = await stranger(mesh);
    let id = 1;
    const burst = (): Buffer =>
      Buffer.concat(
        Array.from({ length: 50 }, () => {
          const stream = id;
          id += 2;
          return Buffer.concat([frame(1, 0x4, stream, CERTIFICATE), frame(3, 0, stream, Buffer.from([0, 0, 0, 8]))]);
        }),
      );
    socket.write(BEGIN);
    await bounded(mesh, () => flood(socket, burst, () => false));
    expect(socket.writable).toBe(false);
    expect(id).toBeLessThan(100_000);
  });

  it.each([
    ['PING', frame(6, 0, 0, Buffer.alloc(8))],
    ['SETTINGS', SETTINGS],
  ])('%s costs no memory', async (_what, one) => {
    const mesh = await start();
    const socket = await stranger(mesh);
    socket.write(BEGIN);
    await bounded(mesh, (isEnough) => flood(socket, () => Buffer.concat(Array(200).fill(one)), isEnough));
  });

  it('CONTINUATION, headers without end, ends its connection', async () => {
    const mesh = await start();
    const socket = await stranger(mesh);
    socket.write(Buffer.concat([BEGIN, frame(1, 0, 1, Buffer.from([0x83, 0x87]))]));
    const more = frame(9, 0, 1, literal('x', 'a'.repeat(100)));
    await bounded(mesh, () =>
      flood(
        socket,
        () => Buffer.concat(Array(20).fill(more)),
        () => false,
      ),
    );
    expect(socket.writable).toBe(false);
  });

  it('half of a handshake, or nothing at all, on 500 connections, keeps nobody out', async () => {
    const mesh = await start();
    const [host = '', port = ''] = mesh.listening.secure.split(':');
    await bounded(mesh, async () => {
      for (let count = 0; count < 500; count++) {
        const socket = connectPlain(Number(port), host);
        open.push(socket);
        socket.on('error', () => {});
        await once(socket, 'connect');
        if (count % 2 === 0) socket.write(Buffer.from([22, 3, 1, 1, 0, 1, 0, 0, 252]));
      }
    });
  });

  // The first half of a message's frame, and no more.
  const part = Buffer.concat([Buffer.from([0, 0, 0, 255, 255]), Buffer.alloc(200)]);
  const begun = (id: number): Buffer => Buffer.concat([frame(1, 0x4, id, CERTIFICATE), frame(0, 0, id, part)]);

  it('requests that never end, on more streams than there may be, ends its connection', async () => {
    const mesh = await start();
    const socket = await stranger(mesh);
    socket.write(BEGIN);
    let id = -1;
    const next = (): Buffer => {
      id += 2;
      return begun(id);
    };
    await bounded(mesh, () => flood(socket, next, () => false));
    expect(socket.writable).toBe(false);
  });

  /** What may take 30 s may take 3. */
  const hasty = {
    ...systemClock,
    after: (ms: number, run: () => void, now?: number) => systemClock.after(ms === 30_000 ? 3_000 : ms, run, now),
  };

  it('requests that never end, on a few streams, is over after a while', async () => {
    const mesh = await start({ clock: hasty });
    const socket = await stranger(mesh);
    socket.write(Buffer.concat([BEGIN, ...[1, 3, 5].map(begun)]));
    await others(mesh);
    await until(() => socket.destroyed).toBe(true);
    expect(mesh.told.filter((line) => line.includes('not let in'))).toEqual([
      expect.stringContaining('no-credential: it proved nothing within 30 s'),
    ]);
  });

  it('half of a handshake is over after a while, and told once', async () => {
    const mesh = await start({ clock: hasty });
    const [host = '', port = ''] = mesh.listening.secure.split(':');
    const socket = connectPlain(Number(port), host);
    open.push(socket);
    socket.on('error', () => {}).resume();
    await once(socket, 'connect');
    socket.write(Buffer.from([22, 3, 1, 1, 0, 1, 0, 0, 252]));
    await once(socket, 'close');
    await others(mesh);
    expect(mesh.told).toEqual([expect.stringContaining('no-credential: it proved nothing within 30 s')]);
  });
});
