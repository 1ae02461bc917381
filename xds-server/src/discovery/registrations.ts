import type { Clock, Timer } from '@inmesh/sdk/internal/clock';
import { principalText } from '../auth/principal.ts';
import { TLS_MODE_LABEL } from '../registry/tls-mode.ts';
import type { ClientIdentity, Registration } from './client-identity.ts';
import type { Session } from './session.ts';

/** A workload that registered itself, as the registry takes it. */
export interface RegisteredWorkload extends Registration {
  readonly uid: string;
  readonly namespace: string;
  readonly workload: string;
  /** undefined: unproven, nobody is told to expect an identity of it. */
  readonly serviceAccount?: string;
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
  /** By who claims (node id and what is proven beside it), then uid. */
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
    const claimant = claimantOf(identity);
    const claims = this.#claims.get(claimant) ?? new Map<string, Claim>();
    for (const workload of workloads.values()) this.#claim(claims, session, workload);
    for (const [uid, claim] of claims) {
      if (workloads.has(uid)) continue;
      // What waits for its stream is given up too: this is the process, and it names it no more.
      claim.sessions.delete(session);
      if (claim.sessions.size === 0) this.#end(claims, claim);
    }
    if (claims.size > 0) this.#claims.set(claimant, claims);
    else this.#claims.delete(claimant);
  }

  /** The stream is gone, for whatever reason; who closed in order has emptied its list before. */
  lost(session: Session): void {
    const id = session.identity && claimantOf(session.identity);
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
  const { principal } = identity.peer;
  const claimant = claimantOf(identity);
  const workloads = new Map<string, RegisteredWorkload>();
  for (const registration of identity.registrations) {
    const uid = `${claimant}/${identity.namespace}/${registration.service}/${registration.port}`;
    const { version: _said, ...said } = registration;
    workloads.set(uid, {
      ...said,
      labels: labelsOf(identity, registration),
      ...versionOf(identity, registration),
      uid,
      namespace: identity.namespace,
      workload: identity.workload,
      ...(principal !== undefined && { serviceAccount: principal.serviceAccount }),
      address: registration.address ?? address,
      locality: identity.view.locality,
    });
  }
  return workloads;
}

/**
 * Who may change or end a claim. A node id is only said: two identities that say the same one have nothing to do with each other,
 * and no id that an unproven process makes up is that of a proven one.
 */
function claimantOf({ id, peer: { principal } }: ClientIdentity): string {
  if (principal !== undefined) return `proven:${principalText(principal)}|${id}`;
  return /^~?proven:/.test(id) ? `~${id}` : id;
}

/** A label, too: that of its Pod where one is proven. */
function versionOf({ podLabels }: ClientIdentity, registration: Registration): { version?: string } {
  const version = podLabels === undefined ? registration.version : podLabels.get('version');
  return version === undefined ? {} : { version };
}

/** As Istio's auto-registration: what the process says of itself counts, what it says of this service wins. */
function labelsOf({ view, peer, podLabels }: ClientIdentity, registration: Registration): ReadonlyMap<string, string> {
  const labels = new Map(podLabels ?? [...view.labels, ...registration.labels]);
  labels.delete(TLS_MODE_LABEL);
  if (peer.principal !== undefined && registration.tls === 'istio') labels.set(TLS_MODE_LABEL, 'istio');
  return labels;
}

function isSame(one: RegisteredWorkload, other: RegisteredWorkload): boolean {
  const text = (workload: RegisteredWorkload) =>
    JSON.stringify([{ ...workload, labels: undefined }, [...workload.labels]]);
  return text(one) === text(other);
}
