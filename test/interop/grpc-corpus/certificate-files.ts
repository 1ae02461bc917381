import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createTestCa } from '../../harness/certificates.ts';
import type { Files } from '../identity-live/certificate-files.ts';

export interface Issuer {
  /** Of the service account `default/ACCOUNT`. */
  issue(account: string): Promise<Files>;
  remove(): void;
}

/** A CA, and files in a folder of its own. */
export async function createIssuer(): Promise<Issuer> {
  const folder = mkdtempSync(path.join(tmpdir(), 'inmesh-corpus-'));
  const ca = await createTestCa();
  return {
    async issue(account) {
      const own = path.join(folder, account);
      mkdirSync(own, { mode: 0o700 });
      const write = (name: string, pem: string): string => {
        writeFileSync(path.join(own, name), pem, { mode: 0o600 });
        return path.join(own, name);
      };
      const { pem, keyPem } = await ca.issue({ uris: [`spiffe://cluster.local/ns/default/sa/${account}`] });
      return {
        certificate_file: write('cert-chain.pem', pem),
        private_key_file: write('key.pem', keyPem),
        ca_certificate_file: write('root-cert.pem', ca.pem),
      };
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
