import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { csrOf, DAY_MS, ecKeys, handClock, hasOpenssl, openssl, REVIEWS } from './authority.fixture.ts';
import { type Authority, createAuthority } from './authority.ts';

const CLOCK = handClock();

/** What OpenSSL says of what is made here. */
describe.skipIf(!hasOpenssl())('as OpenSSL reads it', () => {
  let folder = '';
  let authority: Authority;
  const at = (name: string): string => path.join(folder, name);

  beforeEach(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'inmesh-openssl-'));
    authority = await createAuthority({ trustDomain: 'cluster.local', clock: CLOCK });
  });

  afterEach(() => {
    authority.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function leaf(file: string, csr = csrOf(), ttlMs = 0): Promise<string> {
    const { chain, serial } = await authority.issue({ csrPem: await csr, names: { uris: [REVIEWS] }, ttlMs });
    writeFileSync(at(file), chain[0] ?? '');
    writeFileSync(at('root.pem'), authority.bundle().roots.join(''));
    return serial;
  }

  const verify = (file: string, ...more: string[]): string => {
    const attime = String(Math.floor(CLOCK.wallTime() / 1_000));
    try {
      return openssl([
        'verify',
        '-x509_strict',
        '-attime',
        attime,
        '-CAfile',
        at('root.pem'),
        ...more,
        at(file),
      ]).trim();
    } catch (error) {
      return error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error);
    }
  };

  it.each(['P-256', 'P-384'])(
    'a leaf with a %s key is good for servers and clients, in the strictest reading',
    async (curve) => {
      await leaf('leaf.pem', csrOf({ keys: ecKeys(curve) }));
      for (const purpose of ['sslserver', 'sslclient'])
        expect(verify('leaf.pem', '-purpose', purpose)).toMatch(/: OK$/);
      expect(verify('leaf.pem', '-purpose', 'crlsign')).toContain('unsuitable certificate purpose');
    },
  );

  it('a leaf carries what X.509-SVID asks for, and nothing of the CSR but its key', async () => {
    const hostile = csrOf({
      subject: 'CN=admin',
      uris: ['spiffe://cluster.local/ns/kube-system/sa/admin', 'spiffe://evil/x'],
      ca: true,
    });
    await leaf('leaf.pem', hostile, 3_600_000);
    const text = openssl(['x509', '-in', at('leaf.pem'), '-noout', '-text']).replaceAll(/ +\n/g, '\n');
    expect(text).toContain('Version: 3 (0x2)');
    expect(text).toMatch(/Subject:\s*\n/);
    expect(text).toContain(`X509v3 Subject Alternative Name: critical\n                URI:${REVIEWS}\n`);
    expect(text).toContain('X509v3 Basic Constraints: critical\n                CA:FALSE\n');
    expect(text).toContain('X509v3 Key Usage: critical\n                Digital Signature\n');
    expect(text).toContain('TLS Web Server Authentication, TLS Web Client Authentication');
    expect(text).toContain('X509v3 Subject Key Identifier');
    expect(text).toContain('X509v3 Authority Key Identifier');
    expect(text).not.toMatch(/admin|evil/);
  });

  it('a root says of which trust domain it is, and two roots have different names', async () => {
    await authority.rotateRoot();
    const subjects = authority.bundle().roots.map((pem, index) => {
      writeFileSync(at(`root-${index}.pem`), pem);
      const text = openssl(['x509', '-in', at(`root-${index}.pem`), '-noout', '-text']);
      expect(text).toContain('X509v3 Key Usage: critical\n                Certificate Sign, CRL Sign\n');
      expect(text).toContain('URI:spiffe://cluster.local\n');
      return openssl(['x509', '-in', at(`root-${index}.pem`), '-noout', '-subject']);
    });
    expect(new Set(subjects).size).toBe(2);
  });

  it('a revoked leaf is on a list that its issuer signed; others are not', async () => {
    await leaf('good.pem');
    const serial = await leaf('bad.pem');
    expect(authority.bundle().crl).toBeUndefined();
    await authority.revoke(serial.toLowerCase());
    writeFileSync(at('crl.pem'), authority.bundle().crl ?? '');
    const listed = openssl(['crl', '-in', at('crl.pem'), '-noout', '-text', '-CAfile', at('root.pem')]);
    expect(listed).toContain(`Serial Number: ${serial}`);
    expect(verify('good.pem', '-crl_check_all', '-CRLfile', at('crl.pem'))).toMatch(/: OK$/);
    expect(verify('bad.pem', '-crl_check_all', '-CRLfile', at('crl.pem'))).toContain('certificate revoked');
  });

  it('leaves of both roots are good, and both can be revoked, while a root is replaced', async () => {
    const before = await leaf('before.pem');
    await authority.rotateRoot({ delayMs: 0 });
    const after = await leaf('after.pem');
    for (const file of ['before.pem', 'after.pem']) expect(verify(file)).toMatch(/: OK$/);
    await authority.revoke(before);
    writeFileSync(at('crl.pem'), authority.bundle().crl ?? '');
    expect(verify('before.pem', '-crl_check', '-CRLfile', at('crl.pem'))).toContain('certificate revoked');
    expect(verify('after.pem', '-crl_check', '-CRLfile', at('crl.pem'))).toMatch(/: OK$/);
    await authority.revoke(after);
    writeFileSync(at('crl.pem'), authority.bundle().crl ?? '');
    expect(verify('after.pem', '-crl_check', '-CRLfile', at('crl.pem'))).toContain('certificate revoked');
  });

  it('a list is signed anew before it is out of date, and what has ended falls off it', async () => {
    const clock = handClock();
    const own = await createAuthority({
      trustDomain: 'cluster.local',
      clock,
      settings: { maxCertificateMs: 2 * DAY_MS },
    });
    await own.revoke('0A');
    const first = own.bundle().crl;
    clock.advance(DAY_MS);
    await own.revoke('0A');
    const second = own.bundle().crl;
    expect(second).not.toBe(first);
    writeFileSync(at('crl.pem'), second ?? '');
    expect(openssl(['crl', '-in', at('crl.pem'), '-noout', '-nextupdate'])).toContain('Dec 22');
    clock.advance(DAY_MS + 1);
    await own.revoke('0B');
    writeFileSync(at('crl.pem'), own.bundle().crl ?? '');
    const text = openssl(['crl', '-in', at('crl.pem'), '-noout', '-text']);
    expect(text).toContain('Serial Number: 0B');
    expect(text).not.toContain('Serial Number: 0A');
    own.close();
  });
});
