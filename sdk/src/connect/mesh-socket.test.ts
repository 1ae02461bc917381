import { once } from 'node:events';
import { connect as connectTcp } from 'node:net';
import { connect as connectTls, createServer as createTlsServer } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../clock.ts';
import { TEST_CERTIFICATE, TEST_KEY, TEST_ROOT } from '../connection/certificates.fixture.ts';
import { type Echo, greeting, startEcho } from './connect.fixture.ts';
import type { ConnectOptions } from './destination.ts';
import { type Connector, MeshSocket } from './mesh-socket.ts';

let echo: Echo;
let asked: ConnectOptions[];
beforeEach(async () => {
  echo = await startEcho('echo');
  asked = [];
});
afterEach(() => echo.close());

const connector: Connector = async (options) => {
  asked.push(options);
  const socket = connectTcp(echo.port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
};
const make = (to?: ConnectOptions, by = connector): MeshSocket => new MeshSocket(by, systemClock, to);
const never: Connector = ({ signal }) =>
  new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));

describe('MeshSocket', () => {
  it('connects where a driver says; what was written and set before comes after the connection', async () => {
    const socket = make();
    expect(socket).toMatchObject({ connecting: false, pending: true, readyState: 'closed' });
    socket.setNoDelay(true).setKeepAlive(true, 1_000).ref();
    socket.connect(5432, 'db');
    socket.write('one ');
    socket.write('two');
    expect(socket).toMatchObject({ connecting: true, readyState: 'opening' });
    await once(socket, 'connect');
    expect(asked).toMatchObject([{ host: 'db', port: 5432 }]);
    expect(socket).toMatchObject({
      connecting: false,
      pending: false,
      remotePort: echo.port,
      remoteAddress: '127.0.0.1',
    });
    let heard = '';
    for await (const chunk of socket) {
      heard += chunk;
      if (heard.length === 'echo\none two'.length) socket.end();
    }
    expect(heard).toBe('echo\none two');
    expect([socket.bytesRead, socket.bytesWritten]).toEqual([12, 7]);
    expect(socket.destroyed).toBe(true);
  });

  it('told where it goes it connects at once, and a driver’s connect changes nothing', async () => {
    const socket = make({ host: 'db', port: 5432 });
    const listened = new Promise<void>((resolve) => socket.connect(1, 'elsewhere', resolve));
    await listened;
    expect(asked).toMatchObject([{ host: 'db', port: 5432 }]);
    expect(await greeting(socket)).toBe('echo');
    socket.destroy();
  });

  it('the peer’s end is its end; the rest is still read', async () => {
    const socket = make({ host: 'db', port: 1 });
    await once(socket, 'connect');
    for (const peer of echo.sockets) peer.end('last');
    let heard = '';
    for await (const chunk of socket) heard += chunk;
    expect(heard).toBe('echo\nlast');
  });

  it('a failure of the mesh or of the socket is its error', async () => {
    const refused = make({ host: 'db', port: 1 }, () => Promise.reject(new Error('refused')));
    expect((await once(refused, 'error'))[0]).toMatchObject({ message: 'refused' });
    const socket = make({ host: 'db', port: 1 });
    await once(socket, 'connect');
    for (const peer of echo.sockets) peer.resetAndDestroy();
    socket.resume();
    expect((await once(socket, 'error'))[0]).toMatchObject({ code: 'ECONNRESET' });
    expect(socket.destroyed).toBe(true);
  });

  it('destroyed while it connects it ends the attempt', async () => {
    const socket = make({ host: 'db', port: 1 }, never);
    socket.write('never sent');
    socket.on('error', () => {});
    socket.destroy();
    await once(socket, 'close');
    expect(socket.connecting).toBe(false);
  });

  it('setTimeout covers the connecting, then silence', async () => {
    const slow = make({ host: 'db', port: 1 }, never);
    slow.setTimeout(5);
    await once(slow, 'timeout');
    slow.on('error', () => {}).destroy();
    const socket = make({ host: 'db', port: 1 });
    socket.setTimeout(10);
    await once(socket, 'connect');
    socket.resume();
    await once(socket, 'timeout');
    expect(socket.destroyed).toBe(false);
    socket.destroy();
  });

  it('carries megabytes either way, with pauses', async () => {
    const socket = make({ host: 'db', port: 1 });
    const bytes = Buffer.alloc(4 << 20, 'x');
    socket.end(bytes);
    let length = 0;
    for await (const chunk of socket) {
      length += chunk.length;
      if (length % 7 === 0) await new Promise(setImmediate);
    }
    expect(length).toBe(bytes.length + 5);
  });

  it('takes TLS of the application’s own on top', async () => {
    const secure = await startEcho('secure', createTlsServer({ key: TEST_KEY, cert: TEST_CERTIFICATE }));
    const tcp: Connector = async () => {
      const socket = connectTcp(secure.port, '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    };
    const socket = connectTls({
      socket: make({ host: 'db', port: 1 }, tcp),
      servername: 'reviews.test',
      ca: TEST_ROOT,
    });
    await once(socket, 'secureConnect');
    expect(await greeting(socket)).toBe('secure');
    socket.destroy();
    await secure.close();
  });
});
