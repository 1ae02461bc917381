import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createTestCa, type TestCa, type TestCertificate } from '../../../test/harness/certificates.ts';
import { createTestIdentity } from '../../../test/harness/test-identity.ts';
import { MeshError } from '../errors.ts';
import type { DownstreamTls, NameMatch, UpstreamTls } from '../model/tls.ts';
import { createBundles } from './bundles.ts';
import type { ClientTls } from './client-tls.ts';
import type { TrustBundles } from './identity.ts';
import { refusalOf } from './refusal.ts';
import { NO_SECRETS, type Secrets, type SecretValue } from './secrets.ts';
import { createTlsContexts, type TlsContexts } from './tls-contexts.ts';
import { MESH_CLIENT, openTlsClient, openTlsPort, type Seen, type TlsPort } from './tls-pair.fixture.ts';

let root: TestCa;
let foreign: TestCa;
let bundles: TrustBundles;
let server: TestCertificate;
let workload: TestCertificate;
const ends: (() => void | Promise<void>)[] = [];

beforeAll(async () => {
  [root, foreign] = await Promise.all([createTestCa({ subject: 'CN=root' }), createTestCa({ subject: 'CN=other' })]);
  bundles = createBundles([['cluster.local', [root.pem]]]);
  server = await root.issue({ dns: ['reviews.test', '*.wild.test'], ips: ['127.0.0.1'], uris: ['https://a.test/x'] });
  workload = await root.issue({ uris: ['spiffe://cluster.local/ns/a/sa/b'] });
});

afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

const identityOf = (certificate?: TestCertificate) =>
  createTestIdentity({ bundles, ...(certificate && { certificate }) });

function client(contexts: TlsContexts, tls: UpstreamTls, dialled = '127.0.0.1'): ClientTls {
  const result = contexts.client(tls, dialled);
  if ('missing' in result) throw new Error(result.missing);
  return result;
}

const SIMPLE: UpstreamTls = { alpn: [], roots: { kind: 'system' }, subjectAltNames: [] };
const trusting = (pem: string, rest: Partial<UpstreamTls> = {}): UpstreamTls => ({
  ...SIMPLE,
  roots: { kind: 'inline', pem },
  ...rest,
});

describe('contexts', () => {
  it('one stands for each identity generation and settings, whoever is expected', () => {
    const identity = identityOf(workload);
    const contexts = createTlsContexts(identity, NO_SECRETS);
    const named: UpstreamTls = { ...MESH_CLIENT, subjectAltNames: [{ kind: 'exact', value: 'x' }], alpn: ['h2'] };
    const one = client(contexts, MESH_CLIENT).options.secureContext;
    expect(client(contexts, { ...MESH_CLIENT }).options.secureContext).toBe(one);
    expect(client(contexts, named).options.secureContext).toBe(one);
    expect(client(contexts, { ...MESH_CLIENT, minVersion: 'TLSv1.2' }).options.secureContext).not.toBe(one);
    identity.set(workload);
    expect(client(contexts, MESH_CLIENT).options.secureContext).not.toBe(one);
  });

  it('connections may stand in for each other where generation, settings, names and protocols are the same', () => {
    const identity = identityOf(workload);
    const contexts = createTlsContexts(identity, NO_SECRETS);
    const { key } = client(contexts, MESH_CLIENT, '10.0.0.1');
    expect(client(contexts, { ...MESH_CLIENT }, '10.0.0.2').key).toBe(key);
    for (const other of [{ alpn: ['h2'] }, { sni: 'a' }, { subjectAltNames: [{ kind: 'exact', value: 'x' }] }] as const)
      expect(client(contexts, { ...MESH_CLIENT, ...other }).key).not.toBe(key);
    // Outside the mesh it is the name dialled that is verified.
    expect(client(contexts, SIMPLE, 'a.test').key).not.toBe(client(contexts, SIMPLE, 'b.test').key);
    identity.set(workload);
    expect(client(contexts, MESH_CLIENT).key).not.toBe(key);
    expect(key).not.toContain('PRIVATE');
  });

  it('the key shows nothing of a key that stands in the configuration', () => {
    const inline = { kind: 'inline', certificate: workload.pem, key: workload.keyPem } as const;
    const { key } = client(createTlsContexts(identityOf(), NO_SECRETS), { ...SIMPLE, certificate: inline });
    expect(key).not.toContain('BEGIN');
    expect(key).not.toContain(workload.keyPem.split('\n')[1]);
  });

  it('says what is missing', () => {
    const contexts = createTlsContexts(identityOf(), NO_SECRETS);
    const missing = (tls: UpstreamTls): string => {
      const result = contexts.client(tls, 'a.test');
      return 'missing' in result ? result.missing : 'nothing';
    };
    expect(missing(MESH_CLIENT)).toBe('the test gave it none');
    expect(missing({ ...SIMPLE, certificate: { kind: 'secret', name: 'kubernetes://a' } })).toContain('kubernetes://a');
    expect(missing({ ...SIMPLE, roots: { kind: 'secret', name: 'kubernetes://a-cacert' } })).toContain('a-cacert');
    expect(missing({ ...SIMPLE, roots: { kind: 'file', path: '/no/such/file' } })).toContain('/no/such/file');
    const broken = { kind: 'inline', certificate: workload.pem, key: server.keyPem } as const;
    expect(missing({ ...SIMPLE, certificate: broken })).toMatch(/key values mismatch/);
    expect(missing(SIMPLE)).toBe('nothing');
  });
});

