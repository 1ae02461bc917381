import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createTestCa, type TestCa } from '../harness/certificates.ts';

export interface OwnCertificate {
  readonly id: string;
  /** All PEM. */
  readonly certificate: string;
  readonly key: string;
  readonly roots: string;
}

/** A caller's and a server's, of one CA. */
export interface WorkloadCertificates {
  readonly client: OwnCertificate;
  readonly server: OwnCertificate;
}

export const NAMESPACE = 'bench';

const idOf = (account: string): string => `spiffe://cluster.local/ns/${NAMESPACE}/sa/${account}`;

/** A CA in a folder as the control plane takes it, and certificates of it for those who are no part of the mesh. */
export async function plugInCa(folder: string): Promise<WorkloadCertificates> {
  const ca = await createTestCa();
  mkdirSync(folder, { mode: 0o700, recursive: true });
  const files = { 'ca-cert.pem': ca.pem, 'ca-key.pem': ca.keyPem, 'cert-chain.pem': ca.pem, 'root-cert.pem': ca.pem };
  for (const [name, pem] of Object.entries(files)) writeFileSync(path.join(folder, name), pem, { mode: 0o600 });
  return { client: await issue(ca, 'web'), server: await issue(ca, 'reviews') };
}

async function issue(ca: TestCa, account: string): Promise<OwnCertificate> {
  const id = idOf(account);
  const { pem, keyPem } = await ca.issue({ uris: [id] });
  return { id, certificate: pem, key: keyPem, roots: ca.pem };
}
