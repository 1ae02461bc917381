import type { Clock } from '@inmesh/sdk/internal/clock';
import { defaultOf } from '../defaults.ts';
import type { Lookup } from '../snapshot/lookup.ts';
import type { TypeStatus } from './acknowledgements.ts';
import { Admission } from './admission.ts';
import type { ClientIdentity } from './client-identity.ts';
import type { Peer } from './peer.ts';
import { Registrations, type RegistrationTarget } from './registrations.ts';
import { type Renewals, startRenewals } from './renewals.ts';
import { type EndpointOrigin, ReturnGrace } from './return-grace.ts';
import { Session, type StreamTerms } from './session.ts';
import type { Link, SessionHost, StreamLimits, Waits } from './session-host.ts';
import { StreamLife } from './stream-life.ts';

export interface AdsServiceOptions {
  readonly clock: Clock;
  /** Nothing is answered before it resolves. */
  readonly ready: Promise<void>;
  /** How one client's resources of a type are found: the newest snapshot's answers. */
  readonly lookup: (identity: ClientIdentity, typeUrl: string) => Lookup;
  readonly revision: () => string;
  readonly registrations: RegistrationTarget;
  /** Whether what is served is older than a revision that another replica has told; never where it is left out. */
  readonly isBehind?: (revision: string) => boolean;
  /** Where the endpoints of a load assignment come from; `configured` where it is left out. */
  readonly endpointOrigin?: (assignment: string) => EndpointOrigin;
  /** Names that are not known yet; `push` says when they are. */
  readonly waits?: (identity: ClientIdentity, typeUrl: string) => Waits | undefined;
  /** As `SessionHost.podLabels`; `podsChanged` says when it answers otherwise. */
  readonly podLabels?: (peer: Peer) => ReadonlyMap<string, string> | undefined;
  /** As `SessionHost.absence`. */
  readonly absence?: (identity: ClientIdentity, typeUrl: string, name: string) => string | undefined;
  /** How long resources live at clients that keep the time, by type URL; they are renewed three times as often. */
  readonly ttlsMs?: ReadonlyMap<string, number>;
  readonly on?: Partial<AdsEvents>;
}

/** What metrics and logs hear. */
export interface AdsEvents {
  opened(session: Session): void;
  closed(session: Session): void;
  warning(message: string): void;
  answered(session: Session, typeUrl: string, status: TypeStatus): void;
  /** A stream is read more slowly. */
  throttled(): void;
  /** Names beyond the limit of a stream. */
  refusedNames(count: number): void;
  /** A newer snapshot has been written to every stream that could take it. */
  pushed(durationMs: number): void;
}

const UNAVAILABLE = 14;
const INTERNAL = 13;
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** All streams of one control plane: opens them, answers and pushes in slices, keeps their registrations. */
export class AdsService {
  readonly #sessions = new Map<Session, StreamLife>();
  readonly #due = new Set<Session>();
  readonly #options: AdsServiceOptions;
  readonly #registrations: Registrations;
  readonly #admission: Admission;
  readonly #grace: ReturnGrace;
  readonly #host: SessionHost;
  readonly #renewals: readonly Renewals[];
  /** Types whose renewal is under way. */
  readonly #renewing = new Set<string>();
  #isPumping = false;
  #pushedAt: number | undefined;
  #heardAt = Number.NEGATIVE_INFINITY;
  #closedBecause: string | undefined;

