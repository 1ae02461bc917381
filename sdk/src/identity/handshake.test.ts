import { once } from 'node:events';
import net from 'node:net';
import tls from 'node:tls';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import {
  type CertificateOptions,
  createTestCa,
  selfSigned,
  type TestCa,
  type TestCertificate,
} from '../../../test/harness/certificates.ts';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { createTestIdentity } from '../../../test/harness/test-identity.ts';
import { defaultOf } from '../defaults.ts';
import { MeshError } from '../errors.ts';
import { createBundles } from './bundles.ts';
import type { TrustBundles } from './identity.ts';
import { refusalOf } from './refusal.ts';
import { NO_SECRETS } from './secrets.ts';
import { createTlsContexts } from './tls-contexts.ts';
import { MESH_CLIENT, MESH_SERVER, openTlsClient, openTlsPort, type Seen, type TlsPort } from './tls-pair.fixture.ts';

const NOW = Date.now();
const SERVER = 'spiffe://cluster.local/ns/default/sa/reviews';
const CLIENT = 'spiffe://cluster.local/ns/default/sa/productpage';

let root: TestCa;
let foreign: TestCa;
let bundles: TrustBundles;
const ports: TlsPort[] = [];

beforeAll(async () => {
  [root, foreign] = await Promise.all([createTestCa({ subject: 'CN=root' }), createTestCa({ subject: 'CN=foreign' })]);
  bundles = createBundles([['cluster.local', [root.pem]]]);
});

afterEach(async () => {
  await Promise.all(ports.splice(0).map((port) => port.close()));
});

async function openPort(certificate: TestCertificate, tlsOf = MESH_SERVER, known = bundles) {
  const identity = createTestIdentity({ certificate, bundles: known });
  const port = await openTlsPort(identity, tlsOf);
  ports.push(port);
  return { port, identity };
}

function connect(certificate: TestCertificate, port: TlsPort, tlsOf = MESH_CLIENT) {
  const contexts = createTlsContexts(createTestIdentity({ certificate, bundles }), NO_SECRETS);
  return openTlsClient(contexts, tlsOf, port.port);
}

const codeOf = (seen: Seen): string | undefined =>
  seen instanceof MeshError ? (refusalOf(seen)?.refused ?? seen.code) : undefined;

/** A certificate that is bad in one way, for the workload with this id. */
type Bad = readonly [what: string, code: string, make: (uri: string) => Promise<TestCertificate>];

const withOptions =
  (options: (uri: string) => CertificateOptions) =>
  (uri: string): Promise<TestCertificate> =>
    root.issue({ uris: [uri], ...options(uri) });

const BAD: readonly Bad[] = [
  ['of a wrong trust domain', 'wrong-trust-domain', withOptions(() => ({ uris: ['spiffe://evil.test/ns/a/sa/b'] }))],
  ['with two URIs', 'several-uri-sans', withOptions((uri) => ({ uris: [uri, `${uri}-2`] }))],
  ['with a DNS name alone', 'no-uri-san', withOptions(() => ({ uris: [], dns: ['reviews.test'] }))],
  ['with a URI that is no SPIFFE ID', 'not-spiffe', withOptions(() => ({ uris: ['https://reviews.test/'] }))],
  ['that has expired', 'expired', withOptions(() => ({ notAfterMs: NOW - 60_000 }))],
  ['that is not yet valid', 'not-yet-valid', withOptions(() => ({ notBeforeMs: NOW + 600_000 }))],
  ['for something else', 'wrong-usage', withOptions(() => ({ uses: [{ oid: '1.3.6.1.5.5.7.3.3' }] }))],
  ['that signed itself', 'self-signed', (uri) => selfSigned({ uris: [uri] })],
  ['of a foreign root', 'unknown-root', (uri) => foreign.issue({ uris: [uri] })],
  ['that is a CA', 'is-ca', withOptions(() => ({ isCa: true }))],
  [
    'of an intermediate that is no CA',
    'issuer-not-ca',
    async (uri) => (await root.intermediate({ isCa: false, keyUsage: 1 | 32 })).issue({ uris: [uri] }),
  ],
];

