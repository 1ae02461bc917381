import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { EventSink } from '../model/events.ts';
import type { TargetConfig } from '../model/target.ts';
import { createClusters } from './clusters.ts';
import { isNeverAsked } from './never-asked.ts';
import { Target, type TargetParts, type TargetState } from './target.ts';
import type { TlsSources } from './tls-parts.ts';

export type { TargetState } from './target.ts';

export interface TargetsOptions<T> {
  readonly discovery: Discovery;
  readonly clock: Clock;
  readonly emit: EventSink;
  /** What TLS is made of; where absent nobody waits for it. */
  readonly tls?: TlsSources;
  /** Makes the live form of a configuration; calls go on with the previous one until it resolves. */
  readonly prepare: (config: TargetConfig, previous: T | undefined) => Promise<T>;
  /** The value is no longer given out; calls that began with it may still use it. */
  readonly retire: (value: T) => void;
  /** The name of the listener of a target; the target itself unless told otherwise (gRFC A47). */
  readonly listenerName?: (target: string) => string;
  /** How long a look-up of a pending target keeps the process alive: as long as a call waits. */
  readonly holdMs?: number;
}

/** Every `host:port` the application dials. */
export interface Targets<T> {
  /** The state now; asks the control plane when the name is new. Allocates nothing for a known name. */
  lookup(target: string): TargetState<T>;
  /**
   * As `lookup`, for a connection by the filter chains of the listener (`listener.connections`): their clusters are in the
   * configuration too, asked for from the first such call on, so that an application that only speaks HTTP never does.
   */
  lookupConnection(target: string): TargetState<T>;
  /** For tools: every name that is known or being asked for. */
  list(): Iterable<{ readonly target: string; readonly state: TargetState<T> }>;
  close(): void;
}

/** A target is looked at four times in its idle time, so it goes between 1 and 1¼ of it after its last call. */
const IDLE_ROUNDS = 4;

const NEVER_ASKED: TargetState<never> = {
  kind: 'absent',
  reason: 'loopback and link-local addresses are never asked for',
};

export function createTargets<T>(options: TargetsOptions<T>): Targets<T> {
  return new TargetStore(options);
}

class TargetStore<T> implements Targets<T> {
  readonly #options: TargetsOptions<T>;
  readonly #parts: TargetParts<T>;
  readonly #targets = new Map<string, Target<T>>();
  /** Names the control plane does not know, oldest first. */
  readonly #negatives = new Map<string, Target<T>>();
  readonly #holds = new Map<Target<T>, Timer>();
  #sweep: Timer | undefined;
  #isClosed = false;

  constructor(options: TargetsOptions<T>) {
    this.#options = options;
    const { discovery, clock, emit, tls } = options;
    this.#parts = {
      ...options,
      clusters: createClusters({ discovery, clock, emit, ...(tls && { tls }) }),
      changed: (target) => this.#changed(target),
    };
  }

  lookup(name: string): TargetState<T> {
    const known = this.#targets.get(name);
    if (known === undefined) return this.#ask(name);
    known.wasUsed = true;
    if (known.state.kind === 'pending') this.#hold(known);
    return known.state;
  }

  lookupConnection(name: string): TargetState<T> {
    if (this.lookup(name) === NEVER_ASKED) return NEVER_ASKED;
    const target = this.#targets.get(name);
    if (target === undefined) return this.lookup(name);
    const state = target.connectState();
    if (state.kind === 'pending') this.#hold(target);
    return state;
  }

  *list(): Generator<{ readonly target: string; readonly state: TargetState<T> }> {
    for (const [target, { state }] of this.#targets) yield { target, state };
  }

  close(): void {
    this.#isClosed = true;
    this.#sweep?.cancel();
    for (const target of [...this.#targets.values()]) this.#drop(target);
  }

  #ask(name: string): TargetState<T> {
    if (isNeverAsked(name)) return NEVER_ASKED;
    if (this.#isClosed) return { kind: 'absent', reason: 'the mesh was closed' };
    const target = new Target(name, this.#parts);
    this.#targets.set(name, target);
    this.#hold(target);
    this.#sweep ??= this.#scheduleSweep();
    return target.state;
  }

  #changed(target: Target<T>): void {
    if (target.state.kind !== 'pending') this.#release(target);
    if (target.state.kind !== 'absent') this.#negatives.delete(target.name);
    else if (this.#targets.get(target.name) === target) {
      this.#negatives.set(target.name, target);
      if (this.#negatives.size > defaultOf('negativeAnswers')) this.#evict();
    }
  }

  /** Drops the negative answer longest unused. Known targets are never dropped for others: nobody can push one out of the mesh. */
  #evict(): void {
    for (const [name, target] of this.#negatives) {
      this.#negatives.delete(name);
      if (!target.wasUsed || this.#negatives.size === 0) {
        this.#drop(target);
        return;
      }
      target.wasUsed = false;
      this.#negatives.set(name, target);
    }
  }

  #drop(target: Target<T>): void {
    this.#targets.delete(target.name);
    this.#negatives.delete(target.name);
    this.#release(target);
    target.close();
  }

  /** Someone waits for the answer: with nothing else to do the process must not leave. */
  #hold(target: Target<T>): void {
    if (this.#holds.has(target)) return;
    const { clock, discovery, holdMs = defaultOf('configTimeoutMs') } = this.#options;
    discovery.ref();
    this.#holds.set(
      target,
      clock.after(holdMs, () => this.#release(target)),
    );
  }

  #release(target: Target<T>): void {
    const timer = this.#holds.get(target);
    if (timer === undefined) return;
    timer.cancel();
    this.#holds.delete(target);
    this.#options.discovery.unref();
  }

  #scheduleSweep(): Timer {
    return this.#options.clock.after(defaultOf('idleTargetMs') / IDLE_ROUNDS, () => {
      for (const target of [...this.#targets.values()]) {
        target.idleRounds = target.wasUsed ? 0 : target.idleRounds + 1;
        target.wasUsed = false;
        if (target.idleRounds >= IDLE_ROUNDS) this.#drop(target);
      }
      this.#sweep = this.#targets.size > 0 ? this.#scheduleSweep() : undefined;
    });
  }
}
