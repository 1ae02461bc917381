import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { createTestCa } from '../../../test/harness/certificates.ts';
import { closeAll, node, PRIVATE, setUp, until } from '../embedded/secure-mesh.fixture.ts';
import { LISTENER_TYPE } from '../translate/resource-types.ts';

let folder = '';
afterEach(async () => {
  await closeAll();
  rmSync(folder, { recursive: true, force: true });
});

it('a connection that outlives its certificate proves nobody from then on', async () => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-credential-'));
  const ca = await createTestCa({ subject: 'CN=plugged in' });
  const files = { 'ca-cert.pem': ca.pem, 'ca-key.pem': ca.keyPem, 'cert-chain.pem': ca.pem, 'root-cert.pem': ca.pem };
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text, { mode: 0o600 });
  const { tls } = await setUp({ ca: { directory: folder } });
  const uris = ['spiffe://cluster.local/ns/shop/sa/web'];
  const { pem, keyPem } = await ca.issue({ uris, notAfterMs: Date.now() + 4_000 });
  const peer = tls({ certificate: { chain: pem, key: keyPem } });
  const stream = peer.stream(node('a'));
  stream.ask(LISTENER_TYPE, PRIVATE);
  await until(() => stream.heard.size).toBe(1);
  await until(stream.ended).toMatch(/^UNAUTHENTICATED/);
  await expect(peer.certificate()).rejects.toThrow(/UNAUTHENTICATED certificate: it has expired/);
  const again = peer.stream(node('a'));
  again.ask(LISTENER_TYPE, PRIVATE);
  await until(again.ended).toMatch(/^UNAUTHENTICATED certificate: it has expired/);
  expect(again.heard.size).toBe(0);
});
