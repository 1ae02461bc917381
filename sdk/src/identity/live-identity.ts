import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { MeshError } from '../errors.ts';
import type { EventSink } from '../model/events.ts';
import type { Identity, IdentityState, Svid, TrustBundles } from './identity.ts';
import { isSameBundles, joinBundles, type MeshRoots } from './mesh-roots.ts';
import type { IdentitySource, SourceState } from './source.ts';
import { lifeLeftMs } from './validity.ts';

export interface IdentityParts {
  readonly source: IdentitySource;
  readonly clock: Clock;
  readonly emit: EventSink;
  /** Trust domains that count as this process's own. */
  readonly aliases?: readonly string[];
  /** Called with the first certificate: whoever else has roots (ROOTCA) tells them from then on. Returns its end. */
  readonly watchRoots?: (tell: (roots: MeshRoots | undefined) => void) => () => void;
}

/** What is known of an identity, for people. */
export interface IdentityDescription {
  readonly source: string;
  readonly state: IdentityState | undefined;
  /** On the monotonic clock. */
  readonly nextMs: number | undefined;
  /** What went wrong last, where that was after the last success. */
  readonly problem: string | undefined;
}

export interface LiveIdentity extends Identity {
  /** Begins, if that has not been done: a source costs nothing until somebody wants to know who we are. */
  start(): void;
  /** Whoever issues certificates may be back. */
  nudge(): void;
  /** What is held, though there may be no roots yet to verify others by: it proves who we are to a control plane. */
  own(): Svid | undefined;
  /** Begins; resolves once something is held, or after `timeoutMs`. */
  held(timeoutMs: number): Promise<void>;
  /** undefined: nobody gave this process a credential. */
  describe(): IdentityDescription | undefined;
}

export const createIdentity = (parts: IdentityParts): LiveIdentity => new SourcedIdentity(parts);

interface Held {
  readonly svid: Svid;
  /** Of the source alone. */
  readonly bundles: TrustBundles;
  /** On the monotonic clock. */
  readonly untilMs: number;
}

class SourcedIdentity implements LiveIdentity {
  readonly #parts: IdentityParts;
  readonly #listeners = new Set<(state: IdentityState | undefined) => void>();
  #held: Held | undefined;
  #roots: MeshRoots | undefined;
  #state: IdentityState | undefined;
  #generation = 0;
  #problem: string | undefined;
  /** The last certificate's end, where that is why there is none. */
  #expired: string | undefined;
  #timer: Timer | undefined;
  #stopRoots: (() => void) | undefined;
  readonly #firstHeld = Promise.withResolvers<void>();
  #phase: 'new' | 'started' | 'closed' = 'new';

  constructor(parts: IdentityParts) {
    this.#parts = parts;
  }

  current(): IdentityState | undefined {
    return this.#state;
  }

