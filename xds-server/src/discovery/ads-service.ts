import type { Clock } from '@inmesh/sdk/internal/clock';
import type { EncodedResource } from '../snapshot/encoded-resource.ts';
import type { TypeStatus } from './acknowledgements.ts';
import type { ClientIdentity } from './client-identity.ts';
import { type RegistrationTarget, Registrations } from './registrations.ts';
import { type Link, Session, type SessionHost } from './session.ts';

export interface AdsServiceOptions {
  readonly clock: Clock;
  /** The newest snapshot's answer for one client. */
  readonly resource: (identity: ClientIdentity, typeUrl: string, name: string) => EncodedResource | undefined;
  readonly revision: () => string;
  readonly registrations: RegistrationTarget;
  readonly registrationGraceMs: number;
  readonly namesPerStream: number;
  readonly streamsPerSlice: number;
  readonly on?: Partial<AdsEvents>;
}

/** What metrics and logs hear. */
export interface AdsEvents {
  opened(session: Session): void;
  closed(session: Session): void;
  warning(message: string): void;
  answered(session: Session, typeUrl: string, status: TypeStatus): void;
  pushed(durationMs: number, sessions: number): void;
}

const UNAVAILABLE = 14;
const nextTurn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** All streams of one control plane: opens them, pushes to them in slices, keeps their registrations. */
export class AdsService {
  readonly #sessions = new Map<Session, string | undefined>();
  readonly #options: AdsServiceOptions;
  readonly #registrations: Registrations;
  readonly #host: SessionHost;
  #pushing: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(options: AdsServiceOptions) {
    this.#options = options;
    this.#registrations = new Registrations(options.registrations, options.clock, options.registrationGraceMs);
    this.#host = {
      resource: options.resource,
      revision: options.revision,
      namesPerStream: options.namesPerStream,
      identified: (session, identity) => this.#registrations.declare(session, identity, this.#sessions.get(session)),
      warn: (_session, message) => options.on?.warning?.(message),
      answered: (session, typeUrl, status) => options.on?.answered?.(session, typeUrl, status),
    };
  }

  get sessions(): readonly Session[] {
    return [...this.#sessions.keys()];
  }

  /** A new stream; `peerAddress` is where a workload that registers on it is reached. */
  open(method: 'delta' | 'sotw', link: Link, peerAddress: string | undefined): Session {
    const session = new Session(method, link, this.#host);
    if (this.#closed) {
      session.end(UNAVAILABLE, 'the control plane is shutting down');
      return session;
    }
    this.#sessions.set(session, peerAddress);
    this.#options.on?.opened?.(session);
    return session;
  }

  /** The stream has ended at the peer's side. */
  closed(session: Session): void {
    if (!this.#sessions.delete(session)) return;
    session.closed();
    this.#registrations.lost(session);
    this.#options.on?.closed?.(session);
  }

  /** Brings every stream up to the newest snapshot. Pushes that come meanwhile are one more round. */
  push(): Promise<void> {
    if (this.#pushing !== undefined) {
      this.#again = true;
      return this.#pushing;
    }
    this.#pushing = this.#rounds().finally(() => {
      this.#pushing = undefined;
    });
    return this.#pushing;
  }

  /** Ends every stream with UNAVAILABLE, so that clients go on with what they have and look for another server. */
  close(): void {
    this.#closed = true;
    for (const session of this.sessions) {
      session.end(UNAVAILABLE, 'the control plane is shutting down');
      this.closed(session);
    }
    this.#registrations.close();
  }

  async #rounds(): Promise<void> {
    do {
      this.#again = false;
      const started = this.#options.clock.now();
      const sessions = this.sessions;
      for (const [index, session] of sessions.entries()) {
        if (index > 0 && index % this.#options.streamsPerSlice === 0) await nextTurn();
        session.push();
      }
      this.#options.on?.pushed?.(this.#options.clock.now() - started, sessions.length);
    } while (this.#again && !this.#closed);
  }
}
