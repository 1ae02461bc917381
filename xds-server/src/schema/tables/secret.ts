import { checkSecret } from '../checks/secret.ts';
import { type Fields, message, supported, unused } from '../message.ts';
import { isPem, type PemKind } from '../pem.ts';
import type { SecretData, SecretSpec } from '../spec/secret.ts';
import { type Type, text } from '../type.ts';

const WANTS: Readonly<Record<PemKind, string>> = {
  certificate: 'certificates in PEM',
  key: 'a private key in PEM that is not encrypted',
  crl: 'a revocation list in PEM',
};

/** Base64 as Kubernetes writes it, line breaks allowed; undefined where it is none. */
const decoded = (value: string): string | undefined => {
  try {
    return new TextDecoder().decode(Uint8Array.from(atob(value), (char) => char.charCodeAt(0)));
  } catch {
    return undefined;
  }
};

/** Its messages never show what was given. */
const pem = (kind: PemKind, isEncoded: boolean): Type<string> => ({
  wants: `${WANTS[kind]}${isEncoded ? ', as base64' : ''}`,
  read(value, place) {
    const given = typeof value !== 'string' ? undefined : isEncoded ? decoded(value) : value;
    // Kubernetes has empty entries where a certificate is still being issued.
    if (given !== undefined && (given.trim() === '' || isPem(given, kind))) return given;
    return place.error(`not shown; want ${this.wants}`);
  },
});

const fields = (isEncoded: boolean): Fields<SecretData> => ({
  'tls.crt': supported(pem('certificate', isEncoded)),
  'tls.key': supported(pem('key', isEncoded)),
  'ca.crt': supported(pem('certificate', isEncoded)),
  'ca.crl': supported(pem('crl', isEncoded)),
  cert: supported(pem('certificate', isEncoded)),
  key: supported(pem('key', isEncoded)),
  cacert: supported(pem('certificate', isEncoded)),
  crl: supported(pem('crl', isEncoded)),
});

/** What stands there instead of the mapping may be a key. */
const data = (isEncoded: boolean): Type<SecretData> => {
  const inner = message<SecretData>(fields(isEncoded), { unknown: 'ignore' });
  return {
    ...inner,
    absent: () => ({}),
    read: (value, place) =>
      value instanceof Map ? inner.read(value, place) : place.error(`not shown; want ${inner.wants}`),
  };
};

export const secret = message<SecretSpec>(
  { type: supported(text()), data: supported(data(true)), stringData: supported(data(false)) },
  { others: unused('immutable'), check: checkSecret },
);
