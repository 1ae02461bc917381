import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import type { Revocation } from './issuer.ts';
import { certificateBlocks, pemBlocks } from './pem.ts';
import { ENTRY, type Entries } from './store.ts';

export interface KeyedRoot {
  readonly pem: string;
  readonly certificate: X509Certificate;
  readonly key: KeyObject;
}

/** A root of our own making, those around it in time, and what was revoked. */
export interface AuthorityState {
  readonly active: KeyedRoot;
  readonly next: { readonly root: KeyedRoot; readonly signsAtMs: number } | undefined;
  readonly retired: readonly { readonly root: KeyedRoot; readonly untilMs: number }[];
  /** Trusted beside ours: what somebody put into root-cert.pem. */
  readonly otherRoots: readonly string[];
  readonly revoked: readonly Revocation[];
}

/** What is kept beside certificates and keys. */
export interface Times {
  readonly signsAtMs: number | undefined;
  /** By SHA-256 fingerprint of the root. */
  readonly trustedUntilMs: ReadonlyMap<string, number>;
  readonly revoked: readonly Revocation[];
}

/** Our own roots are told from a plugged-in CA by there being no chain between issuer and root. */
export const isPluggedIn = (entries: Entries): boolean => entries.has(ENTRY.chain);

/**
 * Reads what `writeState` wrote. A write that was cut off between two files is finished: the key of the next root in the place of
 * the active one means that it took its place.
 */
export function readState(entries: Entries, where: string, defaultUntilMs: number): AuthorityState {
  const times = readTimes(entries, where);
  const next = optionalRoot(entries, [ENTRY.nextCertificate, ENTRY.nextKey], where);
  const active = activeRoot(entries, next, where);
  const trusted = certificateBlocks(entries.get(ENTRY.roots) ?? '').map((pem) => {
    const { fingerprint256 } = certificateOf(pem, `${where}: ${ENTRY.roots}`);
    return { pem, fingerprint256 };
  });
  const retired = retiredRoots(entries, where).filter((root) => {
    const { fingerprint256 } = root.certificate;
    // One without a time that is not trusted either: the write that took it away was cut off.
    const isKept =
      times.trustedUntilMs.has(fingerprint256) || trusted.some((one) => one.fingerprint256 === fingerprint256);
    return isKept && !isSame(root, active);
  });
  const following = next === undefined || isSame(next, active) ? undefined : next;
  const own = [active, ...(following === undefined ? [] : [following]), ...retired].map(
    ({ certificate }) => certificate,
  );
  return {
    active,
    next: following === undefined ? undefined : { root: following, signsAtMs: times.signsAtMs ?? defaultUntilMs },
    retired: retired.map((root) => ({
      root,
      untilMs: times.trustedUntilMs.get(root.certificate.fingerprint256) ?? defaultUntilMs,
    })),
    otherRoots: trusted
      .filter(
        // One that was ours and is forgotten: the same, cut off elsewhere.
        ({ fingerprint256 }) =>
          !times.trustedUntilMs.has(fingerprint256) &&
          own.every((certificate) => certificate.fingerprint256 !== fingerprint256),
      )
      .map(({ pem }) => pem),
    revoked: times.revoked,
  };
}

export function writeState(state: AuthorityState): Entries {
  const { active, next, retired, revoked } = state;
  const entries = new Map([
    [ENTRY.certificate, active.pem],
    [ENTRY.key, keyPem(active.key)],
    [ENTRY.roots, trustedRoots(state).join('')],
    [ENTRY.state, timesText({ signsAtMs: next?.signsAtMs, trustedUntilMs: untilByRoot(retired), revoked })],
  ] as [string, string][]);
  if (next !== undefined) {
    entries.set(ENTRY.nextCertificate, next.root.pem);
    entries.set(ENTRY.nextKey, keyPem(next.root.key));
  }
  if (retired.length > 0) {
    entries.set(ENTRY.retiredCertificates, retired.map(({ root }) => root.pem).join(''));
    entries.set(ENTRY.retiredKeys, retired.map(({ root }) => keyPem(root.key)).join(''));
  }
  return entries;
}

/** All that leaves may lead to, who signs now first. */
export const trustedRoots = ({ active, next, retired, otherRoots }: AuthorityState): readonly string[] => [
  active.pem,
  ...(next === undefined ? [] : [next.root.pem]),
  ...retired.map(({ root }) => root.pem),
  ...otherRoots,
];

const untilByRoot = (retired: AuthorityState['retired']): ReadonlyMap<string, number> =>
  new Map(retired.map(({ root, untilMs }) => [root.certificate.fingerprint256, untilMs]));

const keyPem = (key: KeyObject): string => key.export({ type: 'pkcs8', format: 'pem' }).toString();

const isSame = (one: KeyedRoot, other: KeyedRoot): boolean =>
  one.certificate.fingerprint256 === other.certificate.fingerprint256;

function activeRoot(entries: Entries, next: KeyedRoot | undefined, where: string): KeyedRoot {
  const certificate = certificateOf(required(entries, ENTRY.certificate, where), `${where}: ${ENTRY.certificate}`);
  if (!certificate.checkIssued(certificate))
    throw new Error(
      `${where}: ${ENTRY.chain}: missing or empty; ${ENTRY.certificate} is issued by "${oneLine(certificate.issuer)}", so what leads to a root is needed`,
    );
  const key = keyOf(required(entries, ENTRY.key, where), `${where}: ${ENTRY.key}`);
  if (certificate.checkPrivateKey(key)) return { pem: pemOf(certificate), certificate, key };
  if (next?.certificate.checkPrivateKey(key) === true) return next;
  throw new Error(`${where}: ${ENTRY.key}: it is not the key of ${ENTRY.certificate} (${subjectOf(certificate)})`);
}

