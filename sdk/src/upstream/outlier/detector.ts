import { addressText } from '../../balancer/hash-key.ts';
import type { Clock, Random, Timer } from '../../clock.ts';
import type { OutlierDetection } from '../../model/cluster.ts';
import type { EjectionEnd, EjectionReason, EventSink } from '../../model/events.ts';
import type { LiveHost } from '../host.ts';
import type { Outcome } from '../pick.ts';
import { countConnected, countOutcome, forgive, forgiveAll, type Suspicions } from './counts.ts';
import { bringBack, decay, eject, endOf, enforcing, hasRoom, isEnforced } from './ejection.ts';
import { type Origin, type Rate, suspectsByRate } from './rates.ts';
import { createRecord, type Ejection, type OutlierRecord } from './record.ts';

/** The cluster whose hosts are watched. */
export interface DetectorOwner {
  readonly name: string;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: EventSink;
  hostCount(): number;
  /** Hosts have been ejected, or have come back. */
  availabilityChanged(): void;
}

/**
 * Outlier detection of one cluster (Envoy DetectorImpl). There is a timer only while some host is ejected, has lately
 * been, or has been called in an interval whose rates are compared.
 */
export class OutlierDetector {
  readonly #owner: DetectorOwner;
  /** Hosts that have a record. */
  readonly #hosts = new Set<LiveHost>();
  #rules: OutlierDetection;
  #comparesRates: boolean;
  #ejected = 0;
  #timer: Timer | undefined;
  /** When the interval under way ends. */
  #dueMs = 0;

  constructor(rules: OutlierDetection, owner: DetectorOwner) {
    this.#rules = rules;
    this.#comparesRates = comparesRates(rules);
    this.#owner = owner;
  }

  /** Hosts that are out now. */
  get ejected(): number {
    return this.#ejected;
  }