describe('files and secrets', () => {
  it('files that were replaced count from the next connection on, and a file without PEM is said', () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'tls-'));
    ends.push(() => rmSync(folder, { recursive: true }));
    const at = (name: string): string => path.join(folder, name);
    const write = ({ pem, keyPem }: TestCertificate): void => {
      writeFileSync(at('cert'), pem);
      writeFileSync(at('key'), keyPem, { mode: 0o600 });
    };
    write(server);
    writeFileSync(at('roots'), root.pem);
    const tls: UpstreamTls = {
      ...SIMPLE,
      roots: { kind: 'file', path: at('roots') },
      certificate: { kind: 'files', certificate: at('cert'), key: at('key') },
    };
    const contexts = createTlsContexts(identityOf(), NO_SECRETS);
    const before = client(contexts, tls);
    expect(client(contexts, tls).options.secureContext).toBe(before.options.secureContext);
    write(workload);
    writeFileSync(at('roots'), `${root.pem}${foreign.pem}`);
    expect(client(contexts, tls).key).not.toBe(before.key);
    writeFileSync(at('key'), 'nothing');
    expect(contexts.client(tls, 'a.test')).toEqual({ missing: expect.stringContaining('PRIVATE KEY') });
  });

  it('a secret is used as it is now', async () => {
    const values = new Map<string, SecretValue>();
    const secrets: Secrets = { get: (name) => values.get(name) };
    const contexts = createTlsContexts(identityOf(), secrets);
    const tls: UpstreamTls = {
      ...SIMPLE,
      certificate: { kind: 'secret', name: 'kubernetes://c' },
      roots: { kind: 'secret', name: 'kubernetes://c-cacert' },
    };
    values.set('kubernetes://c', { generation: 1, certificate: { chain: workload.pem, key: workload.key } });
    values.set('kubernetes://c-cacert', { generation: 1, roots: { pems: [foreign.pem], revoked: [] } });
    const port = await plainPort(server);
    expect(codeOf((await openTlsClient(contexts, tls, port.port)).seen)).toBe('unknown-root');
    values.set('kubernetes://c-cacert', { generation: 2, roots: { pems: [root.pem], revoked: [] } });
    expect(await taken(contexts, tls, port)).toBe(true);
    expect(await port.next()).toBeInstanceOf(MeshError);
  });
});

const codeOf = (seen: Seen): string | undefined => (seen instanceof MeshError ? refusalOf(seen)?.refused : undefined);

/** A server outside the mesh; what it asks of clients is in `rest`. */
async function plainPort({ pem, keyPem }: TestCertificate, rest: Partial<DownstreamTls> = {}): Promise<TlsPort> {
  const port = await openTlsPort(identityOf(), {
    alpn: [],
    roots: { kind: 'system' },
    subjectAltNames: [],
    certificate: { kind: 'inline', certificate: pem, key: keyPem },
    requireClientCertificate: false,
    ...rest,
  });
  ends.push(() => port.close());
  return port;
}

async function taken(contexts: TlsContexts, tls: UpstreamTls, port: TlsPort): Promise<boolean | string | undefined> {
  const { seen, heard, socket } = await openTlsClient(contexts, tls, port.port);
  const result = seen instanceof MeshError ? codeOf(seen) : (await heard) === 'hello';
  socket.destroy();
  return result;
}

