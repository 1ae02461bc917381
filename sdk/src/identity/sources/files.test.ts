import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { createTestCa, type TestCertificate } from '../../../../test/harness/certificates.ts';
import { createFakeClock } from '../../../../test/harness/fake-clock.ts';
import { createBundles } from '../bundles.ts';
import { readBundles } from '../read-bundles.ts';
import type { SourceState } from '../source.ts';
import { createFilesSource } from './files.ts';

const URI = 'spiffe://cluster.local/ns/shop/sa/web';
const ca = await createTestCa();
const issue = () => ca.issue({ uris: [URI] });

const ends: (() => void)[] = [];
afterEach(() => {
  for (const end of ends.splice(0)) end();
});

const folder = (): string => {
  const made = mkdtempSync(path.join(tmpdir(), 'inmesh-files-'));
  ends.push(() => rmSync(made, { recursive: true, force: true }));
  return made;
};

function write(directory: string, made: TestCertificate, roots: string | undefined = ca.pem): void {
  writeFileSync(path.join(directory, 'cert-chain.pem'), made.pem);
  writeFileSync(path.join(directory, 'key.pem'), made.keyPem);
  if (roots !== undefined) writeFileSync(path.join(directory, 'root-cert.pem'), roots);
}

function watch(directory: string, hasRoots = true) {
  const clock = createFakeClock();
  const found: SourceState[] = [];
  const failed: string[] = [];
  const source = createFilesSource(
    {
      certificate: path.join(directory, 'cert-chain.pem'),
      key: path.join(directory, 'key.pem'),
      ...(hasRoots && { roots: path.join(directory, 'root-cert.pem') }),
    },
    clock,
  );
  ends.push(() => source.close());
  source.start({ found: (state) => found.push(state), failed: (reason) => failed.push(reason) });
  /** Until that is so: the files are read in real time, they are looked at by the clock. */
  const until = (condition: () => boolean) =>
    expect
      .poll(
        async () => {
          await clock.pass(1_000);
          return condition();
        },
        { timeout: 10_000, interval: 10 },
      )
      .toBe(true);
  const looks = async (count: number) => {
    for (let look = 0; look < count; look++) {
      await clock.pass(1_000);
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  };
  return { found, failed, source, until, looks };
}

describe('identity from files', () => {
  it('certificate, key and roots that belong together', async () => {
    const directory = folder();
    const made = await issue();
    write(directory, made);
    const { found, until, source } = watch(directory);
    await until(() => found.length === 1);
    expect(found[0]?.svid).toMatchObject({
      id: { uri: URI },
      serialNumber: made.certificate.serialNumber.toLowerCase(),
    });
    expect(found[0]?.bundles.of('cluster.local')).toHaveLength(1);
    expect([source.from, source.hasWholeBundles]).toEqual([`files ${path.join(directory, 'cert-chain.pem')}`, true]);
  });

  it('are read anew when they change, and not otherwise', async () => {
    const directory = folder();
    write(directory, await issue());
    const { found, until, looks } = watch(directory);
    await until(() => found.length === 1);
    await looks(5);
    expect(found).toHaveLength(1);
    write(directory, await issue());
    await until(() => found.length === 2);
    expect(found[1]?.svid.serialNumber).not.toBe(found[0]?.svid.serialNumber);
  });

  it('roots without a revocation list beside them revoke nobody; a list counts, also one that is cut off', async () => {
    const directory = folder();
    const made = await issue();
    const list = await ca.crl(await issue());
    const readable = async (...texts: readonly string[]) => {
      write(directory, made, texts.join(''));
      const { found, until } = watch(directory);
      await until(() => found.length === 1);
      const bundles = found[0]?.bundles ?? createBundles([]);
      return [bundles.revoked.length, readBundles(bundles).unreadable === undefined];
    };
    expect(await readable(ca.pem)).toEqual([0, true]);
    expect(await readable(ca.pem, list)).toEqual([1, true]);
    expect(await readable(ca.pem, list.slice(0, 100))).toEqual([1, false]);
  });

  it('swapped all at once behind a symbolic link, as Kubernetes does with mounted secrets', async () => {
    const directory = folder();
    const [first, second] = [path.join(directory, '..1'), path.join(directory, '..2')];
    mkdirSync(first);
    mkdirSync(second);
    write(first, await issue());
    write(second, await issue());
    symlinkSync('..1', path.join(directory, '..data'));
    for (const file of ['cert-chain.pem', 'key.pem', 'root-cert.pem'])
      symlinkSync(path.join('..data', file), path.join(directory, file));
    const { found, failed, until } = watch(directory);
    await until(() => found.length === 1);
    symlinkSync('..2', path.join(directory, '..data_tmp'));
    renameSync(path.join(directory, '..data_tmp'), path.join(directory, '..data'));
    rmSync(first, { recursive: true });
    await until(() => found.length === 2);
    expect(failed).toEqual([]);
  });

  it('a certificate whose key has not come yet is no failure, until it stays so; the last good pair goes on', async () => {
    const directory = folder();
    write(directory, await issue());
    const { found, failed, until } = watch(directory);
    await until(() => found.length === 1);
    const next = await issue();
    writeFileSync(path.join(directory, 'cert-chain.pem'), next.pem);
    await until(() => failed.length === 1);
    expect(failed[0]).toMatch(/cert-chain\.pem with .*key\.pem: the key is not that of the certificate/);
    expect(found).toHaveLength(1);
    writeFileSync(path.join(directory, 'key.pem'), next.keyPem);
    await until(() => found.length === 2);
    expect(failed).toHaveLength(1);
  });

  it.each<[string, (directory: string) => void, RegExp]>([
    [
      'an empty certificate',
      (to) => writeFileSync(path.join(to, 'cert-chain.pem'), ''),
      /cert-chain\.pem.*no PEM certificate/,
    ],
    [
      'a key that is none',
      (to) => writeFileSync(path.join(to, 'key.pem'), 'x'),
      /key\.pem: there is no PEM private key/,
    ],
    [
      'roots that are none',
      (to) => writeFileSync(path.join(to, 'root-cert.pem'), 'x'),
      /root-cert\.pem: there is no PEM cert/,
    ],
    ['a file that is gone', (to) => rmSync(path.join(to, 'key.pem')), /ENOENT.*key\.pem/],
    [
      'a directory in its place',
      (to) => {
        rmSync(path.join(to, 'key.pem'));
        mkdirSync(path.join(to, 'key.pem'));
      },
      /EISDIR/,
    ],
    ['a CA for a certificate', (to) => writeFileSync(path.join(to, 'cert-chain.pem'), ca.pem), /is a CA/],
  ])('%s keeps the last good one, and is told once, by its file', async (_what, spoil, expected) => {
    const directory = folder();
    write(directory, await issue());
    const { found, failed, until, looks } = watch(directory);
    await until(() => found.length === 1);
    spoil(directory);
    await until(() => failed.length === 1);
    expect(failed[0]).toMatch(expected);
    expect(failed[0]).not.toMatch(/-----/);
    await looks(5);
    expect([found.length, failed.length]).toEqual([1, 1]);
    rmSync(path.join(directory, 'key.pem'), { recursive: true, force: true });
    write(directory, await issue());
    await until(() => found.length === 2);
  });

  it('files that are not there yet are waited for, and said at once', async () => {
    const directory = folder();
    const { found, failed, until } = watch(directory);
    await until(() => failed.length === 1);
    expect(failed[0]).toMatch(/ENOENT/);
    write(directory, await issue());
    await until(() => found.length === 1);
  });

  it('without a file of roots the control plane says whom to trust', async () => {
    const directory = folder();
    write(directory, await issue(), undefined);
    const { found, until, source } = watch(directory, false);
    await until(() => found.length === 1);
    expect([found[0]?.bundles.trustDomains, source.hasWholeBundles]).toEqual([[], false]);
  });

  it.each([
    ['no SPIFFE ID', { dns: ['web.shop'] }, /has 0 URI names/],
    ['two of them', { uris: [URI, `${URI}2`] }, /has 2 URI names/],
    ['a URI of another kind', { uris: ['https://web.shop'] }, /is no SPIFFE ID: it does not begin/],
  ])('a certificate with %s is none of a workload', async (_what, options, expected) => {
    const directory = folder();
    write(directory, await ca.issue(options));
    const { failed, until } = watch(directory);
    await until(() => failed.length === 1);
    expect(failed[0]).toMatch(expected);
  });
});
