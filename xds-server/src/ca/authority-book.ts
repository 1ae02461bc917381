import { generateKeyPair, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock, Timer } from '@inmesh/sdk/internal/clock';
import type { AuthorityBundle, AuthorityStatus } from './authority.ts';
import {
  type AuthorityState,
  isPluggedIn,
  type KeyedRoot,
  newSerial,
  readState,
  readTimes,
  subjectOf,
  trustedRoots,
  writeState,
} from './authority-state.ts';
import { forgotten, issuerOf, keyedRoots, promoted, revokedText } from './authority-steps.ts';
import { type Issuer, type Revocation, signRoot } from './issuer.ts';
import { readPluggedIn } from './plugged-in.ts';
import { RevocationLists } from './revocation-lists.ts';
import { dueStep, type RotationPolicy } from './rotation.ts';
import { ENTRY, type Entries, type SecretStore, type StoredEntries } from './store.ts';

export interface BookSettings extends RotationPolicy {
  /** How far before now certificates begin: clocks differ. */
  readonly backdateMs: number;
  readonly rootMs: number;
  /** Between two looks at the store and at the clock. */
  readonly sweepMs: number;
  /** How long a revocation list is good for; it is signed anew after a thirtieth of it. */
  readonly crlMs: number;
}

export interface BookParts {
  readonly trustDomain: string;
  readonly store: SecretStore;
  readonly clock: Clock;
  readonly random: (bytes: number) => Uint8Array;
  readonly onProblem: (text: string) => void;
  readonly settings: BookSettings;
}

interface Held {
  readonly version: string;
  readonly entries: Entries;
  /** undefined: plugged in. */
  readonly state: AuthorityState | undefined;
  readonly issuer: Issuer;
  readonly roots: readonly string[];
  readonly revoked: readonly Revocation[];
}

const MOST_ATTEMPTS = 8;
const newKeyPair = promisify(generateKeyPair);

/** What the CA holds: kept in step with its store, rotated in time, changed by one writer at a time. */
export class AuthorityBook {
  readonly trustDomain: string;
  readonly #parts: BookParts;
  readonly #listeners = new Set<(bundle: AuthorityBundle) => void>();
  #held: Held | undefined;
  #bundle: AuthorityBundle = { roots: [] };
  readonly #lists: RevocationLists;
  #last: Promise<unknown> = Promise.resolve();
  #timer: Timer | undefined;
  #problem = '';

  constructor(parts: BookParts) {
    this.#parts = parts;
    this.#lists = new RevocationLists(parts);
    this.trustDomain = parts.trustDomain;
  }

