import type { LoadReport } from '../balancer/load-weight.ts';
import type { Endpoint } from '../model/cluster.ts';
import type { ClusterConfig } from '../model/target.ts';
import { isLate } from '../wire/late-timer.ts';
import type { Breaker } from './breaker.ts';
import type { Host, LiveHost } from './host.ts';
import { isGoodOutcome, type LocalityTally } from './load-tally.ts';
import { statusOf } from './outlier/counts.ts';

/** How an attempt went: its status, or why it has none; neither says nothing about the host. */
export interface Outcome {
  readonly status?: number;
  /** Of the answer to a gRPC request: counts in the place of the status. */
  readonly grpcStatus?: number;
  /** `overflow`: a limit of ours, not the host's fault. */
  readonly error?: 'connect' | 'reset' | 'timeout' | 'overflow';
}

/**
 * A host lent to one attempt. Tell the `outcome` once it is known (at the response head or a failure), `release` when
 * the response has ended or is given up: each once. An answer whose body then breaks off has a second outcome, an error.
 * Any further one, and an outcome after the release, changes nothing, so an error path that runs twice cannot drive a
 * counter below the truth.
 */
export interface Pick {
  readonly kind: 'pick';
  readonly endpoint: Endpoint;
  readonly host: Host;
  /** Of which cluster: of an aggregate, the one of its clusters. */
  readonly upstream: Picked;
  /** There is a connection; `isAll` where nothing else was wanted (Envoy LocalOriginConnectSuccess, …Final). */
  connected(isAll?: boolean): void;
  /** There can be none for now: gRPC calls pass over the host for a while, where there are others. */
  unreachable(): void;
  /** The head of an answer is there whose outcome its end will tell. */
  begun(): void;
  outcome(outcome: Outcome): void;
  /** What the host says of its load, with an answer. */
  reported(report: LoadReport): void;
  release(): void;
}

/** The cluster of a host that was picked. */
export interface Picked {
  readonly name: string;
  config(): ClusterConfig;
  breaker(priority: 'default' | 'high'): Breaker;
}

/** No host: `UH` no usable one, `UO` a limit is reached. */
export interface PickFailure {
  readonly kind: 'failure';
  readonly flag: 'UH' | 'UO';
  readonly reason: string;
}

export const noHost = (reason: string): PickFailure => ({ kind: 'failure', flag: 'UH', reason });

/** The cluster a pick was made in. */
export interface PickOwner extends Picked {
  /** Requests under way. */
  active: number;
  /** When the pick was made, where somebody wants to know how long it takes; else 0. */
  startMs(): number;
  onConnected(host: LiveHost, isAll: boolean): void;
  onUnreachable(host: LiveHost): void;
  onBegun(startMs: number): void;
  onOutcome(host: LiveHost, outcome: Outcome, startMs: number): void;
  /** With an answer. */
  onAnswerReport(host: LiveHost, report: LoadReport): void;
  /** Where its requests are counted for the control plane; undefined: it does not want to hear of them. */
  tallyOf(host: LiveHost): LocalityTally | undefined;
}

const PICKED = 0;
const ANSWERED = 1;
const TOLD = 2;
const RELEASED = 3;

const isAnswer = ({ status, grpcStatus }: Outcome): boolean => status !== undefined || grpcStatus !== undefined;

export class LivePick implements Pick {
  readonly kind = 'pick';
  readonly endpoint: Endpoint;
  readonly host: LiveHost;
  readonly #owner: PickOwner;
  #startMs: number;
  #state = PICKED;
  /** From the connection on: gRPC picks none but hosts that are connected. */
  #tally: LocalityTally | undefined;
  #isGood = false;

  constructor(host: LiveHost, owner: PickOwner) {
    this.endpoint = host.endpoint;
    this.host = host;
    this.#owner = owner;
    this.#startMs = owner.startMs();
    owner.active++;
    host.active++;
    host.requests++;
  }

  get upstream(): Picked {
    return this.#owner;
  }

  connected(isAll = false): void {
    if (this.#state >= TOLD) return;
    this.#owner.onConnected(this.host, isAll);
    if (this.#tally !== undefined) return;
    this.#tally = this.#owner.tallyOf(this.host);
    this.#tally?.begin();
    // Of a connection that is all there is, what passes over it says nothing.
    this.#isGood = isAll;
  }

  unreachable(): void {
    this.#owner.onUnreachable(this.host);
  }

  begun(): void {
    this.#owner.onBegun(this.#startMs);
    this.#startMs = 0;
  }

  outcome(outcome: Outcome): void {
    const { error } = outcome;
    if (this.#state >= (error === undefined ? ANSWERED : TOLD)) return;
    this.#state = error === undefined ? ANSWERED : TOLD;
    if (error !== undefined || (statusOf(outcome) ?? 0) >= 500) this.host.failures++;
    this.#isGood = isAnswer(outcome) ? isGoodOutcome(outcome) : this.#isGood && error === undefined;
    // This process stood still when the time was over: that says nothing about the host.
    if (error === 'timeout' && isLate()) return;
    this.#owner.onOutcome(this.host, outcome, this.#startMs);
  }

  reported(report: LoadReport): void {
    this.#owner.onAnswerReport(this.host, report);
    this.#tally?.add(report);
  }

  release(): void {
    if (this.#state === RELEASED) return;
    this.#state = RELEASED;
    this.host.active--;
    this.#owner.active--;
    this.#tally?.end(this.#isGood);
  }
}
