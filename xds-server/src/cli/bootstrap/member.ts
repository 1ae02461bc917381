import { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { parseSpiffeId } from '@inmesh/sdk/internal/identity/spiffe-id';
import { UsageError } from '../usage.ts';
import type { CertificateFiles } from './client.ts';

/** As `inmesh cert issue` and istio-agent (OUTPUT_CERTS) write them. */
export function certificateFiles(directory: string): CertificateFiles {
  const at = (file: string): string => path.resolve(directory, file);
  const files = { certificate: at('cert-chain.pem'), key: at('key.pem'), roots: at('root-cert.pem') };
  const missing = Object.values(files).find((file) => !existsSync(file));
  if (missing !== undefined)
    throw new UsageError(`--certs: ${missing} is missing; inmesh cert issue --out ${directory} makes it`);
  return files;
}

interface ProvenNames {
  readonly namespace: string;
  readonly serviceAccount: string;
}

/** Whom the certificate proves; undefined: its name is none of Istio's form. */
export function provenBy({ certificate }: CertificateFiles): ProvenNames | undefined {
  let names: string | undefined;
  try {
    names = new X509Certificate(readFileSync(certificate)).subjectAltName;
  } catch {
    throw new UsageError(`--certs: ${certificate} holds no certificate in PEM`);
  }
  const [, uri] = /(?:^|, )URI:(spiffe:[^,]*)/.exec(names ?? '') ?? [];
  const id = uri === undefined ? undefined : parseSpiffeId(uri);
  return typeof id === 'string' ? undefined : id?.workload;
}

/** The control plane refuses who says to be someone else than it proves. */
export function agreed(said: string | undefined, proven: string | undefined, flag: string): string | undefined {
  if (said !== undefined && proven !== undefined && said !== proven)
    throw new UsageError(`${flag}: got "${said}", the certificate of --certs is of "${proven}"`);
  return said ?? proven;
}
