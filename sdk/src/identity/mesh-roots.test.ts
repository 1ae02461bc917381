import { expect, it, vi } from 'vitest';
import { createTestCa } from '../../../test/harness/certificates.ts';
import type { Discovery, ResourceWatcher } from '../discovery/discovery.ts';
import type { Secret } from '../model/secret.ts';
import { createBundles } from './bundles.ts';
import { joinBundles, type MeshRoots, meshRootsOf } from './mesh-roots.ts';
import { readBundles } from './read-bundles.ts';
import { watchRoots } from './start.ts';

it('roots with a revocation list that cannot be read are refused whole, so that the last good ones stay', async () => {
  const ca = await createTestCa();
  const list = await ca.crl(await ca.issue());
  const read = (pem: string) =>
    meshRootsOf({
      kind: 'roots',
      name: 'ROOTCA',
      roots: { kind: 'inline', pem: ca.pem },
      crl: { kind: 'inline', pem },
    });
  expect(read(list)).toMatchObject({ own: ca.pem, revoked: list });
  expect(read(list + list)).toMatchObject({ revoked: list + list });
  expect(read('\n')).toMatchObject({ own: ca.pem });
  expect(read('fetched wrongly')).toBe('its revocation list holds no PEM X509 CRL');
  expect(read(list + list.replace(/.{64}\n/, ''))).toMatch(/^its revocation list cannot be read: /);
});

it('a first revocation list that cannot be read takes nobody in, a later one leaves the last good one', async () => {
  const ca = await createTestCa();
  const list = await ca.crl(await ca.issue());
  const subscribe = vi.fn((_type: unknown, _name: string, _watcher: ResourceWatcher<Secret>) => () => {});
  let roots: MeshRoots | undefined;
  const warnings: string[] = [];
  watchRoots(
    { subscribe } as unknown as Discovery,
    (told) => {
      roots = told;
    },
    (why) => warnings.push(why),
  );
  const push = (pem: string): void =>
    subscribe.mock.calls[0]?.[2].onResource(
      { kind: 'roots', name: 'ROOTCA', roots: { kind: 'inline', pem: ca.pem }, crl: { kind: 'inline', pem } },
      '1',
    );
  const source = createBundles([['cluster.local', [ca.pem]]]);
  const joined = () => joinBundles(source, roots, { trustDomains: ['cluster.local'], isWhole: false });
  push('fetched wrongly');
  expect(readBundles(joined()).unreadable).toBeDefined();
  push(list);
  expect(readBundles(joined())).toMatchObject({ unreadable: undefined, revocation: [{}] });
  push('fetched wrongly');
  expect(readBundles(joined())).toMatchObject({ unreadable: undefined, revocation: [{}] });
  expect(warnings).toHaveLength(2);
});
