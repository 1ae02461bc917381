/** What a block of PEM holds (RFC 7468), told by its first line; whether it can be read is for whoever uses it. */
export type PemKind = 'certificate' | 'key' | 'crl';

const BEGIN: Readonly<Record<PemKind, RegExp>> = {
  certificate: /^-----BEGIN (TRUSTED |X509 )?CERTIFICATE-----/m,
  key: /^-----BEGIN (RSA |EC )?PRIVATE KEY-----/m,
  crl: /^-----BEGIN X509 CRL-----/m,
};

export const isPem = (text: string, kind: PemKind): boolean => BEGIN[kind].test(text);

/** Any kind of it. */
export const holdsPem = (text: string): boolean => /^-----BEGIN [A-Z0-9 ]+-----/m.test(text);
