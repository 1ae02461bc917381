import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import tls from 'node:tls';
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { readClientHello } from './client-hello.ts';

const LONGEST = 16_384;

/** What Node's own TLS says first. */
async function greeting(options: tls.ConnectionOptions): Promise<Buffer> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = tls.connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', ...options });
  client.on('error', () => {});
  const [accepted] = (await once(server, 'connection')) as [net.Socket];
  accepted.on('error', () => {});
  const [bytes] = (await once(accepted, 'data')) as [Buffer];
  client.destroy();
  accepted.destroy();
  server.close();
  return bytes;
}

/** The same message in records of `size` bytes. */
function inRecords(hello: Buffer, size: number): Buffer {
  const message = hello.subarray(5);
  const parts: Buffer[] = [];
  for (let at = 0; at < message.length; at += size) {
    const part = message.subarray(at, at + size);
    parts.push(Buffer.from([22, 3, 1, part.length >> 8, part.length & 255]), part);
  }
  return Buffer.concat(parts);
}

describe('a ClientHello', () => {
  let hello: Buffer;
  beforeAll(async () => {
    hello = await greeting({ servername: 'Reviews.default', ALPNProtocols: ['istio', 'istio-h2'] });
  });

  it('tells protocols and server name', () => {
    expect(readClientHello(hello, LONGEST)).toEqual({
      kind: 'hello',
      hello: { alpn: ['istio', 'istio-h2'], serverName: 'reviews.default' },
    });
  });

  it('may offer nothing', async () => {
    expect(readClientHello(await greeting({}), LONGEST)).toEqual({ kind: 'hello', hello: { alpn: [] } });
    const old = await greeting({ maxVersion: 'TLSv1.2' });
    expect(readClientHello(old, LONGEST)).toEqual({ kind: 'hello', hello: { alpn: [] } });
  });

  it('may come in several records, and is the same', () => {
    for (const size of [64, 200, 1000])
      expect(readClientHello(inRecords(hello, size), LONGEST)).toEqual(readClientHello(hello, LONGEST));
  });

  it('in pieces asks for more, and never for more than there is', () => {
    for (let length = 0; length < hello.length; length++) {
      const reading = readClientHello(hello.subarray(0, length), LONGEST);
      if (reading.kind !== 'more') throw new Error(`${length}: ${reading.kind}`);
      expect(reading.bytes).toBeGreaterThan(length);
      expect(reading.bytes).toBeLessThanOrEqual(hello.length);
    }
  });

  it('is refused when it is long, in a great many records, or no ClientHello', () => {
    const long = Buffer.from([22, 3, 1, 64, 0, 1, 1, 0, 0]);
    expect(readClientHello(long, LONGEST)).toEqual({ kind: 'malformed', reason: 'a ClientHello of 65540 bytes' });
    expect(readClientHello(inRecords(hello, 1), LONGEST)).toMatchObject({ kind: 'malformed' });
    expect(readClientHello(Buffer.from([22, 3, 1, 0, 0]), LONGEST)).toMatchObject({ kind: 'malformed' });
    expect(readClientHello(Buffer.from([22, 3, 1, 0, 4, 2, 0, 0, 0]), LONGEST)).toMatchObject({ kind: 'malformed' });
  });

  it('is not taken for what it is not', () => {
    for (const text of ['GET / HTTP/1.1\r\n', 'PRI * HTTP/2.0', '\x16GET', '\x00', 'SSH-2.0'])
      expect(readClientHello(Buffer.from(text, 'latin1'), LONGEST)).toEqual({ kind: 'other' });
  });

  it('of any bytes is answered: nothing throws, nothing is waited for without bounds', () => {
    const mutated = fc.array(fc.tuple(fc.nat(), fc.integer({ min: 0, max: 255 })), { maxLength: 8 }).map((changes) => {
      const bytes = Buffer.from(hello);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      return bytes;
    });
    const raw = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.concat([Buffer.from([22, 3, 1]), bytes]));
    fc.assert(
      fc.property(fc.oneof(mutated, raw), (bytes) => {
        const reading = readClientHello(bytes, LONGEST);
        if (reading.kind === 'more') expect(reading.bytes).toBeLessThanOrEqual(bytes.length + LONGEST + 5);
      }),
      { numRuns: 2_000 },
    );
  });
});
