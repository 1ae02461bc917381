import { holdsPem } from './pem.ts';
import type { Plain } from './place.ts';
import type { SecretData } from './spec/secret.ts';

type PlainMap = ReadonlyMap<string, Plain>;

const KEYS = [
  'tls.crt',
  'tls.key',
  'ca.crt',
  'ca.crl',
  'cert',
  'key',
  'cacert',
  'crl',
] as const satisfies readonly (keyof SecretData)[];

/** `-----BEGIN ` as base64 begins. */
const ENCODED_PEM = 'LS0tLS1CRUdJTi';

/**
 * A cluster is full of Secrets: passwords, tokens, a Helm release. TLS is of type kubernetes.io/tls, or generic and holds PEM
 * under one of Istio's keys (Istio kube.ExtractCertInfo); a generic one with an entry `key` that is a password is not.
 */
export const isForeignSecret = (value: PlainMap): boolean => {
  const type = value.get('type') ?? '';
  // A type that is no text is an error of its own, told where it stands.
  if (type === 'kubernetes.io/tls' || typeof type !== 'string') return false;
  if (type !== '' && type !== 'Opaque') return true;
  const isTls = (entries: Plain | undefined, is: (text: string) => boolean): boolean =>
    entries instanceof Map &&
    KEYS.some((key) => {
      const text = entries.get(key);
      return typeof text === 'string' && is(text);
    });
  return (
    !isTls(value.get('data'), (text) => text.trimStart().startsWith(ENCODED_PEM)) &&
    !isTls(value.get('stringData'), holdsPem)
  );
};