  async open(): Promise<void> {
    await this.#exclusive(async () => {
      await this.#load();
      await this.#rotateDue();
    });
    this.#wait();
  }

  issuer(): Issuer {
    return this.#now().issuer;
  }

  bundle(): AuthorityBundle {
    return this.#bundle;
  }

  onBundle(listener: (bundle: AuthorityBundle) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  rotateRoot(delayMs: number): Promise<void> {
    return this.#exclusive(async () => {
      await this.#load();
      await this.#change((state) => this.#announced(state, delayMs));
      await this.#rotateDue();
    });
  }

  revoke(serial: string): Promise<void> {
    return this.#exclusive(async () => {
      await this.#load();
      await this.#checkMayRevoke();
      const atMs = this.#parts.clock.wallTime();
      const add = (revoked: readonly Revocation[]): readonly Revocation[] =>
        revoked.some((one) => one.serial === serial) ? revoked : [...revoked, { serial, atMs }];
      await this.#store((held) =>
        held.state === undefined
          ? new Map([...held.entries, [ENTRY.state, revokedText(add(held.revoked))]])
          : writeState({ ...held.state, revoked: add(held.state.revoked) }),
      );
    });
  }

  /** RFC 5280 §6.3.3 (f): a list of such an issuer counts for nobody. */
  async #checkMayRevoke(): Promise<void> {
    const { factsOf } = await import('@inmesh/sdk/internal/identity/certificate');
    const facts = factsOf(this.#now().issuer.certificate);
    if (typeof facts !== 'string' && facts.keyUsage?.crlSign === false)
      throw new Error(
        `${this.#parts.store.name}: ${ENTRY.certificate}: without the key usage cRLSign it can revoke nothing`,
      );
  }

  status(): AuthorityStatus {
    const { state, issuer, roots, revoked } = this.#now();
    return {
      kind: state === undefined ? 'plugged-in' : 'self-signed',
      store: this.#parts.store.name,
      issuer: {
        subject: subjectOf(issuer.certificate),
        serial: issuer.certificate.serialNumber,
        notAfterMs: issuer.endMs,
      },
      roots: roots.length,
      ...(state?.next === undefined ? {} : { nextSignsAtMs: state.next.signsAtMs }),
      retiredUntilMs: state?.retired.map(({ untilMs }) => untilMs) ?? [],
      revoked: revoked.length,
    };
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#listeners.clear();
  }

  #wait(): void {
    this.#timer = this.#parts.clock.after(this.#parts.settings.sweepMs, () => {
      void this.#exclusive(() => this.#sweep()).finally(() => {
        if (this.#timer !== undefined) this.#wait();
      });
    });
  }

  /** Another process, an operator or time itself may have changed what holds. What fails leaves the last good state. */
  async #sweep(): Promise<void> {
    try {
      await this.#load();
      await this.#rotateDue();
      this.#problem = '';
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      if (text !== this.#problem) this.#parts.onProblem(`${text}; certificates are issued as before`);
      this.#problem = text;
    }
  }

  #exclusive<T>(run: () => Promise<T>): Promise<T> {
    const done = this.#last.then(run);
    this.#last = done.catch(() => undefined);
    return done;
  }

  #now(): Held {
    if (this.#held === undefined) throw new Error('the authority is not open');
    return this.#held;
  }

  /** Follows the store; makes a root where there is nothing. */
  async #load(): Promise<void> {
    const { store } = this.#parts;
    let stored = await store.read();
    for (let attempt = 0; stored === undefined; attempt += 1) {
      if (attempt === MOST_ATTEMPTS) throw new Error(`${store.name}: it stays empty, whatever is written`);
      if (this.#held !== undefined) throw new Error(`${store.name}: everything in it is gone`);
      const root = await this.#newRoot();
      await store.write(
        writeState({ active: root, next: undefined, retired: [], otherRoots: [], revoked: [] }),
        undefined,
      );
      stored = await store.read();
    }
    if (stored.version !== this.#held?.version) this.#held = await this.#read(stored);
    await this.#publish();
  }

  async #read({ entries, version }: StoredEntries): Promise<Held> {
    const { store, clock, settings } = this.#parts;
    const nowMs = clock.wallTime();
    if (isPluggedIn(entries)) {
      const { issuer, roots } = await readPluggedIn(entries, store.name, nowMs);
      return { version, entries, state: undefined, issuer, roots, revoked: readTimes(entries, store.name).revoked };
    }
    const state = readState(entries, store.name, nowMs + settings.maxCertificateMs);
    return {
      version,
      entries,
      state,
      issuer: issuerOf(state.active),
      roots: trustedRoots(state),
      revoked: state.revoked,
    };
  }

  async #rotateDue(): Promise<void> {
    const { clock, settings } = this.#parts;
    for (let step = this.#dueStep(); step !== undefined; step = this.#dueStep()) {
      const nowMs = clock.wallTime();
      if (step === 'announce') await this.#change((state) => this.#announced(state, settings.overlapMs));
      else if (step === 'promote') await this.#change((state) => promoted(state, nowMs, settings));
      else await this.#change((state) => forgotten(state, nowMs));
    }
  }

  #dueStep(): ReturnType<typeof dueStep> {
    const { state } = this.#now();
    if (state === undefined) return undefined;
    const { active, next, retired } = state;
    return dueStep(
      {
        activeStartMs: active.certificate.validFromDate.getTime(),
        activeEndMs: active.certificate.validToDate.getTime(),
        nextSignsAtMs: next?.signsAtMs,
        retiredUntilMs: retired.map(({ untilMs }) => untilMs),
      },
      this.#parts.clock.wallTime(),
    );
  }

  async #announced(state: AuthorityState, delayMs: number): Promise<AuthorityState> {
    const root = state.next?.root ?? (await this.#newRoot());
    return { ...state, next: { root, signsAtMs: this.#parts.clock.wallTime() + delayMs } };
  }

  async #change(next: (state: AuthorityState) => AuthorityState | Promise<AuthorityState>): Promise<void> {
    await this.#store(async ({ state }) => {
      if (state === undefined)
        throw new Error(`${this.#parts.store.name}: a plugged-in CA; whoever made its files makes new ones`);
      return writeState(await next(state));
    });
  }

  async #store(next: (held: Held) => Entries | Promise<Entries>): Promise<void> {
    const { store } = this.#parts;
    for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt += 1) {
      const held = this.#now();
      const outcome = await store.write(await next(held), held.version);
      await this.#load();
      if (outcome === 'written') return;
    }
    throw new Error(`${store.name}: others change it without end`);
  }

  async #newRoot(): Promise<KeyedRoot> {
    const { clock, settings, random } = this.#parts;
    const { publicKey, privateKey } = await newKeyPair('ec', { namedCurve: 'P-256' });
    const nowMs = clock.wallTime();
    const pem = await signRoot({
      key: privateKey,
      publicKey,
      trustDomain: this.trustDomain,
      notBeforeMs: nowMs - settings.backdateMs,
      notAfterMs: nowMs + settings.rootMs,
      serial: newSerial(random),
    });
    return { pem, certificate: new X509Certificate(pem), key: privateKey };
  }

  /** Tells listeners where roots or lists are others than before. */
  async #publish(): Promise<void> {
    const { roots, version, entries, state, issuer, revoked } = this.#now();
    const signers = state === undefined ? [issuer] : keyedRoots(state);
    const crl = await this.#lists.text({ version, revoked, signers, operator: entries.get(ENTRY.crl) ?? '' });
    const before = this.#bundle;
    if (before.crl === crl && before.roots.join() === roots.join()) return;
    this.#bundle = { roots, ...(crl === undefined ? {} : { crl }) };
    for (const listener of this.#listeners) listener(this.#bundle);
  }
}
