import { randomBytes } from 'node:crypto';
import http2 from 'node:http2';
import net, { type AddressInfo } from 'node:net';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { closeOrigins, serve, until } from '../../connection/origin.fixture.ts';
import { type Connected, connectTo, GET, POST } from './peer.fixture.ts';

/** nghttp2 at the other end: the server of node:http2. */
let port: number;
const sessions = new Set<http2.ServerHttp2Session>();

beforeAll(async () => {
  const server = http2.createServer({ settings: { enableConnectProtocol: true, maxConcurrentStreams: 500 } });
  server.on('session', (session) => sessions.add(session.on('close', () => sessions.delete(session))));
  server.on('stream', (stream, headers, _, raw: unknown) => {
    stream.on('error', () => {});
    const back: Record<string, string> = {};
    for (const [name, value] of Object.entries(headers)) if (name.startsWith('x-')) back[name] = String(value);
    if (headers[':path'] === '/raw') stream.respond({ ':status': 200, 'x-raw': JSON.stringify(raw) });
    else stream.respond({ ':status': 200, ...back }, { waitForTrailers: headers[':path'] === '/trailers' });
    stream.on('wantTrailers', () => stream.sendTrailers(back));
    if (headers[':path'] === '/many') stream.end(randomBytes(Number(headers['x-size'])));
    else stream.pipe(stream);
  });
  port = (await serve(server)).port;
});
afterAll(closeOrigins);

const connections: Connected[] = [];
async function connect(to = port, limits: Parameters<typeof connectTo>[1] = {}): Promise<Connected> {
  const connected = await connectTo(to, limits);
  connections.push(connected);
  return connected;
}
afterEach(async () => {
  for (const { client, ended } of connections.splice(0)) {
    client.destroy();
    await ended;
  }
});

/** Between the two: what either says comes in pieces of such a size. */
async function cutting(size: number): Promise<number> {
  const pass = (from: net.Socket, to: net.Socket): void => {
    from.on('data', (chunk: Buffer) => {
      for (let at = 0; at < chunk.length; at += size) to.write(Buffer.from(chunk.subarray(at, at + size)));
    });
    from.on('close', () => to.destroy()).on('error', () => {});
  };
  const proxy = net.createServer((socket) => {
    const on = net.connect(port, '127.0.0.1').setNoDelay(true);
    socket.setNoDelay(true);
    pass(socket, on);
    pass(on, socket);
  });
  await serve(proxy);
  return (proxy.address() as AddressInfo).port;
}

const value = fc.stringMatching(/^[!-~]([ -~]{0,200}[!-~])?$/);

describe('headers', () => {
  it('come back as they went, request after request on one connection: in requests, heads and trailers', async () => {
    const { ask } = await connect();
    const fields = fc.uniqueArray(fc.tuple(fc.stringMatching(/^x-[a-z0-9-]{1,20}$/), value), {
      selector: ([name]) => name,
      maxLength: 20,
    });
    await fc.assert(
      fc.asyncProperty(fields, fc.constantFrom('/', '/trailers'), async (pairs, path) => {
        const { told } = ask([...POST.slice(0, -1), path, ...pairs.flat()]);
        await told.closed;
        const back = (told.headers as string[]).filter((_, i) => told.headers[i - (i % 2)]?.startsWith('x-') === true);
        expect(back).toEqual(pairs.flat());
        expect(told.trailers).toEqual(path === '/' ? [] : pairs.flat());
      }),
    );
  });

  it('are those that were given, in order, repeated ones too', async () => {
    const { ask } = await connect();
    const more = ['authorization', 'Bearer x', 'x-a', '1', 'x-a', '2', 'cookie', 'a=b'];
    for (let i = 0; i < 4; i++) {
      const { told } = ask([...GET.slice(0, -1), '/raw', ...more]);
      await told.closed;
      const raw = JSON.parse(told.headers[told.headers.indexOf('x-raw') + 1] ?? '') as string[];
      expect(raw).toEqual([...GET.slice(0, -1), '/raw', ...more]);
    }
  });

  it('of more than one frame arrive', async () => {
    const { ask } = await connect();
    const long = Array.from({ length: 60 }, (_, i) => [`x-${i}`, 'v'.repeat(500)]).flat();
    const { told } = ask([...GET.slice(0, -1), '/raw', ...long]);
    await told.closed;
    // nghttp2 takes no more than 64 KiB, we take 16: that the connection stands is what is looked at.
    expect(told.closedWith).toBe(11);
    const after = ask();
    await after.told.closed;
    expect(after.told.status).toBe(200);
  });

  it('that no peer could read are refused before anything is sent', async () => {
    const { ask } = await connect();
    for (const [name, text] of [
      ['x y', '1'],
      ['', '1'],
      ['X-A', '1'],
      ['x', 'a\nb'],
      ['x', 'ω'],
      [':pa th', '1'],
    ] as const)
      expect(() => ask([...GET, name, text])).toThrow();
    const { told } = ask();
    await told.closed;
    expect(told.status).toBe(200);
  });
});

