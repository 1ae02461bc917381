import { execFileSync } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../../test/harness/fake-clock.ts';
import { createAuthority } from '../../../../xds-server/src/ca/authority.ts';
import { createCertificateService, isStatus } from '../../../../xds-server/src/ca/certificate-service.ts';
import { systemClock, systemRandom } from '../../clock.ts';
import { type AskCa, askInProcess } from '../../wire/istio-ca.ts';
import { createCsr } from '../csr.ts';
import { createIdentity } from '../live-identity.ts';
import { createCaSource } from './ca.ts';

const URI = 'spiffe://mesh.test/ns/shop/sa/web';
const HOUR_MS = 3_600_000;

const openssl = ((): boolean => {
  try {
    execFileSync('openssl', ['version']);
    return true;
  } catch {
    return false;
  }
})();

async function certificateAuthority() {
  const authority = await createAuthority({ trustDomain: 'mesh.test' });
  const service = createCertificateService({ authority });
  const principal = {
    kind: 'workload',
    trustDomain: 'mesh.test',
    namespace: 'shop',
    serviceAccount: 'web',
    via: 'in-process',
  } as const;
  const ask = askInProcess(async (path, request) => {
    expect(path).toBe('/istio.v1.auth.IstioCertificateService/CreateCertificate');
    const answer = await service.createCertificate(request, principal);
    if (isStatus(answer)) throw new Error(answer.message);
    return answer;
  });
  return { authority, ask };
}

const identityOf = (ask: AskCa, clock = systemClock, ttlMs = HOUR_MS) =>
  createIdentity({
    source: createCaSource({ from: 'CA test', ask, ttlMs, clock, random: systemRandom }),
    clock,
    emit: () => {},
  });

describe('a certificate of our CA', () => {
  it('is for a key made here, under the name the CA gives, with its root', async () => {
    const { authority, ask } = await certificateAuthority();
    const identity = identityOf(ask);
    const { svid, bundles } = await identity.ready(30_000);
    expect(svid.id.uri).toBe(URI);
    expect(svid.key.asymmetricKeyDetails).toEqual({ namedCurve: 'prime256v1' });
    expect(svid.notAfterMs - Date.now()).toBeLessThanOrEqual(HOUR_MS);
    expect(bundles.of('mesh.test')?.map((pem) => pem.trim())).toEqual(
      authority.bundle().roots.map((pem) => pem.trim()),
    );
    identity.close();
    await authority.close();
  });

  it('while the CA changes its root, both roots are taken', async () => {
    const { authority, ask } = await certificateAuthority();
    await authority.rotateRoot();
    const identity = identityOf(ask);
    const { svid, bundles } = await identity.ready(30_000);
    expect(bundles.of('mesh.test')).toHaveLength(2);
    expect(svid.chain.match(/BEGIN CERTIFICATE/g)).toHaveLength(1);
    identity.close();
    await authority.close();
  });
});

describe('what a CA answers', () => {
  const refused = async (answer: readonly string[]) => {
    const clock = createFakeClock();
    const identity = identityOf(async () => answer, clock);
    identity.start();
    await expect.poll(() => identity.missing, { timeout: 10_000 }).not.toContain('nothing has come yet');
    const { missing } = identity;
    identity.close();
    return missing;
  };

  it('a leaf without a root, nothing, and what is no certificate are refused with what is missing', async () => {
    const { authority, ask } = await certificateAuthority();
    const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const [leaf = '', root = ''] = await ask({ csr: createCsr(keys), ttlMs: HOUR_MS });
    expect(await refused([leaf])).toMatch(/has 1 certificates/);
    expect(await refused([])).toMatch(/has 0 certificates/);
    expect(await refused(['x', 'y'])).toMatch(/has 0 certificates/);
    // Somebody else's certificate, or a replay.
    expect(await refused([leaf, root])).toMatch(/the key is not that of the certificate/);
    await authority.close();
  });
});

describe.skipIf(!openssl)('our certificate request, as openssl reads it', () => {
  const keys = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const read = (csr: string) => {
    const args = ['req', '-verify', '-noout', '-text'];
    return execFileSync('openssl', args, { input: csr, encoding: 'utf8', stdio: ['pipe', 'pipe', 'ignore'] });
  };

  it('a signed P-256 key with an empty subject and one URI', () => {
    const text = read(createCsr(keys, URI));
    expect(text).toMatch(/Subject:\s*\n/);
    expect(text).toContain('ASN1 OID: prime256v1');
    expect(text).toMatch(/Subject Alternative Name: critical\s+URI:spiffe:\/\/mesh.test\/ns\/shop\/sa\/web\n/);
    expect(text).toContain('ecdsa-with-SHA256');
  });

  it('and no names where none is known', () => {
    expect(read(createCsr(keys))).not.toContain('Alternative Name');
  });
});
