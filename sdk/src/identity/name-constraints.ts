import type { CertificateFacts, SubjectName } from './certificate.ts';

/**
 * What an issuer's name constraints have against a leaf's names (RFC 5280 §4.2.1.10). Of URIs the host counts, which of a
 * SPIFFE ID is the trust domain; constraints on other kinds of names are OpenSSL's to judge.
 */
export function constraintFault(
  { permitted, excluded }: NonNullable<CertificateFacts['constraints']>,
  names: readonly SubjectName[],
): string | undefined {
  for (const { type, value } of names) {
    const host = hostOf(type, value);
    if (host === undefined) continue;
    const within = (among: readonly SubjectName[]): boolean =>
      among.some((base) => base.type === type && isWithin(type, host, base.value.toLowerCase()));
    const shown = JSON.stringify(value.slice(0, 256));
    if (within(excluded)) return `may not vouch for ${shown} (excluded by its name constraints)`;
    if (permitted.some((base) => base.type === type) && !within(permitted))
      return `may not vouch for ${shown} (not permitted by its name constraints)`;
  }
  return undefined;
}

function hostOf(type: SubjectName['type'], value: string): string | undefined {
  if (type === 'dns') return value.toLowerCase();
  if (type !== 'uri') return undefined;
  return /^[^:/]+:\/\/([^/?#]*)/.exec(value)?.[1]?.toLowerCase() ?? '';
}

/** A URI's base is one host, or with a leading dot every host below it; a DNS name's base is itself and all below it. */
function isWithin(type: SubjectName['type'], host: string, base: string): boolean {
  if (base.startsWith('.')) return host.endsWith(base) && host.length > base.length;
  if (host === base) return true;
  return type === 'dns' && (base === '' || host.endsWith(`.${base}`));
}
