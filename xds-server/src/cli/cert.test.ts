import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createServer, type TlsOptions } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createAuthority } from '../ca/authority.ts';
import { main } from '../main.ts';

const REVIEWS = 'spiffe://cluster.local/ns/default/sa/reviews';
let folder = '';
let authorityFolder = '';
const closing: (() => void)[] = [];

beforeEach(async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-cert-'));
  authorityFolder = at('ca');
  (await createAuthority({ trustDomain: 'cluster.local', directory: authorityFolder })).close();
});

afterEach(() => {
  for (const close of closing.splice(0)) close();
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const at = (...parts: string[]): string => path.join(folder, ...parts);

async function inmesh(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const printed = { out: '', err: '' };
  const collect = (stream: 'out' | 'err') => (chunk: string | Uint8Array) => {
    printed[stream] += String(chunk);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(collect('out'));
  vi.spyOn(process.stderr, 'write').mockImplementation(collect('err'));
  const code = await main(args);
  vi.restoreAllMocks();
  return { code, ...printed };
}

const issue = (id: string, out: string, ...more: string[]) =>
  inmesh('cert', 'issue', '--id', id, '--out', at(out), '--ca', authorityFolder, ...more);

async function serve(options: TlsOptions): Promise<string> {
  const server = createServer(options, (socket) => socket.on('error', () => {}).end());
  // Who only looks ends the handshake with an alert.
  server.on('tlsClientError', () => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => server.close());
  return `tls://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const tlsFiles = (name: string): TlsOptions => ({
  cert: readFileSync(at(name, 'cert-chain.pem')),
  key: readFileSync(at(name, 'key.pem')),
});

describe('inmesh cert', () => {
  it('issues for local use: three files, the key 0600, and writes over none unasked', async () => {
    const issued = await issue(REVIEWS, 'reviews', '--dns', 'localhost', '--ttl', '1h');
    expect(issued).toMatchObject({ code: 0, err: '' });
    expect(issued.out).toContain(at('reviews', 'key.pem'));
    expect(issued.out).not.toContain('PRIVATE');
    expect(statSync(at('reviews', 'key.pem')).mode & 0o777).toBe(0o600);
    const key = readFileSync(at('reviews', 'key.pem'), 'utf8');
    expect(await issue(REVIEWS, 'reviews')).toMatchObject({
      code: 1,
      err: expect.stringContaining('is there already'),
    });
    expect(readFileSync(at('reviews', 'key.pem'), 'utf8')).toBe(key);
    expect((await issue(REVIEWS, 'reviews', '--replace')).code).toBe(0);
    expect(readFileSync(at('reviews', 'key.pem'), 'utf8')).not.toBe(key);
    expect(readFileSync(path.join(authorityFolder, 'issued.jsonl'), 'utf8')).toContain('inmesh cert issue');
  });

  it('issues under no name that the CA does not certify, and makes no CA by mistake', async () => {
    expect(await issue('spiffe://other/ns/a/sa/b', 'x')).toMatchObject({
      code: 1,
      err: expect.stringContaining('spiffe://cluster.local/PATH is certified here'),
    });
    const nowhere = await inmesh('cert', 'issue', '--id', REVIEWS, '--out', at('x'), '--ca', at('nowhere'));
    expect(nowhere).toMatchObject({ code: 2, err: expect.stringContaining('has no ca-cert.pem') });
  });

  it('shows a file, and what a server presents, without trusting it', async () => {
    await issue(REVIEWS, 'reviews', '--dns', 'localhost');
    const file = await inmesh('cert', 'show', at('reviews', 'cert-chain.pem'));
    expect(file.code).toBe(0);
    expect(file.out).toContain(
      `  names   URI ${REVIEWS}, DNS localhost\n  subject none\n  issuer  O=cluster.local, CN=Inmesh root `,
    );
    expect(file.out).toMatch(
      / {2}valid {3}.* to .* \(23 h 59 min left\)\n {2}key {5}EC P-256\n {2}use {5}TLS server, TLS client\n/,
    );
    const root = await inmesh('cert', 'show', at('reviews', 'root-cert.pem'));
    expect(root.out).toContain('  use     CA\n');

    const address = await serve({ ...tlsFiles('reviews'), requestCert: true, minVersion: 'TLSv1.3' });
    const live = await inmesh('cert', 'show', address);
    expect(live).toMatchObject({ code: 0, out: file.out.replace(at('reviews', 'cert-chain.pem'), address) });
    const older = await serve({ ...tlsFiles('reviews'), maxVersion: 'TLSv1.2' });
    expect((await inmesh('cert', 'show', older)).out).toContain(REVIEWS);
  });

  it('says what a peer of the mesh would say of a certificate', async () => {
    await issue(REVIEWS, 'reviews');
    const roots = path.join(authorityFolder, 'root-cert.pem');
    const verify = (where: string, ...more: string[]) => inmesh('cert', 'verify', where, '--roots', roots, ...more);
    const address = await serve(tlsFiles('reviews'));
    for (const where of [at('reviews', 'cert-chain.pem'), address]) {
      const good = await verify(where, '--expect', REVIEWS);
      expect(good).toMatchObject({
        code: 0,
        out: expect.stringContaining(`ok as a TLS server: ${REVIEWS}, 23 h 59 min left, by O=cluster.local`),
      });
      const wrong = await verify(where, '--expect', 'spiffe://cluster.local/ns/default/sa/ratings', '--client');
      expect(wrong).toMatchObject({ code: 1, out: expect.stringContaining('refused (wrong-name)') });
    }
    expect((await verify(roots)).out).toContain('refused (');
    expect((await verify(address, '--trust-domain', 'other')).out).toContain('refused (wrong-trust-domain)');
    (await createAuthority({ trustDomain: 'cluster.local', directory: at('stranger') })).close();
    const stranger = await inmesh('cert', 'verify', address, '--roots', at('stranger', 'root-cert.pem'));
    expect(stranger).toMatchObject({ code: 1, out: expect.stringContaining('refused (unknown-root)') });
  });

  it('says what it cannot read and where it cannot go', async () => {
    writeFileSync(at('empty.pem'), 'nothing');
    expect(await inmesh('cert', 'show', at('empty.pem'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('empty.pem: no certificate in PEM'),
    });
    expect((await inmesh('cert', 'show', at('missing.pem'))).err).toContain('ENOENT');
    expect(await inmesh('cert', 'show', 'tls://127.0.0.1')).toMatchObject({
      code: 2,
      err: expect.stringContaining('want tls://HOST:PORT'),
    });
    expect((await inmesh('cert', 'show', 'tls://127.0.0.1:1')).err).toContain('ECONNREFUSED');
    expect(await inmesh('cert', 'burn')).toMatchObject({
      code: 2,
      err: expect.stringContaining('want show, verify or issue'),
    });
    expect((await inmesh('cert', 'verify', at('empty.pem'), '--expect', 'reviews')).err).toContain('no SPIFFE ID');
  });
});

describe('inmesh ca', () => {
  const run = (...args: string[]) => inmesh('ca', ...args, '--ca', authorityFolder);

  it('shows, rotates and revokes; a revoked certificate is refused by name', async () => {
    await issue(REVIEWS, 'reviews');
    const before = await run('show');
    expect(before.out).toMatch(
      /^self-signed CA of cluster\.local in directory .*\nsigns {4}O=cluster\.local, CN=Inmesh root [0-9a-f]{8}, until /,
    );
    const rotated = await run('rotate', '--after', '30m');
    expect(rotated.out).toContain('next     signs from ');
    expect(rotated.out.match(/^root /gm)).toHaveLength(2);
    expect((await run('rotate', '--now')).out).toContain('retired  trusted until ');
    expect((await run('revoke', at('reviews', 'cert-chain.pem'))).out).toContain('revoked  1 certificate\n');

    const authority = await createAuthority({ trustDomain: 'cluster.local', directory: authorityFolder });
    writeFileSync(at('crl.pem'), authority.bundle().crl ?? '');
    authority.close();
    const verified = await inmesh(
      'cert',
      'verify',
      at('reviews', 'cert-chain.pem'),
      '--roots',
      path.join(authorityFolder, 'root-cert.pem'),
      '--crl',
      at('crl.pem'),
    );
    expect(verified).toMatchObject({ code: 1, out: expect.stringContaining('refused (revoked)') });
  });

  it('says what is no serial number and where there is no CA', async () => {
    expect(await run('revoke', 'hello')).toMatchObject({
      code: 2,
      err: expect.stringContaining('want a serial number in hexadecimal or a PEM file'),
    });
    expect(await run('revoke')).toMatchObject({ code: 2, err: expect.stringContaining('SERIAL is missing') });
    expect(await run('sell')).toMatchObject({ code: 2 });
    expect(await inmesh('ca', 'show', '--ca', at('nowhere'))).toMatchObject({ code: 2 });
  });
});