describe('a pair in the mesh', () => {
  it('takes each other, over intermediates too, and both know who the other is', async () => {
    const upper = await root.intermediate({ subject: 'CN=upper' });
    const lower = await upper.intermediate({ subject: 'CN=lower' });
    for (const ca of [root, upper, lower]) {
      const { port } = await openPort(await ca.issue({ uris: [SERVER] }));
      const { seen, heard, socket } = await connect(await ca.issue({ uris: [CLIENT] }), port);
      expect(seen).toMatchObject({ peer: { uri: SERVER } });
      expect(await port.next()).toMatchObject({ peer: { uri: CLIENT } });
      expect(await heard).toBe('hello');
      expect(socket.getProtocol()).toBe('TLSv1.3');
      socket.destroy();
    }
  });

  it('speaks TLS 1.2 where the settings allow it, and 1.3 alone where they say nothing', async () => {
    const server = await root.issue({ uris: [SERVER] });
    const client = await root.issue({ uris: [CLIENT] });
    const older = await openPort(server, { ...MESH_SERVER, minVersion: 'TLSv1.2', maxVersion: 'TLSv1.2' });
    const { seen, socket } = await connect(client, older.port, { ...MESH_CLIENT, minVersion: 'TLSv1.2' });
    expect(seen).toMatchObject({ peer: { uri: SERVER } });
    expect(socket.getProtocol()).toBe('TLSv1.2');
    socket.destroy();
    expect(codeOf((await connect(client, older.port)).seen)).toBe('MESH_RESET');
  });

  it('agrees on a protocol by ALPN, the server choosing', async () => {
    const { port } = await openPort(await root.issue({ uris: [SERVER] }), { ...MESH_SERVER, alpn: ['h2', 'http/1.1'] });
    const client = { ...MESH_CLIENT, alpn: ['istio', 'http/1.1', 'h2'], sni: 'outbound_.80_._.reviews' };
    const { socket } = await connect(await root.issue({ uris: [CLIENT] }), port, client);
    expect(socket.alpnProtocol).toBe('h2');
    socket.destroy();
  });

  it('takes what was read of the connection and put back (PERMISSIVE looks at the first bytes)', async () => {
    const identity = createTestIdentity({ certificate: await root.issue({ uris: [SERVER] }), bundles });
    const contexts = createTlsContexts(identity, NO_SECRETS);
    const taken = new Promise<Seen>((resolve) => {
      const acceptor = contexts.server(MESH_SERVER, { secured: (_, client) => resolve(client), refused: resolve });
      const server = net.createServer((raw) => {
        raw.once('readable', () => {
          raw.unshift(raw.read(1) ?? Buffer.alloc(0));
          acceptor.accept(raw);
        });
      });
      server.listen(0, '127.0.0.1');
      ports.push({ port: 0, next: () => taken, close: async () => void server.close() });
      server.once('listening', async () => {
        const { port } = server.address() as net.AddressInfo;
        const client = createTlsContexts(
          createTestIdentity({ certificate: await root.issue({ uris: [CLIENT] }), bundles }),
          NO_SECRETS,
        );
        const { socket } = await openTlsClient(client, MESH_CLIENT, port);
        await taken;
        socket.destroy();
      });
    });
    expect(await taken).toMatchObject({ peer: { uri: CLIENT } });
  });
});

describe('a server with a certificate', () => {
  it.each(BAD)('%s is refused on the first connection and on later ones: %s', async (_, code, make) => {
    const { port, identity } = await openPort(await make(SERVER));
    const contexts = createTlsContexts(
      createTestIdentity({ certificate: await root.issue({ uris: [CLIENT] }), bundles }),
      NO_SECRETS,
    );
    for (let count = 0; count < 3; count++) {
      const { seen } = await openTlsClient(contexts, MESH_CLIENT, port.port);
      expect(codeOf(seen)).toBe(code);
      expect((seen as MeshError).message).toMatch(/serial|presented|expected|carries|is a CA/);
      await port.next();
    }
    // After one that was taken, it is refused no less.
    const bad = await make(SERVER);
    identity.set(await root.issue({ uris: [SERVER] }));
    const good = await openTlsClient(contexts, MESH_CLIENT, port.port);
    expect(await good.heard).toBe('hello');
    identity.set(bad);
    expect(codeOf((await openTlsClient(contexts, MESH_CLIENT, port.port)).seen)).toBe(code);
    good.socket.destroy();
  });

  it('of another workload than the one that is expected is refused', async () => {
    const { port } = await openPort(await root.issue({ uris: [SERVER] }));
    const expected = { type: 'uri', kind: 'exact', value: `${SERVER}-v2` } as const;
    for (let count = 0; count < 2; count++) {
      const client = await root.issue({ uris: [CLIENT] });
      const { seen } = await connect(client, port, { ...MESH_CLIENT, subjectAltNames: [expected] });
      expect(codeOf(seen)).toBe('wrong-name');
      expect((seen as MeshError).message).toContain(`"${SERVER}" was presented`);
    }
  });

  it('that is revoked is refused', async () => {
    const server = await root.issue({ uris: [SERVER] });
    const { port } = await openPort(server);
    const listed = createBundles([['cluster.local', [root.pem]]], [await root.crl(server)]);
    const identity = createTestIdentity({ certificate: await root.issue({ uris: [CLIENT] }), bundles: listed });
    const { seen } = await openTlsClient(createTlsContexts(identity, NO_SECRETS), MESH_CLIENT, port.port);
    expect(codeOf(seen)).toBe('revoked');
  });
});

