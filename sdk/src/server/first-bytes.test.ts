import { once } from 'node:events';
import net, { type AddressInfo, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { type FirstBytes, readFirstBytes } from './first-bytes.ts';

const LIMITS = { timeoutMs: 15_000, longestHello: 16_384 };

describe('the first bytes of a connection', () => {
  let server: net.Server;
  let client: Socket;
  let accepted: Socket;
  const clock = createFakeClock();
  beforeEach(async () => {
    server = net.createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    client = net.connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', allowHalfOpen: true });
    client.on('error', () => {});
    [accepted] = (await once(server, 'connection')) as [Socket];
    accepted.on('error', () => {});
  });
  afterEach(() => {
    client.destroy();
    accepted.destroy();
    server.close();
  });
  const look = (): Promise<FirstBytes> => new Promise((resolve) => readFirstBytes(accepted, clock, LIMITS, resolve));
  /** What another reader gets of it afterwards. */
  const rest = async (): Promise<string> => String(((await once(accepted, 'data')) as [Buffer])[0]);

  it('are put back: whoever takes the connection reads them again', async () => {
    const found = look();
    client.write('GET / HTTP/1.1\r\n');
    expect(await found).toEqual({ transport: 'raw_buffer', isHttp2: false });
    expect(await rest()).toBe('GET / HTTP/1.1\r\n');
  });

  it('tell HTTP/2 with prior knowledge, once its whole preface is there', async () => {
    const found = look();
    client.write('PRI * HT');
    await new Promise((resolve) => setImmediate(resolve));
    client.write('TP/2.0\r\n\r\nSM\r\n\r\n');
    expect(await found).toEqual({ transport: 'raw_buffer', isHttp2: true });
    expect(await rest()).toBe('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  });

  it('are plain text when they only begin like the preface', async () => {
    const found = look();
    client.write('PRINT / HTTP/1.1\r\n');
    expect(await found).toEqual({ transport: 'raw_buffer', isHttp2: false });
  });

  it('that never come are waited for once, however slowly they come (one timer for all)', async () => {
    const found = look();
    await clock.pass(14_999);
    expect(clock.pending()).toEqual([1]);
    client.write(Buffer.from([22]));
    await new Promise((resolve) => setImmediate(resolve));
    await clock.pass(1);
    expect(await found).toEqual({ refused: 'its first bytes did not come in time' });
    expect(clock.pending()).toEqual([]);
  });

  it('of a peer that leaves first are none', async () => {
    const found = look();
    client.write(Buffer.from([22, 3]));
    client.end();
    expect(await found).toEqual({ refused: 'half-open: it ended before it said what it is' });
  });

  it('of who only asks whether the port is open are nothing to speak of', async () => {
    const found = look();
    client.end();
    expect(await found).toEqual({ left: true });
  });

  it('that are garbage after the look of TLS are refused at once', async () => {
    const found = look();
    client.write(Buffer.concat([Buffer.from([22, 3, 1, 0, 200]), Buffer.alloc(200, 0xff)]));
    expect(await found).toEqual({ refused: 'a handshake that does not begin with ClientHello' });
  });
});
