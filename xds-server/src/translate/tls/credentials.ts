import type { SecretData } from '../../schema/spec/secret.ts';
import type { Secret } from '../world.ts';

export interface Credential {
  readonly chain: string;
  readonly key: string;
}

export interface Roots {
  readonly pem: string;
  readonly crl?: string;
}

const entry = ({ spec }: Secret, name: keyof SecretData): string => spec.stringData[name] ?? spec.data[name] ?? '';

/** Generic names before those of kubernetes.io/tls (Istio kube.ExtractCertInfo). */
export const credentialOf = (secret: Secret): Credential | undefined => {
  for (const [certificate, privateKey] of [['cert', 'key'] as const, ['tls.crt', 'tls.key'] as const]) {
    const chain = entry(secret, certificate);
    const key = entry(secret, privateKey);
    if (chain !== '' && key !== '') return { chain, key };
  }
  return undefined;
};

/** Istio kube.ExtractRoot. */
export const rootsOf = (secret: Secret): Roots | undefined => {
  for (const [roots, revoked] of [['cacert', 'crl'] as const, ['ca.crt', 'ca.crl'] as const]) {
    const pem = entry(secret, roots);
    const crl = entry(secret, revoked);
    if (pem !== '') return { pem, ...(crl !== '' && { crl }) };
  }
  return undefined;
};