function optionalRoot(
  entries: Entries,
  [certificateEntry, keyEntry]: [string, string],
  where: string,
): KeyedRoot | undefined {
  const pem = entries.get(certificateEntry);
  const keyText = entries.get(keyEntry);
  // Half of it: its writing was cut off, so nobody was told of it.
  if (pem === undefined || keyText === undefined) return undefined;
  const certificate = certificateOf(pem, `${where}: ${certificateEntry}`);
  const key = keyOf(keyText, `${where}: ${keyEntry}`);
  if (certificate.checkPrivateKey(key)) return { pem: pemOf(certificate), certificate, key };
  return undefined;
}

function retiredRoots(entries: Entries, where: string): KeyedRoot[] {
  const certificates = certificateBlocks(entries.get(ENTRY.retiredCertificates) ?? '').map((pem) =>
    certificateOf(pem, `${where}: ${ENTRY.retiredCertificates}`),
  );
  const keys = pemBlocks(entries.get(ENTRY.retiredKeys) ?? '', 'PRIVATE KEY').map((pem) =>
    keyOf(pem, `${where}: ${ENTRY.retiredKeys}`),
  );
  return certificates.flatMap((certificate) => {
    const key = keys.find((candidate) => certificate.checkPrivateKey(candidate));
    return key === undefined ? [] : [{ pem: pemOf(certificate), certificate, key }];
  });
}

export function required(entries: Entries, entry: string, where: string): string {
  const text = entries.get(entry);
  if (text === undefined)
    throw new Error(`${where}: ${entry}: missing or empty; it is needed beside ${[...entries.keys()].join(', ')}`);
  return text;
}

export function certificateOf(pem: string, where: string): X509Certificate {
  try {
    return new X509Certificate(pem);
  } catch {
    throw new Error(`${where}: a certificate in PEM is expected`);
  }
}

/** Never with what stands in the file: OpenSSL's own message would not tell it either, but another's might. */
export function keyOf(pem: string, where: string): KeyObject {
  try {
    return createPrivateKey(pem);
  } catch {
    throw new Error(`${where}: an unencrypted private key in PEM is expected`);
  }
}

export const pemOf = (certificate: X509Certificate): string => certificate.toString();

export const subjectOf = ({ subject }: X509Certificate): string => oneLine(subject);

/** node:crypto gives names in lines, and undefined for an empty one, whatever its types say. */
export const oneLine = (name: string | undefined): string => name?.replaceAll('\n', ', ') ?? '';

export const timesText = ({ signsAtMs, trustedUntilMs, revoked }: Times): string =>
  `${JSON.stringify(
    {
      ...(signsAtMs === undefined ? {} : { nextSignsAt: isoOf(signsAtMs) }),
      trustedUntil: Object.fromEntries([...trustedUntilMs].map(([id, ms]) => [id, isoOf(ms)])),
      revoked: revoked.map(({ serial, atMs }) => ({ serial, at: isoOf(atMs) })),
    },
    undefined,
    2,
  )}\n`;

const isoOf = (ms: number): string => new Date(ms).toISOString();

export function readTimes(entries: Entries, where: string): Times {
  const text = entries.get(ENTRY.state);
  if (text === undefined) return { signsAtMs: undefined, trustedUntilMs: new Map(), revoked: [] };
  const at = `${where}: ${ENTRY.state}`;
  const { nextSignsAt, trustedUntil, revoked } = object(parseJson(text, at), at);
  return {
    signsAtMs: nextSignsAt === undefined ? undefined : timeOf(nextSignsAt, `${at}: nextSignsAt`),
    trustedUntilMs: new Map(
      Object.entries(object(trustedUntil ?? {}, `${at}: trustedUntil`)).map(([id, value]) => [
        id,
        timeOf(value, `${at}: trustedUntil.${id}`),
      ]),
    ),
    revoked: list(revoked ?? [], `${at}: revoked`).map((value, index) => {
      const one = object(value, `${at}: revoked[${index}]`);
      return {
        serial: serialOf(one.serial, `${at}: revoked[${index}].serial`),
        atMs: timeOf(one.at, `${at}: revoked[${index}].at`),
      };
    }),
  };
}

function parseJson(text: string, at: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error(`${at}: JSON is expected`);
  }
}

function object(value: unknown, at: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value };
  throw new Error(`${at}: got ${JSON.stringify(value)}, an object is expected`);
}

function list(value: unknown, at: string): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new Error(`${at}: got ${JSON.stringify(value)}, a list is expected`);
}

function timeOf(value: unknown, at: string): number {
  const ms = typeof value === 'string' ? Date.parse(value) : Number.NaN;
  if (Number.isNaN(ms))
    throw new Error(`${at}: got ${JSON.stringify(value)}, a time such as 2027-01-31T12:00:00Z is expected`);
  return ms;
}

/** As node:crypto writes it: capital hexadecimal digits, an even number of them. */
export function serialOf(value: unknown, at: string): string {
  const digits = typeof value === 'string' ? value.replace(/^0x/i, '').replaceAll(':', '').toUpperCase() : '';
  // RFC 5280 §4.1.2.2: at most 20 octets.
  if (!/^[0-9A-F]{1,42}$/.test(digits))
    throw new Error(`${at}: got ${JSON.stringify(value)}, a serial number in hexadecimal is expected`);
  const short = digits.replace(/^0+(?=.)/, '');
  return short.length % 2 === 0 ? short : `0${short}`;
}

/** 128 random bits, and never 0 (RFC 5280 §4.1.2.2). */
export const newSerial = (random: (bytes: number) => Uint8Array): string =>
  serialOf(Buffer.from(random(16)).toString('hex').replace(/^0*$/, '1'), 'serial');
