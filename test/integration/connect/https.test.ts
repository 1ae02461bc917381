import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { getCACertificates, setDefaultCACertificates } from 'node:tls';
import { createTestMesh, type TestMesh } from '@inmesh/xds-server/testing';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { TEST_ROOT } from '../../../sdk/src/connection/certificates.fixture.ts';
import type { Mesh } from '../../../sdk/src/index.ts';
import { startTlsOrigin, type TlsOrigin } from './tls-origin.ts';

const before = getCACertificates('default');
const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-roots-'));
const ROOTS = path.join(folder, 'roots.pem');
const STRANGERS = path.join(folder, 'strangers.pem');

let test: TestMesh;
let mesh: Mesh;
let origin: TlsOrigin;

beforeAll(() => {
  // What fetch would trust.
  setDefaultCACertificates([...before, TEST_ROOT]);
  writeFileSync(ROOTS, TEST_ROOT);
  writeFileSync(STRANGERS, before[0] ?? '');
});
afterAll(() => {
  setDefaultCACertificates(before);
  rmSync(folder, { recursive: true });
});
beforeEach(async () => {
  test = await createTestMesh({ yaml: '' });
  mesh = test.mesh({ workload: 'web' }) as Mesh;
  origin = await startTlsOrigin();
});
afterEach(async () => {
  await test.close();
  await origin.close();
});

/** reviews.test:443, with an `http` route that leaves a trace. */
const world = (protocol: string, tls: string | undefined, host = 'reviews.test'): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: reviews, namespace: default }
spec:
  hosts: [${host}]
  resolution: STATIC
  ports: [{ number: 443, name: web, protocol: ${protocol} }]
  endpoints: [{ address: 127.0.0.1, ports: { web: ${origin.port} } }]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: reviews, namespace: default }
spec:
  hosts: [${host}]
  http: [{ route: [{ destination: { host: ${host} } }], headers: { response: { set: { x-routed: 'yes' } } } }]
${
  tls === undefined
    ? ''
    : `---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: reviews, namespace: default }
spec: { host: ${host}, trafficPolicy: { tls: ${tls} } }`
}
`;

/** `tls`, `clear`, or the status and flag of what the mesh answers itself. */
async function call(scheme: string, host = 'reviews.test'): Promise<string> {
  const response = await mesh.fetch(`${scheme}://${host}:443/`);
  const text = await response.text();
  if (response.mesh?.local) return `${response.status} ${response.mesh.flag}`;
  expect(response.headers.get('x-routed')).toBe('yes');
  return text;
}

describe('encrypted exactly once: scheme × protocol of the port × tls.mode of the DestinationRule', () => {
  const cases = ['HTTP', 'HTTPS', 'TLS'].flatMap((protocol) =>
    (
      [
        [undefined, 'clear', 'tls'],
        ['{ mode: DISABLE }', 'clear', 'tls'],
        ['{ mode: SIMPLE }', 'tls', 'tls'],
        // There is no such certificate, and no identity: nothing goes out, least of all in clear.
        ['{ mode: MUTUAL, clientCertificate: /c.pem, privateKey: /k.pem }', '503 UF', '503 UF'],
        ['{ mode: ISTIO_MUTUAL }', '503 UF', '503 UF'],
      ] as const
    ).map(([tls, http, https]) => ({ protocol, tls, http, https })),
  );

  it.each(cases)('$protocol, $tls: http:// $http, https:// $https', async ({ protocol, tls, http, https }) => {
    await test.apply(world(protocol, tls));
    expect([await call('http'), await call('https')]).toEqual([http, https]);
  });
});

describe('never less verified than fetch would', () => {
  it.each([
    // Names.
    ['{ mode: SIMPLE, sni: reviews.test }', 'tls', 'tls'],
    ['{ mode: SIMPLE, sni: other.test }', '503 UF', '503 UF'],
    ['{ mode: SIMPLE, subjectAltNames: [reviews.test] }', 'tls', 'tls'],
    [
      '{ mode: SIMPLE, sni: other.test, subjectAltNames: ["spiffe://cluster.local/ns/default/sa/reviews"] }',
      'tls',
      'tls',
    ],
    ['{ mode: SIMPLE, subjectAltNames: [other.test] }', '503 UF', '503 UF'],
    // Roots: those of the file, and no others.
    [`{ mode: SIMPLE, caCertificates: ${ROOTS} }`, 'tls', 'tls'],
    [`{ mode: SIMPLE, caCertificates: ${STRANGERS} }`, '503 UF', '503 UF'],
    ['{ mode: SIMPLE, caCertificates: /no/such/file.pem }', '503 UF', '503 UF'],
    ['{ mode: SIMPLE, caCertificates: system }', 'tls', 'tls'],
    // Whoever wrote https:// has it verified; whoever wrote http:// has asked for nothing.
    ['{ mode: SIMPLE, insecureSkipVerify: true }', 'tls', 'tls'],
    ['{ mode: SIMPLE, insecureSkipVerify: true, sni: other.test }', 'tls', '503 UF'],
    ['{ mode: SIMPLE, credentialName: secret }', '503 UF', '503 UF'],
  ])('%s: http:// %s, https:// %s', async (tls, http, https) => {
    await test.apply(world('HTTPS', tls));
    expect([await call('http'), await call('https')]).toEqual([http, https]);
  });

  it('an https:// call to a host whose certificate names another fails, rule or none', async () => {
    for (const tls of [undefined, '{ mode: SIMPLE }']) {
      await test.apply(world('HTTP', tls, 'other.test'));
      expect(await call('https', 'other.test')).toBe('503 UF');
    }
  });

  it('the roots are read anew when the file has changed', async () => {
    const file = path.join(folder, 'rotated.pem');
    writeFileSync(file, before[0] ?? '');
    await test.apply(world('HTTPS', `{ mode: SIMPLE, caCertificates: ${file} }`));
    expect(await call('https')).toBe('503 UF');
    writeFileSync(file, TEST_ROOT);
    expect(await call('https')).toBe('tls');
  });

  it('an http:// call under SIMPLE keeps http as its scheme for the rules, and asks for the host’s name', async () => {
    await test.apply(world('HTTP', '{ mode: SIMPLE }'));
    expect(await call('http')).toBe('tls');
    expect(origin.serverNames).toEqual(['reviews.test']);
  });
});
