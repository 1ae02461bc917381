import type { Endpoint } from '../model/cluster.ts';
import type { Host, LiveHost } from './host.ts';

/** How an attempt went: its status, or why it has none. */
export interface Outcome {
  readonly status?: number;
  readonly error?: 'connect' | 'reset' | 'timeout';
}

/**
 * A host lent to one attempt. Tell the `outcome` once it is known (at the response head or a failure), `release` when
 * the response has ended or is given up: each once. A second call, and an outcome after the release, changes nothing,
 * so an error path that runs twice cannot drive a counter below the truth.
 */
export interface Pick {
  readonly kind: 'pick';
  readonly endpoint: Endpoint;
  readonly host: Host;
  outcome(outcome: Outcome): void;
  release(): void;
}

/** No host: `UH` no usable one, `UO` a limit is reached. */
export interface PickFailure {
  readonly kind: 'failure';
  readonly flag: 'UH' | 'UO';
  readonly reason: string;
}

export const noHost = (reason: string): PickFailure => ({ kind: 'failure', flag: 'UH', reason });

/** Requests under way in a whole cluster. */
export interface ClusterLoad {
  active: number;
}

const PICKED = 0;
const ANSWERED = 1;
const RELEASED = 2;

export class LivePick implements Pick {
  readonly kind = 'pick';
  readonly endpoint: Endpoint;
  readonly host: LiveHost;
  readonly #load: ClusterLoad;
  #state = PICKED;

  constructor(host: LiveHost, load: ClusterLoad) {
    this.endpoint = host.endpoint;
    this.host = host;
    this.#load = load;
    load.active++;
    host.active++;
    host.requests++;
  }

  outcome({ status, error }: Outcome): void {
    if (this.#state !== PICKED) return;
    this.#state = ANSWERED;
    if (error !== undefined || (status !== undefined && status >= 500)) this.host.failures++;
  }

  release(): void {
    if (this.#state === RELEASED) return;
    this.#state = RELEASED;
    this.host.active--;
    this.#load.active--;
  }
}
