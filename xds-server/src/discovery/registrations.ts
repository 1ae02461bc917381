import type { Clock, Timer } from '@inmesh/sdk/internal/clock';
import type { ClientIdentity, Registration } from './client-identity.ts';
import type { Session } from './session.ts';

/** A workload that registered itself, as the registry takes it. */
export interface RegisteredWorkload extends Registration {
  readonly uid: string;
  readonly namespace: string;
  readonly workload: string;
  readonly serviceAccount: string;
  readonly address: string;
  readonly locality: ClientIdentity['view']['locality'];
}

export interface RegistrationTarget {
  register(workload: RegisteredWorkload): void;
  unregister(uid: string): void;
}

/** Where a stream with no other word on its address is reached: in the same process, over a unix socket, on loopback. */
const HERE = '127.0.0.1';

interface Owner {
  session: Session | undefined;
  uids: ReadonlyMap<string, string>;
  grace: Timer | undefined;
}

/**
 * Istio's WorkloadGroup auto-registration over the ADS stream: a workload is there while its stream is up, a lost stream leaves it
 * `graceMs` to come back, an emptied list ends it at once.
 */
export class Registrations {
  readonly #owners = new Map<string, Owner>();
  readonly #target: RegistrationTarget;
  readonly #clock: Clock;
  readonly #graceMs: number;

  constructor(target: RegistrationTarget, clock: Clock, graceMs: number) {
    this.#target = target;
    this.#clock = clock;
    this.#graceMs = graceMs;
  }

  /** The stream's node says what it serves. A process that never served anything leaves no trace. */
  declare(session: Session, identity: ClientIdentity, peerAddress: string | undefined): void {
    const known = this.#owners.get(identity.id);
    if (known === undefined && identity.registrations.length === 0) return;
    const owner = known ?? { session, uids: new Map<string, string>(), grace: undefined };
    // Several streams of one node id: those that register nothing leave the registering one alone.
    if (owner.session !== undefined && owner.session !== session && identity.registrations.length === 0) return;
    owner.grace?.cancel();
    owner.grace = undefined;
    owner.session = session;
    const address = identity.addresses[0] ?? peerAddress ?? HERE;
    const uids = new Map<string, string>();
    for (const registration of identity.registrations) {
      const uid = `${identity.id}/${registration.service}/${registration.port}`;
      const workload: RegisteredWorkload = {
        ...registration,
        uid,
        namespace: identity.namespace,
        workload: identity.workload,
        serviceAccount: identity.serviceAccount,
        address: registration.address ?? address,
        locality: identity.view.locality,
      };
      const content = JSON.stringify([workload, [...workload.labels]]);
      uids.set(uid, content);
      if (owner.uids.get(uid) !== content) this.#target.register(workload);
    }
    for (const uid of owner.uids.keys()) if (!uids.has(uid)) this.#target.unregister(uid);
    owner.uids = uids;
    if (uids.size === 0) this.#owners.delete(identity.id);
    else this.#owners.set(identity.id, owner);
  }

  /** The stream is gone, for whatever reason; who closed in order has emptied its list before. */
  lost(session: Session): void {
    const id = session.identity?.id;
    const owner = id === undefined ? undefined : this.#owners.get(id);
    if (id === undefined || owner === undefined || owner.session !== session) return;
    owner.session = undefined;
    owner.grace = this.#clock.after(this.#graceMs, () => {
      this.#owners.delete(id);
      for (const uid of owner.uids.keys()) this.#target.unregister(uid);
    });
  }

  close(): void {
    for (const owner of this.#owners.values()) owner.grace?.cancel();
    this.#owners.clear();
  }
}