describe('a client with a certificate', () => {
  it.each(BAD)('%s is refused on the first connection and on later ones: %s', async (_, code, make) => {
    const { port } = await openPort(await root.issue({ uris: [SERVER] }));
    const identity = createTestIdentity({ certificate: await make(CLIENT), bundles });
    const contexts = createTlsContexts(identity, NO_SECRETS);
    for (let count = 0; count < 3; count++) {
      const { heard } = await openTlsClient(contexts, MESH_CLIENT, port.port);
      const seen = await port.next();
      expect(codeOf(seen)).toBe(code);
      expect((seen as MeshError).message).toMatch(/serial|presented|expected|carries|is a CA/);
      expect(await heard).not.toBe('hello');
    }
    identity.set(await root.issue({ uris: [CLIENT] }));
    const good = await openTlsClient(contexts, MESH_CLIENT, port.port);
    expect(await good.heard).toBe('hello');
    await port.next();
    identity.set(await make(CLIENT));
    const { heard } = await openTlsClient(contexts, MESH_CLIENT, port.port);
    expect(codeOf(await port.next())).toBe(code);
    expect(await heard).not.toBe('hello');
    good.socket.destroy();
  });

  it('that is revoked is refused, and one that was taken before is told from the others when asked again', async () => {
    const client = await root.issue({ uris: [CLIENT] });
    const other = await root.issue({ uris: [CLIENT] });
    const { port, identity } = await openPort(await root.issue({ uris: [SERVER] }));
    const standing = [await connect(client, port), await connect(other, port)];
    const [taken, kept] = [await port.next(), await port.next()];
    if (taken instanceof MeshError || kept instanceof MeshError) throw taken;
    expect(taken.recheck()).toBeUndefined();
    const listed = createBundles([['cluster.local', [root.pem]]], [await root.crl(client)]);
    identity.set(await root.issue({ uris: [SERVER] }), listed);
    expect(refusalOf(taken.recheck())?.refused).toBe('revoked');
    expect(kept.recheck()).toBeUndefined();
    await connect(client, port);
    expect(codeOf(await port.next())).toBe('revoked');
    identity.set(await root.issue({ uris: [SERVER] }), createBundles([['cluster.local', [foreign.pem]]]));
    expect(refusalOf(kept.recheck())?.refused).toBe('unknown-root');
    for (const { socket } of standing) socket.destroy();
  });
});

