import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { factsOf } from '@inmesh/sdk/internal/identity/certificate';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { csrOf, DAY_MS, ecKeys, handClock, REVIEWS } from './authority.fixture.ts';
import { type Authority, createAuthority } from './authority.ts';

let folder = '';
const opened: Authority[] = [];

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-ca-'));
});

afterEach(() => {
  for (const authority of opened.splice(0)) authority.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(options: Partial<Parameters<typeof createAuthority>[0]> = {}): Promise<Authority> {
  const authority = await createAuthority({ trustDomain: 'cluster.local', clock: handClock(), ...options });
  opened.push(authority);
  return authority;
}

const certificate = (pem: string | undefined): X509Certificate => new X509Certificate(pem ?? '');

describe('a CA of its own', () => {
  it('certifies the key of a CSR under the names it is given, the root last', async () => {
    const authority = await open();
    const keys = ecKeys();
    const issued = await authority.issue({ csrPem: await csrOf({ keys }), names: { uris: [REVIEWS] }, ttlMs: 0 });
    const [leaf, root] = issued.chain.map(certificate);
    expect(issued.chain).toHaveLength(2);
    expect(leaf?.publicKey.equals(keys.publicKey)).toBe(true);
    expect(leaf?.subjectAltName).toBe(`URI:${REVIEWS}`);
    expect(leaf?.subject).toBeUndefined();
    expect(leaf?.ca).toBe(false);
    expect(leaf?.serialNumber).toBe(issued.serial);
    expect(root !== undefined && leaf?.verify(root.publicKey)).toBe(true);
    expect(authority.bundle()).toEqual({ roots: [issued.chain[1]] });
  });

  it('keeps its root in a directory: keys 0600, the directory 0700 and out of version control', async () => {
    const directory = path.join(folder, 'a', 'ca');
    const first = await open({ directory });
    const second = await open({ directory });
    expect(second.bundle()).toEqual(first.bundle());
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    for (const file of readdirSync(directory)) expect(statSync(path.join(directory, file)).mode & 0o777).toBe(0o600);
    expect(readFileSync(path.join(directory, '.gitignore'), 'utf8')).toBe('*\n');
    expect(readdirSync(directory).sort()).toEqual([
      '.gitignore',
      'ca-cert.pem',
      'ca-key.pem',
      'ca-state.json',
      'root-cert.pem',
    ]);
  });

  it('issues for a day where no lifetime is asked for, from two minutes ago', async () => {
    const clock = handClock();
    const authority = await open({ clock });
    const { chain, notAfterMs } = await authority.issue({
      csrPem: await csrOf(),
      names: { uris: [REVIEWS] },
      ttlMs: -1,
    });
    expect(notAfterMs).toBe(clock.wallTime() + DAY_MS);
    expect(certificate(chain[0]).validToDate.getTime()).toBe(notAfterMs);
    expect(certificate(chain[0]).validFromDate.getTime()).toBe(clock.wallTime() - 120_000);
  });

  it('certifies exactly the names, the key and the lifetime it was given, whatever they are', async () => {
    const clock = handClock();
    const authority = await open({ clock, settings: { rootMs: 60 * DAY_MS } });
    const label = fc.stringMatching(/^[a-z0-9]([-a-z0-9]{0,20}[a-z0-9])?$/);
    await fc.assert(
      fc.asyncProperty(
        label,
        label,
        fc.uniqueArray(label, { maxLength: 3 }),
        fc.uniqueArray(fc.ipV4(), { maxLength: 3 }),
        fc.integer({ min: -DAY_MS, max: 90 * DAY_MS }),
        async (namespace, serviceAccount, dns, ips, ttlMs) => {
          const uri = `spiffe://cluster.local/ns/${namespace}/sa/${serviceAccount}`;
          const { chain, serial } = await authority.issueKeyPair({ names: { uris: [uri], dns, ips }, ttlMs });
          const leaf = certificate(chain[0]);
          const facts = factsOf(leaf);
          expect(facts).toMatchObject({
            isCa: false,
            keyUsage: { digitalSignature: true, certSign: false, crlSign: false },
            names: [
              { type: 'uri', value: uri },
              ...dns.map((value) => ({ type: 'dns', value })),
              ...ips.map((value) => ({ type: 'ip', value })),
            ],
          });
          const asked = ttlMs <= 0 ? DAY_MS : Math.max(ttlMs, 1_000);
          const root = certificate(chain[1]);
          const expected = Math.min(clock.wallTime() + Math.floor(asked / 1_000) * 1_000, root.validToDate.getTime());
          expect(leaf.validToDate.getTime()).toBe(expected);
          expect(leaf.serialNumber).toBe(serial);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('never gives a serial number twice, and gives one that is positive and at most 20 bytes long (RFC 5280)', async () => {
    const bytes = [0xff, 0x00, 0x80, 0x01];
    for (const byte of bytes) {
      const authority = await open({ random: (count) => new Uint8Array(count).fill(byte, count - 1).fill(byte, 0, 1) });
      const { chain, serial } = await authority.issueKeyPair({ names: { uris: [REVIEWS] }, ttlMs: 0 });
      expect(certificate(chain[0]).serialNumber).toBe(serial);
      expect(BigInt(`0x${serial}`)).toBeGreaterThan(0n);
    }
    const authority = await open();
    const serials = await Promise.all(
      Array.from(
        { length: 50 },
        async () => (await authority.issueKeyPair({ names: { uris: [REVIEWS] }, ttlMs: 0 })).serial,
      ),
    );
    expect(new Set(serials).size).toBe(50);
  });

  it('makes key pairs for this process and prints no key', async () => {
    const authority = await open();
    const pair = await authority.issueKeyPair({
      names: { uris: [], dns: ['localhost'], ips: ['127.0.0.1', '::1'] },
      ttlMs: 0,
    });
    const leaf = certificate(pair.chain[0]);
    expect(leaf.checkPrivateKey(pair.key)).toBe(true);
    expect(leaf.subjectAltName).toBe('DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1');
    expect(inspect([authority, pair], { depth: 20, showHidden: true })).not.toMatch(/PRIVATE|pkcs8/);
  });
});
