import { addressText } from '../../balancer/hash-key.ts';
import { type Clock, type Random, systemTurn, type Timer } from '../../clock.ts';
import type { Cluster } from '../../model/cluster.ts';
import type { EventSink } from '../../model/events.ts';
import type { HealthCheck } from '../../model/health-check.ts';
import { isLate, patientTimer } from '../../wire/late-timer.ts';
import type { LiveHost } from '../host.ts';
import type { Probe, ProbeTarget } from './probe.ts';
import { type CheckResult, createHealthState, firstCheckMs, nextCheckMs, take } from './state.ts';

/** The cluster whose hosts are checked. */
export interface CheckerOwner {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: EventSink;
  /** It has been called. */
  readonly isUsed: boolean;
  availabilityChanged(): void;
  /** A check went well on a host that can be used. */
  onHealthy(host: LiveHost): void;
}

/** Asks a host once. */
export type StartProbe = (target: ProbeTarget, done: (result: CheckResult) => void) => Probe;

/** What is under way for one host: the pause before a check, or the check and the time it has. */
class Session {
  readonly host: LiveHost;
  timer: Timer | undefined;
  probe: Probe | undefined;

  constructor(host: LiveHost) {
    this.host = host;
  }

  stop(): void {
    this.timer?.cancel();
    this.probe?.cancel();
    this.probe = undefined;
  }
}

/** Active health checks of one cluster (Envoy HealthCheckerImplBase): each host by itself, on timers that hold no process. */
export class HealthChecker {
  readonly #owner: CheckerOwner;
  readonly #start: StartProbe;
  readonly #sessions = new Map<LiveHost, Session>();
  #check: HealthCheck;
  #cluster: Cluster;
  #waiters: (() => void)[] = [];

  constructor(check: HealthCheck, cluster: Cluster, owner: CheckerOwner, start: StartProbe) {
    this.#check = check;
    this.#cluster = cluster;
    this.#owner = owner;
    this.#start = start;
  }

  /** New settings hold from the next check on; what was found stays. */
  adopt(check: HealthCheck, cluster: Cluster): void {
    this.#check = check;
    this.#cluster = cluster;
  }

  /**
   * Hosts as they are now: new ones are out until a check went well, those that went are forgotten. `areInUse`: they were
   * called before there were checks, and are until one says otherwise.
   */
  follow(hosts: readonly LiveHost[], areInUse = false): void {
    for (const [host, session] of this.#sessions) {
      if (!host.removed) continue;
      session.stop();
      this.#sessions.delete(host);
    }
    for (const host of hosts) if (!this.#sessions.has(host)) this.#begin(host, areInUse);
    this.#settleFirst();
  }

  /** The cluster is called for the first time: the pauses of one that is not end (a client has its clusters as it calls them). */
  onFirstUse(): void {
    for (const session of this.#sessions.values()) {
      const { check } = session.host;
      if (session.probe !== undefined || check?.isChecked !== true) continue;
      session.timer?.cancel();
      const since = { isOk: check.isHealthy, transition: 'none', isUsed: true } as const;
      this.#pause(session, nextCheckMs(this.#check, since, this.#owner.random));
    }
  }

  /** Resolves once every host has been checked. */
  checked(): Promise<void> {
    if (this.#areAllChecked()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  /** No more checks: what the hosts are is for others to say. */
  close(): void {
    for (const [host, session] of this.#sessions) {
      session.stop();
      host.check = undefined;
      host.settle();
    }
    this.#sessions.clear();
    this.#settleFirst();
  }

  #begin(host: LiveHost, isInUse: boolean): void {
    const session = new Session(host);
    this.#sessions.set(host, session);
    host.check = createHealthState(isInUse);
    host.settle();
    this.#pause(session, firstCheckMs(this.#check, this.#owner.random));
  }

  #pause(session: Session, ms: number): void {
    session.timer = this.#owner.clock.after(ms, () => this.#ask(session));
  }

  #ask(session: Session): void {
    const { timeoutMs } = this.#check;
    const { clock } = this.#owner;
    const target = { host: session.host, check: this.#check, cluster: this.#cluster, clock };
    const probe = this.#start(target, (result) => {
      if (session.probe !== probe) return;
      this.#heard(session, result);
    });
    session.probe = probe;
    session.timer = patientTimer({ clock, turn: systemTurn }, timeoutMs, () => {
      session.probe?.cancel();
      session.probe = undefined;
      // This process stood still: that says nothing about the host.
      if (isLate()) this.#pause(session, 0);
      else this.#heard(session, { kind: 'failed', isRetriable: true, reason: `no answer within ${timeoutMs} ms` });
    });
  }

  #heard(session: Session, result: CheckResult): void {
    const { host } = session;
    session.timer?.cancel();
    session.probe = undefined;
    if (host.check === undefined) return;
    const transition = take(host.check, result, this.#check);
    const { random, isUsed } = this.#owner;
    const isOk = result.kind === 'ok';
    this.#pause(session, nextCheckMs(this.#check, { isOk, transition, isUsed }, random));
    if (transition === 'changed') this.#changed(host);
    if (isOk && host.check.isHealthy) this.#owner.onHealthy(host);
    this.#settleFirst();
  }

  #changed(host: LiveHost): void {
    const { name, emit } = this.#owner;
    const { isHealthy = false, reason = '' } = host.check ?? {};
    host.settle(this.#owner.clock.now());
    this.#owner.availabilityChanged();
    const said = isHealthy ? 'a health check went well' : reason;
    emit({
      ...{ kind: 'host-health', cluster: name, host: addressText(host) },
      ...{ state: isHealthy ? 'healthy' : 'unhealthy', reason: said },
    });
  }

  #areAllChecked(): boolean {
    for (const { check } of this.#sessions.keys()) if (check?.isChecked === false) return false;
    return true;
  }

  #settleFirst(): void {
    if (this.#waiters.length === 0 || !this.#areAllChecked()) return;
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}