describe('a client without a certificate', () => {
  /** Not ours: it takes any server. */
  async function stranger(port: number, options: tls.ConnectionOptions = {}) {
    const socket = tls.connect({
      host: '127.0.0.1',
      port,
      ca: root.pem,
      checkServerIdentity: () => undefined,
      ...options,
    });
    const session = new Promise<Buffer>((resolve) => socket.once('session', resolve));
    const heard = await new Promise<string>((resolve) => {
      socket.once('data', (bytes) => resolve(String(bytes)));
      socket.once('error', (error) => resolve(error.message));
      socket.once('close', () => resolve('closed'));
    });
    const isReused = socket.isSessionReused();
    return { heard, socket, session, isReused };
  }

  it('is refused where one is required, with the alert that says so', async () => {
    const { port } = await openPort(await root.issue({ uris: [SERVER] }));
    const { heard } = await stranger(port.port);
    expect(heard).toMatch(/certificate required/);
    expect(codeOf(await port.next())).toBe('no-certificate');
  });

  it('is taken where none is required, as nobody; a bad one is refused there too', async () => {
    const { port } = await openPort(await root.issue({ uris: [SERVER] }), {
      ...MESH_SERVER,
      requireClientCertificate: false,
    });
    const { heard, socket } = await stranger(port.port);
    expect(heard).toBe('hello');
    expect(await port.next()).toEqual({ presented: [], recheck: expect.any(Function) });
    socket.destroy();
    await connect(await foreign.issue({ uris: [CLIENT] }), port);
    expect(codeOf(await port.next())).toBe('unknown-root');
  });

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'cannot resume the session of one that had a certificate (%s)',
    async (version) => {
      const settings = { ...MESH_SERVER, minVersion: 'TLSv1.2', maxVersion: version } as const;
      const { port } = await openPort(await root.issue({ uris: [SERVER] }), settings);
      const { pem, keyPem } = await root.issue({ uris: [CLIENT] });
      const first = await stranger(port.port, { cert: pem, key: keyPem });
      expect(first.heard).toBe('hello');
      expect(await port.next()).toMatchObject({ peer: { uri: CLIENT } });
      const session = await first.session;
      for (const options of [{}, { cert: pem, key: keyPem }]) {
        const again = await stranger(port.port, { session, ...options });
        expect(again.isReused).toBe(false);
        const seen = await port.next();
        if ('cert' in options) expect(again.heard).toBe('hello');
        else expect(codeOf(seen)).toBe('no-certificate');
        again.socket.destroy();
      }
      first.socket.destroy();
    },
  );
});