describe('bodies', () => {
  it.each([1, 7, 1_000, 20_000])('are whole both ways, in pieces of %i bytes', async (size) => {
    const { ask } = await connect(await cutting(size));
    const bodies = [0, 1, 1_000, size === 1 ? 5_000 : 300_000].map((length) => randomBytes(length));
    const asked = bodies.map((body) => {
      const { told, stream } = ask([...POST.slice(0, -1), '/trailers', 'x-t', 'end'], false);
      stream.end(body);
      return told;
    });
    for (const [index, told] of asked.entries()) {
      await told.closed;
      expect(told.bytes.equals(bodies[index] ?? Buffer.alloc(0))).toBe(true);
      expect(told).toMatchObject({ trailers: ['x-t', 'end'], isSent: true, closedWith: 0 });
    }
  });

  it('of many streams at a time share the windows, and none waits for ever', async () => {
    const { ask } = await connect(port, { connectionWindow: 65_535, streamWindow: 1_000 });
    const asked = Array.from({ length: 50 }, (_, i) => {
      const body = randomBytes(10_000 + 1_000 * i);
      const { told, stream } = ask(POST, false);
      stream.end(body);
      return { told, body };
    });
    for (const { told, body } of asked) {
      await told.closed;
      expect(told.bytes.equals(body)).toBe(true);
    }
  });

  it('that are written in parts wait for room, and go on when there is', async () => {
    const { ask } = await connect();
    const { told, stream } = ask(POST, false);
    const parts = Array.from({ length: 200 }, () => randomBytes(5_000));
    for (const part of parts) {
      const rooms = told.rooms;
      if (!stream.write(part)) await until(() => told.rooms > rooms);
    }
    stream.end();
    await told.closed;
    expect(told.bytes.equals(Buffer.concat(parts))).toBe(true);
  });

  it('that nobody reads stop at the window, and hold up no other stream', async () => {
    const { ask } = await connect();
    const slow = ask([...GET.slice(0, -1), '/many', 'x-size', '500000']);
    slow.told.onChunk = () => slow.stream.pause();
    await until(() => slow.told.chunks.length > 0);
    for (let i = 0; i < 5; i++) {
      const other = ask([...GET.slice(0, -1), '/many', 'x-size', '500000']);
      await other.told.closed;
      expect(other.told.bytes.length).toBe(500_000);
    }
    expect(slow.told.bytes.length).toBeLessThanOrEqual(65_536);
    expect(slow.told.trailers).toBeUndefined();
    slow.told.onChunk = undefined;
    slow.stream.resume();
    await slow.told.closed;
    expect(slow.told.bytes.length).toBe(500_000);
  });

  it('go on under windows that the peer makes smaller meanwhile', async () => {
    const { ask } = await connect();
    const asked = Array.from({ length: 10 }, () => {
      const body = randomBytes(200_000);
      const { told, stream } = ask(POST, false);
      stream.end(body);
      return { told, body };
    });
    for (const window of [0, 1, 100_000, 10, 65_535]) {
      for (const session of sessions) if (!session.destroyed) session.settings({ initialWindowSize: window });
      await new Promise<void>((resolve) => setImmediate(resolve));
    }
    for (const { told, body } of asked) {
      await told.closed;
      expect(told.bytes.equals(body)).toBe(true);
    }
  });
});

describe('the end of a stream', () => {
  it('by the client is RST_STREAM, and the connection goes on', async () => {
    const { ask } = await connect();
    const { told, stream } = ask(POST, false);
    stream.write(Buffer.from('abc'));
    await until(() => told.chunks.length > 0);
    stream.reset(8);
    await told.closed;
    expect(told.closedWith).toBe(8);
    const other = ask();
    await other.told.closed;
    expect(other.told.status).toBe(200);
  });

  it('by GOAWAY leaves those that the server will still answer', async () => {
    const connected = await connect();
    const { told, stream } = connected.ask(POST, false);
    await until(() => told.events.includes('head'));
    for (const session of sessions) session.goaway(0, stream.id);
    await until(() => connected.goneAway.length > 0);
    expect(connected.goneAway).toEqual([[stream.id, 0]]);
    expect(() => connected.ask()).toThrow('takes no requests');
    stream.end(Buffer.from('xyz'));
    await told.closed;
    expect(told).toMatchObject({ closedWith: 0 });
    expect(String(told.bytes)).toBe('xyz');
  });

  it('what a listener throws is the process’s: the other streams of the same bytes have theirs', async () => {
    const { ask } = await connect();
    const thrown = new Promise<unknown>((resolve) => process.once('uncaughtException', resolve));
    const listeners = process.listeners('uncaughtException').slice(0, -1);
    for (const listener of listeners) process.off('uncaughtException', listener);
    const [bad, good] = [ask(), ask()];
    Object.assign(bad.told, {
      onHead() {
        throw new Error('of the listener');
      },
    });
    await Promise.all([bad.told.closed, good.told.closed]);
    expect(await thrown).toMatchObject({ message: 'of the listener' });
    for (const listener of listeners) process.on('uncaughtException', listener);
    expect(good.told).toMatchObject({ status: 200, closedWith: 0 });
  });
});