describe('a server outside the mesh', () => {
  const contexts = createTlsContexts(createTestIdentity(), NO_SECRETS);
  const match = (kind: NameMatch['kind'], value: string, type?: NameMatch['type']): NameMatch => ({
    kind,
    value,
    ...(type && { type }),
  });

  it.each<readonly [string, Partial<UpstreamTls>, true | string]>([
    ['the address that was dialled', {}, true],
    ['the name asked for', { sni: 'reviews.test' }, true],
    ['a name under its wildcard', { sni: 'a.wild.test' }, true],
    ['another name', { sni: 'ratings.test' }, 'wrong-name'],
    ['one of a list, exact', { subjectAltNames: [match('exact', 'x'), match('exact', 'reviews.test')] }, true],
    ['a DNS name in other case', { subjectAltNames: [match('exact', 'REVIEWS.test', 'dns')] }, true],
    ['a name that its wildcard covers (Envoy)', { subjectAltNames: [match('exact', 'b.wild.test', 'dns')] }, true],
    ['one below what its wildcard covers', { subjectAltNames: [match('exact', 'c.b.wild.test')] }, 'wrong-name'],
    ['a prefix', { subjectAltNames: [match('prefix', 'https://a.', 'uri')] }, true],
    ['a suffix', { subjectAltNames: [match('suffix', '.test/x', 'uri')] }, true],
    ['a part', { subjectAltNames: [match('contains', 'views')] }, true],
    ['a regular expression', { subjectAltNames: [match('regex', 'rev.*\\.test')] }, true],
    ['part of one by a regular expression', { subjectAltNames: [match('regex', 'rev')] }, 'wrong-name'],
    ['an address', { subjectAltNames: [match('exact', '127.0.0.1', 'ip')] }, true],
    ['a DNS name as a URI', { subjectAltNames: [match('exact', 'reviews.test', 'uri')] }, 'wrong-name'],
    ['none of a list, though its host name is right', { subjectAltNames: [match('exact', 'x')] }, 'wrong-name'],
  ])('is expected to carry %s', async (_, rest, result) => {
    expect(await taken(contexts, trusting(root.pem, rest), await plainPort(server))).toBe(result);
  });

  it('is refused by other roots, and by the platform roots', async () => {
    const port = await plainPort(server);
    expect(await taken(contexts, trusting(foreign.pem), port)).toBe('unknown-root');
    expect(await taken(contexts, SIMPLE, port)).toBe('unknown-root');
  });

  it('is taken unchecked where the configuration says so, but for the names it lists', async () => {
    const port = await plainPort(await foreign.issue({ dns: ['other.test'] }));
    const unchecked: UpstreamTls = { ...SIMPLE, roots: { kind: 'unchecked' } };
    expect(await taken(contexts, unchecked, port)).toBe(true);
    const named = { ...unchecked, subjectAltNames: [match('exact', 'reviews.test')] };
    expect(await taken(contexts, named, port)).toBe('wrong-name');
  });

  it('is refused when it is revoked (Envoy CertificateValidationContext.crl)', async () => {
    const port = await plainPort(server);
    const listing = async (...revoked: TestCertificate[]) =>
      trusting(root.pem, { crl: { kind: 'inline', pem: await root.crl(...revoked) } });
    expect(await taken(contexts, await listing(server), port)).toBe('revoked');
    expect(await taken(contexts, await listing(), port)).toBe(true);
  });
});

describe('a client outside the mesh', () => {
  it('is verified by the roots that are named, with a list of names', async () => {
    const clients = {
      requireClientCertificate: true,
      roots: { kind: 'inline', pem: foreign.pem },
      subjectAltNames: [{ type: 'dns', kind: 'exact', value: 'batch.test' }],
    } as const;
    const port = await plainPort(server, clients);
    const contexts = createTlsContexts(createTestIdentity(), NO_SECRETS);
    const tries = [
      [await foreign.issue({ dns: ['batch.test'] }), undefined],
      [await foreign.issue({ dns: ['other.test'] }), 'wrong-name'],
      [await root.issue({ dns: ['batch.test'] }), 'unknown-root'],
      [await foreign.issue({ dns: ['batch.test'], notAfterMs: Date.now() - 60_000 }), 'expired'],
    ] as const;
    for (const [{ pem, keyPem }, code] of tries) {
      const certificate = { kind: 'inline', certificate: pem, key: keyPem } as const;
      const { socket } = await openTlsClient(contexts, trusting(root.pem, { certificate }), port.port);
      expect(codeOf(await port.next())).toBe(code);
      socket.destroy();
    }
  });
});