describe('a client of ours', () => {
  it('keeps no session though the server gives one, and so asks for its names each time', async () => {
    const { pem, keyPem } = await root.issue({ uris: [SERVER] });
    const server = tls.createServer({ cert: pem, key: keyPem }, (socket) => {
      socket.on('error', () => {});
      socket.write('hello');
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as net.AddressInfo;
    const identity = createTestIdentity({ certificate: await root.issue({ uris: [CLIENT] }), bundles });
    const contexts = createTlsContexts(identity, NO_SECRETS);
    for (let count = 0; count < 3; count++) {
      const { seen, heard, socket } = await openTlsClient(contexts, MESH_CLIENT, port);
      expect(await heard).toBe('hello');
      expect(seen).toMatchObject({ peer: { uri: SERVER } });
      expect(socket.isSessionReused()).toBe(false);
      socket.destroy();
    }
    server.close();
  });
});

describe('a port for our own trust domain', () => {
  it('refuses another, whose roots are there to call it by', async () => {
    const known = createBundles([
      ['cluster.local', [root.pem]],
      ['partner.test', [foreign.pem]],
    ]);
    const server = await root.issue({ uris: [SERVER] });
    const partner = await foreign.issue({ uris: ['spiffe://partner.test/ns/default/sa/productpage'] });
    const any = await openPort(server, MESH_SERVER, known);
    await connect(partner, any.port);
    expect(await any.port.next()).toMatchObject({ peer: { trustDomain: 'partner.test' } });
    const own = await openPort(server, { ...MESH_SERVER, ownTrustDomain: true }, known);
    await connect(partner, own.port);
    expect(codeOf(await own.port.next())).toBe('wrong-trust-domain');
    await connect(await root.issue({ uris: [CLIENT] }), own.port);
    expect(await own.port.next()).toMatchObject({ peer: { uri: CLIENT } });
  });
});

describe('one handshake', () => {
  it('is all there is: a client of TLS 1.2 that asks for another is let go', async () => {
    const { port } = await openPort(await root.issue({ uris: [SERVER] }), { ...MESH_SERVER, minVersion: 'TLSv1.2' });
    const { pem, keyPem } = await root.issue({ uris: [CLIENT] });
    const checkServerIdentity = (): undefined => undefined;
    const socket = tls.connect({
      port: port.port,
      host: '127.0.0.1',
      ca: root.pem,
      cert: pem,
      key: keyPem,
      maxVersion: 'TLSv1.2',
      checkServerIdentity,
    });
    const failed = new Promise<Error>((resolve) => socket.on('error', resolve));
    await once(socket, 'data');
    let isAgain = false;
    socket.renegotiate({}, (error) => {
      isAgain = error === null;
    });
    expect((await failed).message).toMatch(/renegotiation/);
    expect(isAgain).toBe(false);
  });

  it("reads no stranger's certificate of many names: OpenSSL has refused it", async () => {
    const names = Array.from({ length: 2_000 }, (_, at) => `host-${at}.example`);
    const uris = [CLIENT];
    const { port } = await openPort(await root.issue({ uris: [SERVER] }));
    for (const certificate of [await selfSigned({ uris, dns: names }), await foreign.issue({ uris, dns: names })]) {
      await connect(certificate, port).catch(() => {});
      const seen = await port.next();
      expect(['self-signed', 'unknown-root']).toContain(codeOf(seen));
      expect((seen as MeshError).message).toMatch(/certificate of \d{5} bytes was refused by OpenSSL/);
    }
    const large = await root.issue({ uris, dns: names });
    await connect(large, port);
    expect(await port.next()).toMatchObject({ peer: { uri: CLIENT } });
  });
});

describe('a port that gets no TLS', () => {
  it('says so once for garbage, for a client that leaves and for one that never speaks', async () => {
    const { port } = await openPort(await root.issue({ uris: [SERVER] }));
    const garbage = net.connect(port.port, '127.0.0.1', () => garbage.write('GET / HTTP/1.1\r\n\r\n'));
    garbage.on('error', () => {});
    expect((await port.next()) as MeshError).toMatchObject({ code: 'MESH_CONNECT_FAILED' });
    const leaver = net.connect(port.port, '127.0.0.1', () => leaver.end());
    expect(((await port.next()) as MeshError).message).toMatch(/handshake of a client failed/);
  });

  it('lets a client go that has not finished its handshake in time', async () => {
    const clock = createFakeClock();
    const identity = createTestIdentity({ certificate: await root.issue({ uris: [SERVER] }), bundles });
    const refused = new Promise<MeshError>((resolve) => {
      const acceptor = createTlsContexts(identity, NO_SECRETS, clock).server(MESH_SERVER, {
        secured: () => {},
        refused: resolve,
      });
      const server = net.createServer((raw) => {
        raw.on('error', () => {});
        acceptor.accept(raw);
        void clock.pass(defaultOf('tlsHandshakeTimeoutMs'));
      });
      server.listen(0, '127.0.0.1', () => {
        net.connect((server.address() as net.AddressInfo).port, '127.0.0.1').on('error', () => {});
      });
      ports.push({ port: 0, next: () => refused, close: async () => void server.close() });
    });
    expect((await refused).message).toContain('took too long');
  });

  it('lets a client go at once that leaves during its handshake, also where connections may be half open', async () => {
    const identity = createTestIdentity({ certificate: await root.issue({ uris: [SERVER] }), bundles });
    const refused = new Promise<MeshError>((resolve) => {
      const acceptor = createTlsContexts(identity, NO_SECRETS, createFakeClock()).server(MESH_SERVER, {
        secured: () => {},
        refused: resolve,
      });
      const server = net.createServer({ allowHalfOpen: true }, (raw) => {
        raw.on('error', () => {});
        acceptor.accept(raw);
      });
      server.listen(0, '127.0.0.1', () => {
        const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1', () => client.end());
      });
      ports.push({ port: 0, next: () => refused, close: async () => void server.close() });
    });
    expect((await refused).message).toContain('the client closed the connection');
  });

  it('closes a connection whose records turn into garbage', async () => {
    const { port } = await openPort(await root.issue({ uris: [SERVER] }));
    const proxy = net.createServer((raw) => {
      const onward = net.connect(port.port, '127.0.0.1');
      for (const end of [raw, onward]) end.on('error', () => {});
      raw.pipe(onward).pipe(raw);
      garble = () => onward.write(Buffer.alloc(64, 0x17));
    });
    let garble = (): unknown => undefined;
    proxy.listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const through = { ...port, port: (proxy.address() as net.AddressInfo).port };
    const { heard, socket } = await connect(await root.issue({ uris: [CLIENT] }), through);
    expect(await heard).toBe('hello');
    socket.on('error', () => {});
    garble();
    await new Promise((resolve) => socket.once('close', resolve));
    proxy.close();
  });

  it('says what is missing where there is no identity', async () => {
    const port = await openTlsPort(createTestIdentity(), MESH_SERVER);
    ports.push(port);
    net.connect(port.port, '127.0.0.1').on('error', () => {});
    expect(await port.next()).toMatchObject({ code: 'MESH_IDENTITY_UNAVAILABLE' });
  });
});
