import { X509Certificate } from 'node:crypto';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { csrOf, handClock, hasOpenssl, openssl, REVIEWS } from './authority.fixture.ts';
import { type Authority, createAuthority } from './authority.ts';

/** Certificates of OpenSSL's own making: another hand than the one that is tested. */
describe.skipIf(!hasOpenssl())("a plugged-in CA (Istio's cacerts)", () => {
  let folder = '';
  const opened: Authority[] = [];
  const at = (...parts: string[]): string => path.join(folder, ...parts);

  beforeAll(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'inmesh-cacerts-'));
    root('root', ['-newkey', 'rsa:2048', '-addext', 'keyUsage=critical,keyCertSign,cRLSign']);
    sign('upper', 'root', ['basicConstraints=critical,CA:TRUE,pathlen:1', 'keyUsage=critical,keyCertSign,cRLSign']);
    sign('lower', 'upper', ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign,cRLSign']);
    sign('narrow', 'root', ['basicConstraints=critical,CA:TRUE,pathlen:0', 'keyUsage=critical,keyCertSign']);
    sign('below-narrow', 'narrow', ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign']);
    sign('no-ca', 'root', ['basicConstraints=critical,CA:FALSE']);
    sign('no-signing', 'root', ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,cRLSign']);
    sign('ended', 'root', ['basicConstraints=critical,CA:TRUE'], ['-days', '1']);
    root('stranger', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256']);
    plug('good', { certificate: 'lower', chain: ['lower', 'upper', 'root'], roots: ['root'] });
  }, 60_000);

  afterAll(() => {
    for (const authority of opened) authority.close();
    rmSync(folder, { recursive: true, force: true });
  });

  function root(name: string, key: readonly string[]): void {
    const subject = `/O=Example/CN=${name}`;
    openssl(
      [
        'req',
        '-x509',
        '-nodes',
        ...key,
        '-days',
        '3650',
        '-subj',
        subject,
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.pem`,
      ],
      folder,
    );
  }

  function sign(
    name: string,
    issuer: string,
    extensions: readonly string[],
    more: readonly string[] = ['-days', '1000'],
  ): void {
    const ec = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384'];
    openssl(
      [
        'req',
        '-new',
        '-nodes',
        ...ec,
        '-subj',
        `/O=Example/CN=${name}`,
        '-keyout',
        `${name}.key`,
        '-out',
        `${name}.csr`,
      ],
      folder,
    );
    writeFileSync(
      at(`${name}.ext`),
      ['subjectKeyIdentifier=hash', 'authorityKeyIdentifier=keyid', ...extensions].join('\n'),
    );
    openssl(
      [
        'x509',
        '-req',
        '-in',
        `${name}.csr`,
        '-CA',
        `${issuer}.pem`,
        '-CAkey',
        `${issuer}.key`,
        '-CAcreateserial',
        '-extfile',
        `${name}.ext`,
        '-out',
        `${name}.pem`,
        ...more,
      ],
      folder,
    );
  }

  const pem = (...names: readonly string[]): string =>
    names.map((name) => readFileSync(at(`${name}.pem`), 'utf8')).join('');

  function plug(name: string, files: { certificate: string; chain: string[]; roots: string[]; key?: string }): string {
    mkdirSync(at(name));
    writeFileSync(at(name, 'ca-cert.pem'), pem(files.certificate));
    writeFileSync(at(name, 'ca-key.pem'), readFileSync(at(`${files.key ?? files.certificate}.key`)));
    writeFileSync(at(name, 'cert-chain.pem'), pem(...files.chain));
    writeFileSync(at(name, 'root-cert.pem'), pem(...files.roots));
    return at(name);
  }

  const now = (): number => new X509Certificate(pem('lower')).validFromDate.getTime() + 60_000;

  async function open(directory: string, clock = handClock(now())): Promise<Authority> {
    const authority = await createAuthority({ trustDomain: 'cluster.local', directory, clock });
    opened.push(authority);
    return authority;
  }

  it('signs with the intermediate and sends what leads to the root', async () => {
    const authority = await open(at('good'));
    const { chain } = await authority.issue({ csrPem: await csrOf(), names: { uris: [REVIEWS] }, ttlMs: 0 });
    expect(chain.slice(1).map((one) => new X509Certificate(one).subject)).toEqual([
      'O=Example\nCN=lower',
      'O=Example\nCN=upper',
      'O=Example\nCN=root',
    ]);
    expect(authority.bundle().roots).toHaveLength(1);
    expect(authority.status()).toMatchObject({ kind: 'plugged-in', issuer: { subject: 'O=Example, CN=lower' } });
    writeFileSync(at('leaf.pem'), chain[0] ?? '');
    writeFileSync(at('between.pem'), chain.slice(1, -1).join(''));
    const verified = openssl(
      [
        'verify',
        '-x509_strict',
        '-attime',
        String(now() / 1_000),
        '-purpose',
        'sslserver',
        '-CAfile',
        'root.pem',
        '-untrusted',
        'between.pem',
        'leaf.pem',
      ],
      folder,
    );
    expect(verified).toBe('leaf.pem: OK\n');
  });

  it('need not name itself or the root in cert-chain.pem, and keeps other roots', async () => {
    const authority = await open(
      plug('short', { certificate: 'lower', chain: ['upper'], roots: ['stranger', 'root'] }),
    );
    const { chain } = await authority.issue({ csrPem: await csrOf(), names: { uris: [REVIEWS] }, ttlMs: 0 });
    expect(chain).toHaveLength(4);
    expect(authority.bundle().roots).toEqual([chain.at(-1), new X509Certificate(pem('stranger')).toString()]);
  });

  it('may be a root itself', async () => {
    const authority = await open(plug('flat', { certificate: 'root', chain: ['root'], roots: ['root'] }));
    const { chain } = await authority.issue({ csrPem: await csrOf(), names: { uris: [REVIEWS] }, ttlMs: 0 });
    expect(chain).toHaveLength(2);
  });

  it.each([
    ['RSA 4096', ['-newkey', 'rsa:4096']],
    ['P-384', ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-384']],
    ['Ed25519', ['-newkey', 'ed25519']],
  ])('signs leaves and lists with a %s key', async (name, key) => {
    root(name, [...key, '-addext', 'keyUsage=critical,keyCertSign,cRLSign']);
    const authority = await open(plug(`by ${name}`, { certificate: name, chain: [name], roots: [name] }));
    const { chain, serial } = await authority.issue({ csrPem: await csrOf(), names: { uris: [REVIEWS] }, ttlMs: 0 });
    writeFileSync(at('signed.pem'), chain[0] ?? '');
    const verify = ['verify', '-x509_strict', '-attime', String(now() / 1_000), '-CAfile', `${name}.pem`];
    expect(openssl([...verify, 'signed.pem'], folder)).toBe('signed.pem: OK\n');
    await authority.revoke(serial);
    writeFileSync(at('signed-crl.pem'), authority.bundle().crl ?? '');
    expect(() => openssl([...verify, '-crl_check', '-CRLfile', 'signed-crl.pem', 'signed.pem'], folder)).toThrow(
      'revoked',
    );
  });

  it('is not rotated here', async () => {
    await expect((await open(at('good'))).rotateRoot()).rejects.toThrow(
      'a plugged-in CA; whoever made its files makes new ones',
    );
  });

  it('revokes with its own key, beside what the operator revoked, and only where it may', async () => {
    const directory = at('revoking');
    cpSync(at('good'), directory, { recursive: true });
    const authority = await open(directory);
    const { chain, serial } = await authority.issue({ csrPem: await csrOf(), names: { uris: [REVIEWS] }, ttlMs: 0 });
    await authority.revoke(serial);
    writeFileSync(at('revoked.pem'), chain[0] ?? '');
    writeFileSync(at('revoked-chain.pem'), chain.slice(1, -1).join(''));
    writeFileSync(at('lists.pem'), authority.bundle().crl ?? '');
    const verify = [
      'verify',
      '-attime',
      String(now() / 1_000),
      '-crl_check',
      '-CRLfile',
      'lists.pem',
      '-CAfile',
      'root.pem',
      '-untrusted',
      'revoked-chain.pem',
      'revoked.pem',
    ];
    expect(() => openssl(verify, folder)).toThrow('certificate revoked');
    expect((await open(directory)).status().revoked).toBe(1);

    writeFileSync(path.join(directory, 'ca-crl.pem'), authority.bundle().crl ?? '');
    expect((await open(directory)).bundle().crl?.match(/BEGIN X509 CRL/g)).toHaveLength(2);
    const mute = await open(plug('mute', { certificate: 'narrow', chain: ['narrow'], roots: ['root'] }));
    await expect(mute.revoke(serial)).rejects.toThrow(
      'ca-cert.pem: without the key usage cRLSign it can revoke nothing',
    );
  });

  it('is followed when its files are replaced', async () => {
    const clock = handClock(now());
    cpSync(at('good'), at('moving'), { recursive: true });
    const authority = await open(at('moving'), clock);
    const { chain } = await authority.issue({ csrPem: await csrOf(), names: { uris: [REVIEWS] }, ttlMs: 0 });
    rmSync(at('moving'), { recursive: true });
    plug('moving', { certificate: 'upper', chain: ['upper'], roots: ['root'] });
    clock.advance(10_000);
    await vi.waitFor(() => expect(authority.status().issuer.subject).toContain('upper'), 20_000);
    const next = await authority.issue({ csrPem: await csrOf(), names: { uris: [REVIEWS] }, ttlMs: 0 });
    expect(next.chain.at(-1)).toBe(chain.at(-1));
  });

  it.each([
    [
      'a key of another certificate',
      { certificate: 'lower', key: 'upper', chain: ['upper'], roots: ['root'] },
      'ca-key.pem: it is not the key of ca-cert.pem (O=Example, CN=lower)',
    ],
    [
      'a chain with a gap',
      { certificate: 'lower', chain: ['lower'], roots: ['root'] },
      'cert-chain.pem: nothing there or in root-cert.pem issued "O=Example, CN=lower", whose issuer is "O=Example, CN=upper"',
    ],
    [
      'a root of somebody else',
      { certificate: 'lower', chain: ['lower', 'upper'], roots: ['stranger'] },
      'issued "O=Example, CN=upper", whose issuer is "O=Example, CN=root"',
    ],
    [
      'CA:FALSE',
      { certificate: 'no-ca', chain: ['no-ca'], roots: ['root'] },
      'ca-cert.pem: "O=Example, CN=no-ca" may not sign certificates; CA:TRUE is expected',
    ],
    [
      'no keyCertSign',
      { certificate: 'no-signing', chain: ['no-signing'], roots: ['root'] },
      '"O=Example, CN=no-signing" lacks the key usage keyCertSign',
    ],
    [
      'a path that is too long',
      { certificate: 'below-narrow', chain: ['narrow'], roots: ['root'] },
      'cert-chain.pem: "O=Example, CN=narrow" allows 0 CAs below it, there are 1',
    ],
  ])('says which file is wrong: %s', async (name, files, expected) => {
    await expect(open(plug(name.replaceAll(/\W/g, '-'), files))).rejects.toThrow(expected);
  });

  it('says that it has ended', async () => {
    const directory = plug('past', { certificate: 'ended', chain: ['ended'], roots: ['root'] });
    await expect(open(directory, handClock(now() + 3 * 86_400_000))).rejects.toThrow(
      /ca-cert\.pem: "O=Example, CN=ended" ended on 20/,
    );
  });

  it.each(['ca-cert.pem', 'ca-key.pem', 'root-cert.pem'])(
    'says that %s is missing, or what is in it instead',
    async (file) => {
      const directory = at(`without-${file}`);
      cpSync(at('good'), directory, { recursive: true });
      writeFileSync(path.join(directory, file), '');
      await expect(open(directory)).rejects.toThrow(`${file}: missing or empty`);
      writeFileSync(path.join(directory, file), 'hello');
      await expect(open(directory)).rejects.toThrow(new RegExp(`${file}: .*in PEM (is|are) expected`));
    },
  );

  it('without cert-chain.pem is no CA of our making: its issuer is not its own', async () => {
    const directory = at('chainless');
    cpSync(at('good'), directory, { recursive: true });
    rmSync(path.join(directory, 'cert-chain.pem'));
    await expect(open(directory)).rejects.toThrow('cert-chain.pem: missing or empty');
  });

  it('is not told apart from its key by any message', async () => {
    const directory = at('without-ca-key.pem');
    writeFileSync(
      path.join(directory, 'ca-key.pem'),
      '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n',
    );
    const error = await open(directory).catch((reason: unknown) => reason);
    expect(String(error)).not.toContain('c2VjcmV0');
  });
});