  /** New rules; what was counted stays. */
  adopt(rules: OutlierDetection): void {
    if (rules === this.#rules) return;
    const hasNewInterval = rules.intervalMs !== this.#rules.intervalMs;
    this.#rules = rules;
    this.#comparesRates = comparesRates(rules);
    if (!hasNewInterval || this.#timer === undefined) return;
    this.#stop();
    this.#arm();
  }

  onConnected(host: LiveHost, isAll: boolean): void {
    if (!isAll && !this.#rules.splitExternalLocalOriginErrors) return;
    this.#suspect(host, countConnected(this.#recordOf(host).counts, isAll, this.#rules));
  }

  onOutcome(host: LiveHost, outcome: Outcome): void {
    this.#suspect(host, countOutcome(this.#recordOf(host).counts, outcome, this.#rules));
    if (this.#comparesRates) this.#arm();
  }

  /** An active health check went well. */
  onHealthy(host: LiveHost): void {
    if (!this.#rules.unejectOnHealthCheck || host.outlier?.ejection.isEjected !== true) return;
    this.#bringBack(host, 'health-check');
    this.#owner.availabilityChanged();
  }

  /** False where no host of this address is out. */
  uneject(address: string): boolean {
    const host = [...this.#hosts].find((one) => isOut(one) && addressText(one) === address);
    if (host === undefined) return false;
    this.#bringBack(host, 'manual');
    this.#owner.availabilityChanged();
    return true;
  }

  forgetRemoved(): void {
    for (const host of this.#hosts) {
      if (!host.removed) continue;
      if (isOut(host)) this.#ejected--;
      this.#hosts.delete(host);
    }
  }

  /** Every host that is out or has been. */
  ejections(): readonly Ejection[] {
    return [...this.#hosts].flatMap((host) => this.#tell(host));
  }

  /** Outlier detection is over: everybody comes back. */
  close(): void {
    this.#stop();
    const out = [...this.#hosts].filter(isOut);
    for (const host of out) this.#bringBack(host, 'configuration');
    for (const host of this.#hosts) host.outlier = undefined;
    this.#hosts.clear();
    if (out.length > 0) this.#owner.availabilityChanged();
  }

  /** The cluster is gone. */
  stop(): void {
    this.#stop();
  }

  #recordOf(host: LiveHost): OutlierRecord {
    if (host.outlier !== undefined) return host.outlier;
    host.outlier = createRecord();
    // A call may outlive its endpoint.
    if (host.removed) return host.outlier;
    this.#hosts.add(host);
    // Hosts of ORIGINAL_DST come and go without an update.
    if (this.#hosts.size > this.#owner.hostCount()) this.forgetRemoved();
    return host.outlier;
  }

  #suspect(host: LiveHost, suspicions: Suspicions): void {
    if (suspicions.length === 0 || host.removed) return;
    const before = this.#ejected;
    for (const reason of suspicions) this.#consider(host, reason);
    if (this.#ejected !== before) this.#owner.availabilityChanged();
  }

  #consider(host: LiveHost, reason: EjectionReason, successPercent?: number): void {
    const { counts, ejection } = this.#recordOf(host);
    if (ejection.isEjected) return;
    const { random } = this.#owner;
    if (hasRoom(this.#ejected, this.#owner.hostCount(), this.#rules) && isEnforced(reason, this.#rules, random())) {
      this.#eject(host, reason, successPercent);
    }
    forgive(counts, reason);
  }

  #eject(host: LiveHost, reason: EjectionReason, successPercent: number | undefined): void {
    const { clock, random, emit, name } = this.#owner;
    const record = this.#recordOf(host);
    const { consecutive5xx, consecutiveGatewayFailures, consecutiveLocalOriginFailures } = record.counts;
    const nowMs = clock.now();
    eject(record.ejection, this.#rules, nowMs, random());
    const sinceWallMs = clock.wallTime();
    const untilWallMs = sinceWallMs + record.ejection.untilMs - nowMs;
    record.last = {
      ...{ reason, sinceWallMs, untilWallMs },
      evidence: {
        ...{ consecutive5xx, consecutiveGatewayFailures, consecutiveLocalOriginFailures },
        ...{ requests: host.requests, failures: host.failures },
        ...(successPercent !== undefined && { successPercent }),
      },
    };
    this.#ejected++;
    host.settle();
    this.#arm();
    const { count } = record.ejection;
    emit({ kind: 'ejected', cluster: name, host: addressText(host), reason, untilMs: untilWallMs, count });
  }

  #bringBack(host: LiveHost, cause: EjectionEnd): void {
    const { clock, emit, name } = this.#owner;
    const { ejection, counts, last } = this.#recordOf(host);
    bringBack(ejection, clock.now());
    forgiveAll(counts);
    if (last !== undefined) last.untilWallMs = clock.wallTime();
    this.#ejected--;
    host.settle();
    emit({ kind: 'unejected', cluster: name, host: addressText(host), cause });
  }

  #arm(): void {
    if (this.#timer !== undefined) return;
    const { clock } = this.#owner;
    const ms = this.#rules.intervalMs;
    this.#dueMs = clock.now() + ms;
    this.#timer = clock.after(ms, () => this.#endInterval());
  }

  #stop(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #endInterval(): void {
    this.#timer = undefined;
    // A timer may fire a moment before its time is shown: an ejection of three intervals is over at the third.
    const nowMs = Math.max(this.#owner.clock.now(), this.#dueMs);
    const before = [...this.#hosts].filter(isOut);
    for (const host of before) {
      if (endOf(this.#recordOf(host).ejection, this.#rules) <= nowMs) this.#bringBack(host, 'time');
    }
    const wasCalled = this.#compareRates('external') + this.#compareRates('local') > 0;
    let isForgiven = true;
    for (const host of this.#hosts) {
      const { ejection } = this.#recordOf(host);
      decay(ejection, this.#rules, nowMs);
      if (ejection.backOff > 0) isForgiven = false;
    }
    if (wasCalled || !isForgiven) this.#arm();
    if (before.length !== this.#ejected || before.some((host) => !isOut(host))) this.#owner.availabilityChanged();
  }

  /** Ejects those whose rates of the interval are bad; how many requests there were. */
  #compareRates(origin: Origin): number {
    if (!this.#comparesRates) return 0;
    let requests = 0;
    const rates: Rate<LiveHost>[] = [];
    for (const host of this.#hosts) {
      const tally = this.#recordOf(host).counts[origin];
      requests += tally.total;
      if (!isOut(host)) rates.push({ of: host, total: tally.total, good: tally.good });
      tally.total = 0;
      tally.good = 0;
    }
    for (const { of, reason, successPercent } of suspectsByRate(rates, this.#owner.hostCount(), origin, this.#rules)) {
      this.#consider(of, reason, successPercent);
    }
    return requests;
  }

  #tell(host: LiveHost): readonly Ejection[] {
    const { last, ejection } = this.#recordOf(host);
    if (last === undefined) return [];
    const { reason, sinceWallMs: sinceMs, untilWallMs: untilMs, evidence: counters } = last;
    const { isEjected, count } = ejection;
    const cluster = this.#owner.name;
    return [{ cluster, host: addressText(host), isEjected, reason, sinceMs, untilMs, count, counters }];
  }
}

const isOut = ({ outlier }: LiveHost): boolean => outlier?.ejection.isEjected === true;

const RATES: readonly EjectionReason[] = [
  'success-rate',
  'success-rate-local-origin',
  'failure-percentage',
  'failure-percentage-local-origin',
];

/** Rates that are only detected are not looked at: they would keep a timer for nothing. */
const comparesRates = (rules: OutlierDetection): boolean => RATES.some((reason) => enforcing(reason, rules) > 0);
