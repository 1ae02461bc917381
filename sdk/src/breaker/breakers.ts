import { EventEmitter } from 'node:events';
import type { Clock, Timer } from '../clock.ts';
import { type DefaultName, defaultOf } from '../defaults.ts';
import { MeshError } from '../errors.ts';
import { targetOf } from '../http/dialled.ts';
import type { MeshFetch } from '../http/fetch/mesh-fetch.ts';
import type { Breaker, BreakerEvent, BreakerOptions } from './breaker.ts';
import type { Circuit, CircuitParts } from './circuit.ts';
import { type BreakerHome, LiveBreaker } from './live-breaker.ts';

/** The application's breakers of one mesh. */
export interface Breakers {
  /** The same host, the same breaker: `options` are those of the first time. Throws MESH_CONFIG_INVALID. */
  of(host: string, options?: BreakerOptions): Breaker;
  close(): void;
}

export function createBreakers(fetch: MeshFetch, clock: Clock): Breakers {
  return new BreakerSet(fetch, clock);
}

/**
 * At most so many: one more, and the one unused for longest begins anew. What they count rotates by one timer for all, which
 * runs while there is something to rotate.
 */
class BreakerSet implements Breakers, BreakerHome {
  readonly fetch: MeshFetch;
  readonly #clock: Clock;
  readonly #byHost = new Map<string, LiveBreaker>();
  /** Used longest ago first. */
  readonly #live = new Set<LiveBreaker>();
  readonly #rotation = new EventEmitter().setMaxListeners(0);
  #circuits: Promise<(parts: CircuitParts) => Circuit> | undefined;
  #tick: Timer | undefined;
  #isClosed = false;

  constructor(fetch: MeshFetch, clock: Clock) {
    this.fetch = fetch;
    this.#clock = clock;
  }

  of(host: string, options: BreakerOptions = {}): Breaker {
    const target = targetOf(host);
    const known = this.#byHost.get(target);
    if (known !== undefined) return known;
    checkOptions(options);
    const breaker = new LiveBreaker(target, options, this);
    if (this.#isClosed) breaker.remove();
    else this.touch(breaker);
    return breaker;
  }

  async admit(breaker: LiveBreaker): Promise<(emit: (event: BreakerEvent) => void) => Circuit> {
    this.#circuits ??= import('./circuit.ts').then(({ loadCircuits }) => loadCircuits());
    const create = await this.#circuits;
    return (emit) => {
      this.touch(breaker);
      this.#rotateLater();
      return create(this.#partsOf(breaker, emit));
    };
  }

  touch(breaker: LiveBreaker): void {
    this.#live.delete(breaker);
    this.#live.add(breaker);
    if (!this.#byHost.has(breaker.host)) this.#byHost.set(breaker.host, breaker);
    const [oldest] = this.#live;
    if (this.#live.size > defaultOf('appBreakers') && oldest !== undefined) {
      this.remove(oldest);
      oldest.forget();
    }
  }

  remove(breaker: LiveBreaker): void {
    this.#live.delete(breaker);
    if (this.#byHost.get(breaker.host) === breaker) this.#byHost.delete(breaker.host);
    if (this.#live.size === 0) this.#stopRotating();
  }

  close(): void {
    this.#isClosed = true;
    for (const breaker of this.#live) breaker.remove();
  }

  #partsOf({ host, options }: LiveBreaker, emit: (event: BreakerEvent) => void): CircuitParts {
    return {
      host,
      timeoutMs: options.timeoutMs ?? defaultOf('appBreakerTimeoutMs'),
      errorThresholdPercent: options.errorThresholdPercent ?? defaultOf('appBreakerErrorPercent'),
      volumeThreshold: options.volumeThreshold ?? defaultOf('appBreakerVolume'),
      resetMs: options.resetMs ?? defaultOf('appBreakerResetMs'),
      hasFallback: options.fallback !== undefined,
      rotation: this.#rotation,
      emit,
    };
  }

  #rotateLater(): void {
    this.#tick ??= this.#clock.after(defaultOf('appBreakerWindowMs') / BUCKETS, () => {
      this.#tick = undefined;
      this.#rotation.emit('rotate');
      this.#rotateLater();
    });
  }

  #stopRotating(): void {
    this.#tick?.cancel();
    this.#tick = undefined;
  }
}

/** opossum's rollingCountBuckets. */
const BUCKETS = 10;

const LIMITS: readonly (readonly [keyof BreakerOptions, least: number, most: number, from: DefaultName])[] = [
  ['timeoutMs', 1, 2 ** 31 - 1, 'appBreakerTimeoutMs'],
  ['resetMs', 1, 2 ** 31 - 1, 'appBreakerResetMs'],
  // opossum opens above the threshold: at 100 it never would.
  ['errorThresholdPercent', 0, 99, 'appBreakerErrorPercent'],
  ['volumeThreshold', 0, Number.MAX_SAFE_INTEGER, 'appBreakerVolume'],
];

function checkOptions(options: BreakerOptions): void {
  for (const [name, least, most, from] of LIMITS) {
    const value = options[name] ?? defaultOf(from);
    if (typeof value === 'number' && value >= least && value <= most) continue;
    throw new MeshError(
      'MESH_CONFIG_INVALID',
      `breaker: ${name} is ${String(value)}: a number from ${least} to ${most}`,
    );
  }
}
