import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import type { SecureServerOptions } from 'node:http2';
import os from 'node:os';
import path from 'node:path';
import type { JsonObject } from '@bufbuild/protobuf';
import { createTestCa } from '../../harness/certificates.ts';

/** One CA for the whole run; who is what, in files and in memory. */
export interface Certificates {
  /** `certificate_providers` of a bootstrap. */
  readonly providers: JsonObject;
  serverOf(account: string): Promise<SecureServerOptions>;
  close(): void;
}

export const idOf = (account: string): string => `spiffe://test/ns/shop/sa/${account}`;

export async function makeCertificates(): Promise<Certificates> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'inmesh-differential-'));
  const ca = await createTestCa();
  const own = await ca.issue({ uris: [idOf('web')] });
  const files = { certificate_file: own.pem, private_key_file: own.keyPem, ca_certificate_file: ca.pem };
  const config: Record<string, string> = { refresh_interval: '60s' };
  mkdirSync(folder, { recursive: true });
  for (const [name, pem] of Object.entries(files)) {
    config[name] = path.join(folder, `${name}.pem`);
    writeFileSync(config[name], pem, { mode: 0o600 });
  }
  return {
    providers: { default: { plugin_name: 'file_watcher', config } },
    async serverOf(account) {
      const { pem, keyPem } = await ca.issue({ uris: [idOf(account)], dns: [`${account}.shop.test`] });
      return { cert: pem, key: keyPem, ca: ca.pem, requestCert: true, rejectUnauthorized: true, minVersion: 'TLSv1.2' };
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
