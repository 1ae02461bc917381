import type { X509Certificate } from 'node:crypto';
import type { CertificateFacts } from '@inmesh/sdk/internal/identity/certificate';

const USES = new Map([
  ['1.3.6.1.5.5.7.3.1', 'TLS server'],
  ['1.3.6.1.5.5.7.3.2', 'TLS client'],
  ['2.5.29.37.0', 'anything'],
]);
const CURVES = new Map([
  ['prime256v1', 'P-256'],
  ['secp384r1', 'P-384'],
  ['secp521r1', 'P-521'],
]);

/** A certificate for a person to read; `facts` are those of sdk/identity, which reads the DER itself. */
export function describeCertificate(
  certificate: X509Certificate,
  facts: CertificateFacts | string,
  nowMs: number,
): string {
  const names =
    typeof facts === 'string'
      ? facts
      : facts.names.map(({ type, value }) => `${type.toUpperCase()} ${shown(value)}`).join(', ');
  const rows = [
    ['names', names === '' ? 'none' : names],
    ['subject', nameText(certificate.subject)],
    ['issuer', nameText(certificate.issuer)],
    ['serial', certificate.serialNumber],
    [
      'valid',
      `${time(certificate.validFromDate)} to ${time(certificate.validToDate)} (${leftText(certificate, nowMs)})`,
    ],
    ['key', keyText(certificate)],
    ['use', usesText(facts)],
    ['sha256', certificate.fingerprint256],
  ];
  return rows.map(([label = '', value = '']) => `  ${label.padEnd(8)}${value}\n`).join('');
}

/** Names come from elsewhere: they stand on one line and move no cursor. */
const shown = (text: string): string =>
  text.replace(/[^\x20-\x7e]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** An empty name is undefined, whatever the types say. */
export const nameText = (name: string | undefined): string => shown((name ?? '').replaceAll('\n', ', ')) || 'none';

const time = (date: Date): string => date.toISOString().replace('.000Z', 'Z');

export function leftText({ validFromDate, validToDate }: X509Certificate, nowMs: number): string {
  if (nowMs < validFromDate.getTime()) return `begins in ${durationText(validFromDate.getTime() - nowMs)}`;
  const leftMs = validToDate.getTime() - nowMs;
  return leftMs < 0 ? `EXPIRED ${durationText(-leftMs)} ago` : `${durationText(leftMs)} left`;
}

/** Its two largest units. */
function durationText(ms: number): string {
  const seconds = Math.floor(ms / 1_000);
  const parts = [
    [Math.floor(seconds / 86_400), 'd'],
    [Math.floor(seconds / 3_600) % 24, 'h'],
    [Math.floor(seconds / 60) % 60, 'min'],
    [seconds % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(' ');
}

function keyText({ publicKey }: X509Certificate): string {
  const { namedCurve = '', modulusLength } = publicKey.asymmetricKeyDetails ?? {};
  if (publicKey.asymmetricKeyType === 'ec') return `EC ${CURVES.get(namedCurve) ?? namedCurve}`;
  return `${publicKey.asymmetricKeyType ?? 'unknown'}${modulusLength === undefined ? '' : ` ${modulusLength}`}`;
}

function usesText(facts: CertificateFacts | string): string {
  if (typeof facts === 'string') return 'unknown';
  if (facts.isCa) return `CA${facts.pathLength === undefined ? '' : `, ${facts.pathLength} CAs below it`}`;
  return facts.extendedKeyUsage?.map((oid) => USES.get(oid) ?? oid).join(', ') ?? 'anything';
}
