import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
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
