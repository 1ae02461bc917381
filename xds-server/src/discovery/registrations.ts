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
  unregister(workload: RegisteredWorkload): void;
}

/** Where a stream with no other word on its address is reached: in the same process, over a unix socket, on loopback. */
const HERE = '127.0.0.1';

/** One workload and the streams that speak for it: none while it waits for a lost one to come back. */
interface Claim {
  workload: RegisteredWorkload;
  readonly sessions: Set<Session>;
  grace: Timer | undefined;
}

/**
 * Istio's WorkloadGroup auto-registration over the ADS stream: a workload is there while a stream that names it is up, a lost stream
 * leaves it `graceMs` to come back, an emptied list ends it at once. Several streams may share a node id (threads of a process).
 */
export class Registrations {
  /** By node id, then uid. */
  readonly #claims = new Map<string, Map<string, Claim>>();
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
    const workloads = workloadsOf(identity, peerAddress);
    const claims = this.#claims.get(identity.id) ?? new Map<string, Claim>();
    for (const workload of workloads.values()) this.#claim(claims, session, workload);
    for (const [uid, claim] of claims) {
      if (workloads.has(uid)) continue;
      // What waits for its stream is given up too: this is the process, and it names it no more.
      claim.sessions.delete(session);
      if (claim.sessions.size === 0) this.#end(claims, claim);
    }
    if (claims.size > 0) this.#claims.set(identity.id, claims);
    else this.#claims.delete(identity.id);
  }

  /** The stream is gone, for whatever reason; who closed in order has emptied its list before. */
  lost(session: Session): void {
    const id = session.identity?.id;
    const claims = id === undefined ? undefined : this.#claims.get(id);
    if (id === undefined || claims === undefined) return;
    for (const claim of claims.values()) {
      if (!claim.sessions.delete(session) || claim.sessions.size > 0) continue;
      claim.grace = this.#clock.after(this.#graceMs, () => {
        this.#end(claims, claim);
        if (claims.size === 0) this.#claims.delete(id);
      });
    }
  }

  close(): void {
    for (const claims of this.#claims.values()) for (const { grace } of claims.values()) grace?.cancel();
    this.#claims.clear();
  }

  #claim(claims: Map<string, Claim>, session: Session, workload: RegisteredWorkload): void {
    const known = claims.get(workload.uid);
    if (known === undefined) {
      claims.set(workload.uid, { workload, sessions: new Set([session]), grace: undefined });
      this.#target.register(workload);
      return;
    }
    known.grace?.cancel();
    known.grace = undefined;
    known.sessions.add(session);
    if (isSame(known.workload, workload)) return;
    known.workload = workload;
    this.#target.register(workload);
  }

  #end(claims: Map<string, Claim>, claim: Claim): void {
    claim.grace?.cancel();
    claims.delete(claim.workload.uid);
    this.#target.unregister(claim.workload);
  }
}

function workloadsOf(
  identity: ClientIdentity,
  peerAddress: string | undefined,
): ReadonlyMap<string, RegisteredWorkload> {
  const address = identity.addresses[0] ?? peerAddress ?? HERE;
  const workloads = new Map<string, RegisteredWorkload>();
  for (const registration of identity.registrations) {
    const uid = `${identity.id}/${identity.namespace}/${registration.service}/${registration.port}`;
    workloads.set(uid, {
      ...registration,
      // As Istio's auto-registration: what the process says of itself counts, what it says of this service wins.
      labels: new Map([...identity.view.labels, ...registration.labels]),
      uid,
      namespace: identity.namespace,
      workload: identity.workload,
      serviceAccount: identity.serviceAccount,
      address: registration.address ?? address,
      locality: identity.view.locality,
    });
  }
  return workloads;
}

function isSame(one: RegisteredWorkload, other: RegisteredWorkload): boolean {
  const text = (workload: RegisteredWorkload) =>
    JSON.stringify([{ ...workload, labels: undefined }, [...workload.labels]]);
  return text(one) === text(other);
}
