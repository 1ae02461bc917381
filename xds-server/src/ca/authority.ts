import { generateKeyPair, type KeyObject, randomBytes } from 'node:crypto';
import path from 'node:path';
import { promisify } from 'node:util';
import { type Clock, systemClock } from '@inmesh/sdk/internal/clock';
import { trustDomainFault } from '@inmesh/sdk/internal/identity/spiffe-id';
import { defaultOf } from '../defaults.ts';
import { AUDIT_FILE, type AuditLog, auditFile, type IssuanceRecord, type Requester } from './audit.ts';
import { AuthorityBook, type BookSettings } from './authority-book.ts';
import { newSerial, serialOf } from './authority-state.ts';
import { readCsr } from './csr.ts';
import { type CertificateNames, endOf, nameFault } from './csr-policy.ts';
import { directoryStore } from './directory-store.ts';
import { signLeaf } from './issuer.ts';
import { CertificateRefused } from './refusal.ts';
import { memoryStore, type SecretStore } from './store.ts';

export interface AuthorityOptions {
  readonly trustDomain: string;
  /** Where keys are kept; or `directory`; neither: in memory, gone with the process. */
  readonly store?: SecretStore;
  readonly directory?: string;
  readonly clock?: Clock;
  /** For serial numbers. */
  readonly random?: (bytes: number) => Uint8Array;
  /** Where issuance is recorded; a directory has it in `issued.jsonl`, else nowhere. */
  readonly audit?: AuditLog;
  /** Hears what goes wrong later: a store that cannot be read, files that no longer fit. Never with a key. */
  readonly onProblem?: (text: string) => void;
  readonly settings?: Partial<AuthoritySettings>;
}

interface AuthoritySettings extends BookSettings {
  /** Where none, or less, is asked for. */
  readonly certificateMs: number;
}

interface IssueTerms {
  readonly names: CertificateNames;
  /** 0 or less: the default. */
  readonly ttlMs: number;
  /** For the audit log; this process itself where it is not given. */
  readonly requester?: Requester;
}

export interface IssuedCertificate {
  /** PEM, one certificate each: the leaf, what stands between, the root. */
  readonly chain: readonly string[];
  readonly notAfterMs: number;
  /** Hexadecimal, as node:crypto writes it. */
  readonly serial: string;
}

export interface AuthorityBundle {
  /** PEM, one certificate each: all roots that leaves of now may lead to; the one that signs first. */
  readonly roots: readonly string[];
  /** PEM, one list an issuer; absent while nothing is revoked. */
  readonly crl?: string;
}

/** What a certificate authority is, without its keys. */
export interface AuthorityStatus {
  readonly kind: 'self-signed' | 'plugged-in';
  readonly store: string;
  readonly issuer: { readonly subject: string; readonly serial: string; readonly notAfterMs: number };
  readonly roots: number;
  readonly nextSignsAtMs?: number;
  readonly retiredUntilMs: readonly number[];
  readonly revoked: number;
}

export interface Authority {
  readonly trustDomain: string;
  /** Certifies the key of a CSR under the given names. Rejects with CertificateRefused. */
  issue(terms: IssueTerms & { readonly csrPem: string }): Promise<IssuedCertificate>;
  /** Makes the key too: for this process's own ports. */
  issueKeyPair(terms: IssueTerms): Promise<IssuedCertificate & { readonly key: KeyObject }>;
  bundle(): AuthorityBundle;
  /** Called after each change; not for the bundle that is there. */
  onBundle(listener: (bundle: AuthorityBundle) => void): () => void;
  /** A new root: trusted now, signs after `delayMs` (default: a day). One that waits already is given the new time. A plugged-in CA rejects. */
  rotateRoot(options?: { readonly delayMs?: number }): Promise<void>;
  /** Puts a serial number (hexadecimal) on the revocation lists. */
  revoke(serial: string): Promise<void>;
  /** Records what was refused before it came to `issue`. */
  record(record: IssuanceRecord): Promise<void>;
  status(): AuthorityStatus;
  close(): void;
}

/** Loads the CA from its store, or makes a root there. Rejects, with the place, where what is there does not fit together. */
export async function createAuthority(options: AuthorityOptions): Promise<Authority> {
  const fault = trustDomainFault(options.trustDomain);
  if (fault !== undefined) throw new Error(`trust domain ${JSON.stringify(options.trustDomain)}: ${fault}`);
  const settings: AuthoritySettings = {
    certificateMs: defaultOf('certificateMs'),
    maxCertificateMs: defaultOf('maxCertificateMs'),
    backdateMs: defaultOf('certificateBackdateMs'),
    rootMs: defaultOf('rootMs'),
    overlapMs: defaultOf('rootOverlapMs'),
    sweepMs: defaultOf('caSweepMs'),
    crlMs: defaultOf('crlMs'),
    ...options.settings,
  };
  const { directory, random = randomBytes, clock = systemClock, onProblem = () => {} } = options;
  const book = new AuthorityBook({
    trustDomain: options.trustDomain.toLowerCase(),
    store: options.store ?? (directory === undefined ? memoryStore() : directoryStore(directory)),
    clock,
    random,
    onProblem,
    settings,
  });
  await book.open();
  const audit =
    options.audit ?? (directory === undefined ? noAudit : auditFile(path.join(path.resolve(directory), AUDIT_FILE)));
  return new OpenAuthority({ book, audit, clock, random, onProblem, settings });
}

