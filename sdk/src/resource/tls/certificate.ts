import type { CommonTlsContext, TlsCertificate } from '../../../gen/tls.js';
import type { CertificateSource } from '../../model/tls.ts';
import type { Scope } from '../scope.ts';
import { decodePem } from './data-source.ts';
import { certificateByName } from './sds-name.ts';
import { requireDefault } from './validation.ts';

/** The certificate an end presents, wherever the context says that it comes from; undefined: it says nothing. */
export function decodeCertificate(context: CommonTlsContext, at: Scope): CertificateSource | undefined {
  const {
    tlsCertificates,
    tlsCertificateSdsSecretConfigs: secrets,
    tlsCertificateProviderInstance: instance,
  } = context;
  const older = context.tlsCertificateCertificateProviderInstance;
  if (instance !== undefined) requireDefault(instance.instanceName, at.at('tls_certificate_provider_instance'));
  if (older !== undefined) requireDefault(older.instanceName, at.at('tls_certificate_certificate_provider_instance'));
  const ways = [tlsCertificates.length, secrets.length, (instance ?? older) ? 1 : 0].filter((count) => count > 0);
  if (ways.length > 1 || Math.max(0, ...ways) > 1) at.error('several certificates, one allowed');
  if (instance !== undefined || older !== undefined) return { kind: 'identity' };
  const [secret] = secrets;
  if (secret !== undefined) {
    return certificateByName(secret.name, at.at('tls_certificate_sds_secret_configs').at(0).at('name'));
  }
  const [certificate] = tlsCertificates;
  return certificate && decodeTlsCertificate(certificate, at.at('tls_certificates').at(0));
}

type Given = Extract<CertificateSource, { readonly kind: 'files' | 'inline' }>;

/** TlsCertificate: chain and key, both in files or both inline, and the key that of the certificate. */
export function decodeTlsCertificate(message: TlsCertificate, at: Scope): Given | undefined {
  const chain = decodePem(message.certificateChain, 'certificate', at.at('certificate_chain'));
  const key = decodePem(message.privateKey, 'key', at.at('private_key'));
  if (chain === undefined || key === undefined) return undefined;
  if (chain.kind === 'file' && key.kind === 'file') return { kind: 'files', certificate: chain.path, key: key.path };
  if (chain.kind === 'inline' && key.kind === 'inline') return decodePair(chain.pem, key.pem, at);
  at.error('one of certificate_chain and private_key is a file and one is not, both alike allowed');
  return undefined;
}

function decodePair(certificate: string, key: string, at: Scope): Given | undefined {
  const fault = faultOfPair(certificate, key);
  if (fault === undefined) return { kind: 'inline', certificate, key };
  at.error(fault);
  return undefined;
}

/** Never says what OpenSSL found at which byte: nothing of a key goes into an error. */
function faultOfPair(certificate: string, key: string): string | undefined {
  const { X509Certificate, createPrivateKey } = process.getBuiltinModule('node:crypto');
  let leaf: InstanceType<typeof X509Certificate>;
  try {
    leaf = new X509Certificate(certificate);
  } catch {
    return 'certificate_chain: the first certificate cannot be read';
  }
  try {
    return leaf.checkPrivateKey(createPrivateKey(key)) ? undefined : 'private_key is not that of the certificate';
  } catch {
    return 'private_key: it cannot be read';
  }
}