  constructor(options: AdsServiceOptions) {
    this.#options = options;
    const { clock, registrations, isBehind = () => false, endpointOrigin = () => 'configured' } = options;
    this.#registrations = new Registrations(registrations, clock, defaultOf('registrationGraceMs'));
    this.#admission = new Admission({ clock, isBehind, admit: (session) => this.#schedule(session) });
    this.#grace = new ReturnGrace(clock, endpointOrigin, () => this.push());
    this.#host = {
      clock,
      limits: streamLimits(),
      waits: (identity, typeUrl) => options.waits?.(identity, typeUrl) ?? this.#grace.waits(identity, typeUrl),
      throttled: (session, waitMs, time) => this.#throttled(session, waitMs, time),
      refused: (count) => options.on?.refusedNames?.(count),
      lookup: options.lookup,
      podLabels: (peer) => options.podLabels?.(peer),
      absence: (identity, typeUrl, name) => options.absence?.(identity, typeUrl, name),
      ttlMs: (typeUrl) => options.ttlsMs?.get(typeUrl),
      revision: options.revision,
      identified: (session, identity) => {
        // A stream for secrets alone says nothing of what its process serves.
        if (session.only === undefined) this.#registrations.declare(session, identity, session.peer.address);
      },
      due: (session) => this.#wake(session),
      warn: (_session, message) => options.on?.warning?.(message),
      answered: (session, typeUrl, status) => options.on?.answered?.(session, typeUrl, status),
    };
    this.#renewals = [...(options.ttlsMs ?? [])].map(([typeUrl, ttlMs]) =>
      startRenewals(clock, ttlMs, () => void this.#renew(typeUrl)),
    );
  }

  get sessions(): readonly Session[] {
    return [...this.#sessions.keys()];
  }

  /** Streams that wait for their first answer. */
  get waiting(): number {
    return this.#admission.waiting;
  }

  /** It has not had its first answer yet. */
  isWaiting(session: Session): boolean {
    return this.#admission.isWaiting(session);
  }

  /** Other processes can reach us from now on: those that register themselves get the time to come back. */
  reachable(): void {
    this.#grace.begin();
  }

  /** A new stream. */
  open(method: 'delta' | 'sotw', link: Link, terms: StreamTerms = {}): Session {
    const session = new Session(method, link, this.#host, terms);
    if (this.#closedBecause !== undefined) {
      session.end(UNAVAILABLE, this.#closedBecause);
      return session;
    }
    const life = new StreamLife(this.#options.clock, session.peer, (code, message) => {
      session.end(code, message);
      this.closed(session);
    });
    this.#sessions.set(session, life);
    this.#options.on?.opened?.(session);
    return session;
  }

  receive(session: Session, bytes: Uint8Array): void {
    this.#heardAt = this.#options.clock.now();
    this.#sessions.get(session)?.spoken();
    session.receive(bytes);
    if (session.isSettled) this.#admission.answered(session);
  }

  /** The stream has ended at the peer's side. */
  closed(session: Session): void {
    this.#sessions.get(session)?.close();
    if (!this.#sessions.delete(session)) return;
    this.#due.delete(session);
    session.closed();
    this.#admission.closed(session);
    this.#registrations.lost(session);
    this.#options.on?.closed?.(session);
  }

  /** The peer of a stream has read nothing for so long that its transport lets it go. */
  stuck(session: Session, unreadBytes: number, afterMs: number): void {
    const who = session.identity?.id ?? 'a client';
    this.#options.on?.warning?.(
      `${who}: its stream is ended, ${unreadBytes} bytes were not read for ${Math.round(afterMs / 1_000)} s`,
    );
    this.closed(session);
  }

  /** Brings every stream up to the newest snapshot. */
  push(): void {
    this.#pushedAt ??= this.#options.clock.now();
    this.#admission.renewed();
    for (const session of this.#sessions.keys()) session.changed();
  }

  /** Who is proven to be a Pod has its labels. */
  podsChanged(): void {
    for (const session of this.#sessions.keys()) session.podsChanged();
  }

  /** Something of one type has changed that is in no snapshot. */
  pushType(typeUrl: string): void {
    for (const session of this.#sessions.keys()) session.changed(typeUrl);
  }

  /** Resolves once every client has what there is, has answered and has gone quiet; false where that takes too long. */
  async settled(): Promise<boolean> {
    const { clock } = this.#options;
    const end = clock.now() + defaultOf('settleMs');
    const quietMs = defaultOf('settleQuietMs');
    // What clients have said is on its way: it counts.
    for (let turn = 0; turn < 2; turn++) await nextTurn();
    for (;;) {
      const now = clock.now();
      // A client that has taken a route asks for its clusters next: only when it is silent has it followed.
      const waitMs = this.#isSettled ? this.#heardAt + quietMs - now : quietMs;
      if (waitMs <= 0) return true;
      if (now >= end) return false;
      await new Promise<void>((resolve) => void clock.after(Math.min(waitMs, end - now), resolve));
    }
  }

  get #isSettled(): boolean {
    return this.#due.size === 0 && this.sessions.every(({ isSettled }) => isSettled);
  }

  /** Ends every stream with UNAVAILABLE, so that clients go on with what they have and look for another server. */
  close(reason = 'the control plane is shutting down'): void {
    this.#closedBecause ??= reason;
    for (const session of this.sessions) {
      session.end(UNAVAILABLE, reason);
      this.closed(session);
    }
    this.#registrations.close();
    this.#grace.close();
    for (const renewals of this.#renewals) renewals.close();
  }

  /** In slices: thousands of clients may hold thousands of names, and all of them are due at once. */
  async #renew(typeUrl: string): Promise<void> {
    if (this.#renewing.has(typeUrl)) return;
    this.#renewing.add(typeUrl);
    const { clock } = this.#options;
    let end = clock.now() + defaultOf('pushSliceMs');
    for (const session of this.sessions) {
      session.renew(typeUrl);
      if (clock.now() < end) continue;
      await nextTurn();
      end = clock.now() + defaultOf('pushSliceMs');
    }
    this.#renewing.delete(typeUrl);
  }

  #wake(session: Session): void {
    if (this.#sessions.has(session) && this.#admission.isOpen(session)) this.#schedule(session);
  }

  #schedule(session: Session): void {
    this.#due.add(session);
    if (this.#isPumping) return;
    this.#isPumping = true;
    void this.#pump();
  }

  /** Answers whoever is due, and lets the event loop have its turn between slices. */
  async #pump(): Promise<void> {
    await this.#options.ready;
    const { clock, on } = this.#options;
    while (this.#due.size > 0) {
      // Requests that came in one turn of the loop are answered together.
      await nextTurn();
      const end = clock.now() + defaultOf('pushSliceMs');
      for (const session of this.#due) {
        this.#due.delete(session);
        // Whoever needs more time goes to the end of the line.
        if (!this.#serve(session, end)) this.#due.add(session);
        if (clock.now() >= end) break;
      }
    }
    this.#isPumping = false;
    if (this.#pushedAt === undefined) return;
    on?.pushed?.(clock.now() - this.#pushedAt);
    this.#pushedAt = undefined;
  }

  /** One client's trouble is never another's. */
  #serve(session: Session, end: number): boolean {
    try {
      const isDone = session.serve(() => this.#options.clock.now() >= end);
      if (session.isSettled) this.#admission.answered(session);
      return isDone;
    } catch (error) {
      const reason = error instanceof Error ? (error.stack ?? error.message) : String(error);
      this.#options.on?.warning?.(
        `${session.identity?.id ?? 'a client'}: its stream is ended, an answer failed: ${reason}`,
      );
      session.end(INTERNAL, 'an answer could not be made');
      this.closed(session);
      return true;
    }
  }

  /** The first time and then now and then: a flood of requests must not become one of lines. */
  #throttled(session: Session, waitMs: number, time: number): void {
    const { on } = this.#options;
    on?.throttled?.();
    if (time !== 1 && time % 100 !== 0) return;
    const rate = defaultOf('newNamesPerSecond');
    const who = `${session.identity?.id ?? 'a client'}${time === 1 ? '' : ` (${time} times)`}`;
    on?.warning?.(`${who}: asks for more than ${rate} new names a second, its stream is read again in ${waitMs} ms`);
  }
}

const streamLimits = (): StreamLimits => ({
  requestBytes: defaultOf('requestBytes'),
  requestFields: defaultOf('requestFields'),
  nodeBytes: defaultOf('nodeBytes'),
  reasonLength: defaultOf('reasonLength'),
  namesPerStream: defaultOf('namesPerStream'),
  typesPerStream: defaultOf('typesPerStream'),
  nameLength: defaultOf('nameLength'),
  names: { perSecond: defaultOf('newNamesPerSecond'), burst: defaultOf('newNamesBurst') },
});