  get missing(): string {
    if (this.#phase === 'closed') return 'the mesh was closed';
    const { from } = this.#parts.source;
    const reasons = [this.#expired, this.#problem, this.#rootless()].filter((reason) => reason !== undefined);
    return `${from}: ${reasons.length > 0 ? reasons.join('; ') : 'nothing has come yet'}`;
  }

  start(): void {
    if (this.#phase !== 'new') return;
    this.#phase = 'started';
    this.#parts.source.start({
      found: (state) => this.#found(state),
      failed: (reason) => this.#failed(reason),
    });
  }

  ready(timeoutMs: number): Promise<IdentityState> {
    this.start();
    if (this.#state !== undefined) return Promise.resolve(this.#state);
    if (this.#phase === 'closed') return Promise.reject(unavailable(this.missing));
    const { promise, resolve, reject } = Promise.withResolvers<IdentityState>();
    const timer = this.#parts.clock.after(timeoutMs, () => {
      off();
      reject(unavailable(this.missing));
    });
    const off = this.onChange((state) => {
      if (state === undefined && this.#phase !== 'closed') return;
      off();
      timer.cancel();
      if (state === undefined) reject(unavailable(this.missing));
      else resolve(state);
    });
    return promise;
  }

  onChange(listener: (state: IdentityState | undefined) => void): () => void {
    const own = (state: IdentityState | undefined): void => listener(state);
    this.#listeners.add(own);
    return () => {
      this.#listeners.delete(own);
    };
  }

  own(): Svid | undefined {
    return this.#held?.svid;
  }

  async held(timeoutMs: number): Promise<void> {
    this.start();
    const over = Promise.withResolvers<void>();
    const timer = this.#parts.clock.after(timeoutMs, over.resolve);
    await Promise.race([this.#firstHeld.promise, over.promise]);
    timer.cancel();
  }

  nudge(): void {
    if (this.#phase === 'started') this.#parts.source.nudge?.();
  }

  describe(): IdentityDescription {
    const { source } = this.#parts;
    return { source: source.from, state: this.#state, nextMs: source.nextMs, problem: this.#problem };
  }

  close(): void {
    if (this.#phase === 'closed') return;
    this.#phase = 'closed';
    this.#timer?.cancel();
    this.#stopRoots?.();
    this.#parts.source.close();
    this.#held = undefined;
    this.#tell(undefined);
    this.#listeners.clear();
  }

  #found({ svid, bundles }: SourceState): void {
    if (this.#phase !== 'started') return;
    const leftMs = lifeLeftMs(svid, this.#parts.clock);
    if (typeof leftMs === 'string') {
      this.#failed(leftMs);
      return;
    }
    const isNew = this.#held?.svid.chain !== svid.chain;
    const untilMs = this.#parts.clock.now() + leftMs;
    this.#problem = undefined;
    this.#expired = undefined;
    // What is read again is no younger for it.
    this.#held = { svid, bundles, untilMs: isNew ? untilMs : Math.min(untilMs, this.#held?.untilMs ?? untilMs) };
    this.#firstHeld.resolve();
    this.#watchEnd();
    this.#refresh();
    this.#stopRoots ??= this.#parts.watchRoots?.((roots) => {
      this.#roots = roots;
      this.#refresh();
    });
  }

  /** What is held goes on while it is valid. */
  #failed(reason: string): void {
    if (this.#phase !== 'started') return;
    this.#problem = reason;
    const { source, emit } = this.#parts;
    const notAfterMs = this.#held?.svid.notAfterMs;
    emit({ kind: 'identity-failed', source: source.from, reason, ...(notAfterMs !== undefined && { notAfterMs }) });
  }

  /** Makes the state anew of what is held, and tells it where it differs. */
  #refresh(): void {
    const held = this.#held;
    if (held === undefined) return;
    const { source, aliases = [] } = this.#parts;
    const trustDomains = [...new Set([held.svid.id.trustDomain, ...aliases])];
    const bundles = joinBundles(held.bundles, this.#roots, { trustDomains, isWhole: source.hasWholeBundles });
    const before = this.#state;
    // Without roots of our own trust domain nobody could be verified: that is no identity to call or be called by.
    if (bundles.of(held.svid.id.trustDomain) === undefined) return;
    const isSameSvid = before?.svid.chain === held.svid.chain;
    if (isSameSvid && isSameBundles(before.bundles, bundles)) return;
    this.#generation += 1;
    this.#tell({ generation: this.#generation, svid: held.svid, bundles, trustDomains });
    this.#parts.emit({
      kind: 'identity-rotated',
      id: held.svid.id.uri,
      source: source.from,
      changed: isSameSvid ? 'roots' : 'certificate',
      generation: this.#generation,
      notAfterMs: held.svid.notAfterMs,
    });
  }

  #rootless(): string | undefined {
    if (this.#held === undefined || this.#state !== undefined) return undefined;
    return `there is a certificate of ${this.#held.svid.id.uri}, and no roots of its trust domain: the control plane has told none (ROOTCA), and INMESH_ROOT_FILE names none`;
  }

  #tell(state: IdentityState | undefined): void {
    this.#state = state;
    for (const listener of [...this.#listeners]) listener(state);
  }

  /**
   * The end is kept on the monotonic clock; the wall clock is looked at beside it, because a machine that slept wakes with its
   * monotonic timers late. Either ends it: peers would refuse it.
   */
  #watchEnd(): void {
    this.#timer?.cancel();
    const { clock } = this.#parts;
    const held = this.#held;
    if (held === undefined) return;
    const leftMs = Math.min(held.untilMs - clock.now(), held.svid.notAfterMs - clock.wallTime());
    if (leftMs <= 0) this.#expire(held);
    else this.#timer = clock.after(Math.min(leftMs, defaultOf('certificateCheckMs')), () => this.#watchEnd());
  }

  #expire({ svid }: Held): void {
    const { source, emit } = this.#parts;
    this.#held = undefined;
    this.#expired = `the certificate of ${svid.id.uri} expired at ${new Date(svid.notAfterMs).toISOString()}`;
    this.#tell(undefined);
    emit({
      kind: 'identity-expired',
      id: svid.id.uri,
      source: source.from,
      notAfterMs: svid.notAfterMs,
      reason: this.#problem ?? 'no other has come',
    });
  }
}

const unavailable = (missing: string): MeshError =>
  new MeshError('MESH_IDENTITY_UNAVAILABLE', `this process has no valid certificate of its own: ${missing}`, {
    flag: 'UF',
    status: 503,
  });