const noAudit: AuditLog = () => Promise.resolve();
const newKeyPair = promisify(generateKeyPair);

interface AuthorityParts {
  readonly book: AuthorityBook;
  readonly audit: AuditLog;
  readonly clock: Clock;
  readonly random: (bytes: number) => Uint8Array;
  readonly onProblem: (text: string) => void;
  readonly settings: AuthoritySettings;
}

/** In private fields, so that nothing prints a key by printing an authority. */
class OpenAuthority implements Authority {
  readonly trustDomain: string;
  readonly #parts: AuthorityParts;

  constructor(parts: AuthorityParts) {
    this.#parts = parts;
    this.trustDomain = parts.book.trustDomain;
  }

  issue(terms: IssueTerms & { readonly csrPem: string }): Promise<IssuedCertificate> {
    return this.#recorded(terms, async () => this.#sign(terms, await readCsr(terms.csrPem)));
  }

  async issueKeyPair(terms: IssueTerms): Promise<IssuedCertificate & { readonly key: KeyObject }> {
    const { publicKey, privateKey } = await newKeyPair('ec', { namedCurve: 'P-256' });
    const issued = await this.#recorded(terms, () => this.#sign(terms, publicKey));
    return { ...issued, key: privateKey };
  }

  bundle(): AuthorityBundle {
    return this.#parts.book.bundle();
  }

  onBundle(listener: (bundle: AuthorityBundle) => void): () => void {
    return this.#parts.book.onBundle(listener);
  }

  rotateRoot({ delayMs = this.#parts.settings.overlapMs } = {}): Promise<void> {
    return this.#parts.book.rotateRoot(delayMs);
  }

  revoke(serial: string): Promise<void> {
    return this.#parts.book.revoke(serialOf(serial, 'serial'));
  }

  async record(record: IssuanceRecord): Promise<void> {
    try {
      await this.#parts.audit(record);
    } catch (error) {
      // A full disk must not take the mesh's identities away.
      this.#parts.onProblem(`audit log: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  status(): AuthorityStatus {
    return this.#parts.book.status();
  }

  close(): void {
    this.#parts.book.close();
  }

  async #sign({ names, ttlMs }: IssueTerms, publicKey: KeyObject): Promise<IssuedCertificate> {
    const { book, clock, settings, random } = this.#parts;
    const fault = nameFault(names, this.trustDomain);
    if (fault !== undefined) throw new CertificateRefused('names', `names: ${fault}`);
    const issuer = book.issuer();
    const nowMs = clock.wallTime();
    const end = endOf({
      askedMs: ttlMs,
      nowMs,
      issuerEndMs: issuer.endMs,
      defaultMs: settings.certificateMs,
      maxMs: settings.maxCertificateMs,
    });
    if (typeof end === 'string')
      throw new CertificateRefused(nowMs < issuer.endMs ? 'lifetime' : 'unavailable', `lifetime: ${end}`);
    // X.509 counts in seconds.
    const notAfterMs = Math.floor(end / 1_000) * 1_000;
    const notBeforeMs = nowMs - settings.backdateMs;
    const serial = newSerial(random);
    const leaf = await signLeaf(issuer, { publicKey, names, notBeforeMs, notAfterMs, serial });
    return { chain: [leaf, ...issuer.intermediates, issuer.root], notAfterMs, serial };
  }

  async #recorded(terms: IssueTerms, run: () => Promise<IssuedCertificate>): Promise<IssuedCertificate> {
    const { requester = { principal: 'inmesh', via: 'in-process' }, names } = terms;
    const base = { atMs: this.#parts.clock.wallTime(), ...requester, names };
    try {
      const issued = await run();
      await this.record({ ...base, outcome: 'issued', serial: issued.serial, notAfterMs: issued.notAfterMs });
      return issued;
    } catch (error) {
      const refused = error instanceof CertificateRefused ? error : undefined;
      await this.record({
        ...base,
        outcome: 'refused',
        reason: refused?.reason ?? 'unavailable',
        message: refused?.message ?? 'it could not be signed',
      });
      throw error;
    }
  }
}
