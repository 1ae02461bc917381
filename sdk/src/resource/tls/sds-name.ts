import type { CertificateSource, RootsSource } from '../../model/tls.ts';
import type { Scope } from '../scope.ts';
import { required } from '../values.ts';

/** Istio's names of files (its agent answers them by SDS; here nobody stands between): certificate and key, or roots. */
const FILE_CERTIFICATE = 'file-cert:';
const FILE_ROOTS = 'file-root:';
/** Istio's name of the platform's roots (DestinationRule tls.mode SIMPLE without a CA). */
const SYSTEM = 'system';

/** SdsSecretConfig.name of a certificate. */
export function certificateByName(name: string, at: Scope): CertificateSource {
  if (name === 'default') return { kind: 'identity' };
  if (!name.startsWith(FILE_CERTIFICATE)) return { kind: 'secret', name: required(name, at) };
  const [certificate = '', key = ''] = name.slice(FILE_CERTIFICATE.length).split('~');
  if (certificate === '' || key === '') at.error(`"${name}", ${FILE_CERTIFICATE}CERTIFICATE~KEY allowed`);
  return { kind: 'files', certificate, key };
}

/** SdsSecretConfig.name of roots. */
export function rootsByName(name: string, at: Scope): RootsSource {
  if (name === 'ROOTCA') return { kind: 'mesh' };
  if (!name.startsWith(FILE_ROOTS)) return { kind: 'secret', name: required(name, at) };
  const path = name.slice(FILE_ROOTS.length);
  return path === SYSTEM ? { kind: 'system' } : { kind: 'file', path: required(path, at) };
}
