import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Discovery } from '../discovery/discovery.ts';
import type { EventSink } from '../model/events.ts';
import type { Listener, RouteConfiguration } from '../model/route.ts';
import type { ClusterState, TargetConfig } from '../model/target.ts';
import { listenerType } from '../resource/listener/listener.ts';
import { routeConfigurationType } from '../resource/route/route-configuration.ts';
import { routesOfTarget } from '../route/target-host.ts';
import { afterSockets } from '../wire/late-timer.ts';
import type { Clusters, Unsubscribe } from './clusters.ts';
import { clustersOf, difference, join } from './join.ts';
import { type Part, PENDING } from './part.ts';

/** What a call finds under the name it dials. */
export type TargetState<T> =
  | { readonly kind: 'ready'; readonly value: T; readonly config: TargetConfig }
  /** The control plane does not know the name (or says nothing about it). */
  | { readonly kind: 'absent'; readonly reason: string }
  /** It knows the name, but what it says cannot be used. */
  | { readonly kind: 'failed'; readonly reason: string }
  | { readonly kind: 'pending'; readonly settled: Promise<TargetState<T>> };

export interface TargetParts<T> {
  readonly discovery: Discovery;
  readonly clusters: Clusters;
  readonly clock: Clock;
  readonly emit: EventSink;
  /** Makes the live form of a configuration; the previous one may lend it what stays. */
  readonly prepare: (config: TargetConfig, previous: T | undefined) => Promise<T>;
  readonly retire: (value: T) => void;
  /** Called after each change of state. */
  readonly changed: (target: Target<T>) => void;
}

/** No cluster, or one of whose endpoints nothing is known: its calls would fail. */
const isMissing = (state: ClusterState): boolean => {
  if (state.kind !== 'ready') return true;
  return state.config.cluster.discovery.kind === 'eds' && state.config.assignment === undefined;
};

/** One `host:port`: joins its resources, keeps the last good configuration, and swaps when the next one is whole. */
export class Target<T> {
  readonly name: string;
  state: TargetState<T>;
  /** Set by every look-up, cleared by who counts idle time. */
  wasUsed = true;
  idleRounds = 0;
  readonly #parts: TargetParts<T>;
  readonly #unsubscribe: Unsubscribe;
  #listener: Part<Listener> = PENDING;
  #routes: Part<RouteConfiguration> = PENDING;
  #rds: { readonly name: string; readonly unsubscribe: Unsubscribe } | undefined;
  readonly #held = new Map<string, Unsubscribe>();
  #settle: (state: TargetState<T>) => void = () => {};
  #isDirty = false;
  #isClosed = false;
  #warmTimer: Timer | undefined;
  #missing: readonly string[] = [];
  #doubt: Timer | undefined;
  /** The time for a better configuration is over. */
  #hasDoubted = false;
  readonly #late = new Map<string, ClusterState>();
  /** The newest configuration that was joined, ready or still being prepared. */
  #wanted: TargetConfig | undefined;
  #isPreparing = false;

  constructor(name: string, parts: TargetParts<T>) {
    this.name = name;
    this.#parts = parts;
    this.state = this.#pending();
    this.#unsubscribe = parts.discovery.subscribe(listenerType, name, {
      onResource: (value) => this.#setListener({ kind: 'value', value }),
      onAbsent: (reason) => this.#setListener({ kind: 'absent', reason }),
      onError: (reason) => {
        if (this.#listener.kind !== 'value') this.#setListener({ kind: 'bad', reason });
      },
      onSilent: (reason) => {
        // The answer may still come; calls do not wait for it any longer.
        if (this.state.kind === 'pending') this.#miss('absent', reason);
      },
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unsubscribe();
    this.#forget();
    const before = this.state;
    this.state = { kind: 'absent', reason: 'no longer asked for' };
    if (before.kind === 'ready') this.#parts.retire(before.value);
    this.#settle(this.state);
  }

  #pending(): TargetState<T> {
    const { promise, resolve } = Promise.withResolvers<TargetState<T>>();
    this.#settle = resolve;
    return { kind: 'pending', settled: promise };
  }

  #become(state: TargetState<T>): void {
    const before = this.state;
    this.state = state;
    if (before.kind === 'ready') this.#parts.retire(before.value);
    this.#settle(state);
    this.#parts.changed(this);
  }

  #miss(kind: 'absent' | 'failed', reason: string): void {
    if (this.state.kind === kind && this.state.reason === reason) return;
    this.#parts.emit({ kind: 'config-missing', target: this.name, reason });
    this.#become({ kind, reason });
  }

  #setListener(listener: Part<Listener>): void {
    this.#listener = listener;
    if (listener.kind === 'absent') {
      this.#forget();
      this.#miss('absent', listener.reason);
    } else if (listener.kind === 'value') this.#setRoutesOf(listener.value);
    this.#touch();
  }

  #setRoutesOf({ routes }: Listener): void {
    if (routes.kind === 'inline') {
      this.#rds?.unsubscribe();
      this.#rds = undefined;
      this.#routes = { kind: 'value', value: routesOfTarget(routes.routeConfiguration, this.name) };
      return;
    }
    const name = routes.routeConfigurationName;
    if (this.#rds?.name === name) return;
    this.#rds?.unsubscribe();
    this.#routes = PENDING;
    // Routes that were known stay when they are taken back or a newer version is bad (Envoy RDS): the listener decides.
    const unusable = (part: Part<RouteConfiguration>) => {
      if (this.#routes.kind === 'value') return;
      this.#routes = part;
      this.#touch();
    };
    const unsubscribe = this.#parts.discovery.subscribe(routeConfigurationType, name, {
      onResource: (value) => {
        this.#routes = { kind: 'value', value: routesOfTarget(value, this.name) };
        this.#touch();
      },
      onAbsent: (reason) => unusable({ kind: 'absent', reason }),
      onError: (reason) => unusable({ kind: 'bad', reason }),
    });
    this.#rds = { name, unsubscribe };
  }

  /** All that one response brings is looked at once, when it has been taken. */
  #touch = (): void => {
    if (this.#isDirty || this.#isClosed) return;
    this.#isDirty = true;
    queueMicrotask(() => {
      this.#isDirty = false;
      if (!this.#isClosed) this.#advance();
    });
  };

  #advance(): void {
    const listener = this.#listener;
    const routes = this.#routes;
    if (listener.kind === 'bad') this.#fail(listener.reason);
    else if (listener.kind !== 'value') return;
    else if (routes.kind === 'absent' || routes.kind === 'bad') this.#fail(routes.reason);
    else if (routes.kind === 'value') this.#join(listener.value, routes.value);
  }

  /** Nothing usable has come. What is in use stays in use. */
  #fail(reason: string): void {
    if (this.#wanted === undefined) this.#miss('failed', reason);
  }

  #join(listener: Listener, routeConfiguration: RouteConfiguration): void {
    const { clusters } = this.#parts;
    for (const name of clustersOf(routeConfiguration)) {
      if (!this.#held.has(name)) this.#held.set(name, clusters.hold(name, this.#touch));
    }
    const cluster = (name: string) => clusters.state(name) ?? this.#late.get(name);
    const joined = join({ target: this.name, listener, routeConfiguration, cluster });
    if (joined.kind === 'waiting') {
      this.#awaitWarmth(joined.for);
      return;
    }
    this.#warmTimer?.cancel();
    this.#warmTimer = undefined;
    const isSame = difference(this.#wanted, joined.config) === undefined;
    if (!isSame && this.#isDoubtful(joined.config)) return;
    this.#trust();
    if (isSame) return;
    this.#wanted = joined.config;
    void this.#prepare();
  }

  /** Bounded: one silent name must not freeze the configuration for ever. What is late fails until it comes. */
  #awaitWarmth(missing: readonly string[]): void {
    const waitMs = defaultOf('warmTimeoutMs');
    this.#missing = missing;
    this.#warmTimer ??= afterSockets(this.#parts.clock, waitMs, () => {
      this.#warmTimer = undefined;
      for (const name of this.#missing) {
        const reason = `nothing came about cluster "${name}" within ${waitMs / 1000} s`;
        this.#late.set(name, { kind: 'failed', reason });
      }
      this.#advance();
    });
  }

  /**
   * Routes of one state may meet clusters or endpoints of the next, in which they are gone: the routes that go with that
   * are on their way. What works is not given up for it until they had their time (gRFC A74).
   */
  #isDoubtful(config: TargetConfig): boolean {
    const current = this.state.kind === 'ready' ? this.state.config : undefined;
    if (current === undefined || this.#hasDoubted) return false;
    // Routes that are trusted already: what is gone of them since had its time as a cluster.
    if (this.#wanted?.routeConfiguration === config.routeConfiguration) return false;
    // One in use has had its grace, one that is late its time-out.
    const isNew = (name: string) => !current.clusters.has(name) && !this.#late.has(name);
    const isWorse = [...config.clusters].some(([name, state]) => isNew(name) && isMissing(state));
    if (isWorse) {
      this.#doubt ??= this.#parts.clock.after(defaultOf('clusterGraceMs'), () => {
        this.#hasDoubted = true;
        this.#touch();
      });
    }
    return isWorse;
  }

  #trust(): void {
    this.#doubt?.cancel();
    this.#doubt = undefined;
    this.#hasDoubted = false;
  }

  /** One preparation at a time; what came meanwhile is prepared next. */
  async #prepare(): Promise<void> {
    if (this.#isPreparing) return;
    this.#isPreparing = true;
    for (let config = this.#next(); config !== undefined; config = this.#next()) {
      const previous = this.state.kind === 'ready' ? this.state.value : undefined;
      try {
        const value = await this.#parts.prepare(config, previous);
        this.#swap(config, value);
      } catch (error) {
        this.#giveUp(config, error);
      }
    }
    this.#isPreparing = false;
  }

  #next(): TargetConfig | undefined {
    const current = this.state.kind === 'ready' ? this.state.config : undefined;
    return this.#wanted === current || this.#isClosed ? undefined : this.#wanted;
  }

  #swap(config: TargetConfig, value: T): void {
    const { emit, retire } = this.#parts;
    // The listener was taken back (or the mesh closed) while this was being prepared.
    if (this.#wanted === undefined) {
      retire(value);
      return;
    }
    const before = this.state.kind === 'ready' ? this.state.config : undefined;
    this.#become({ kind: 'ready', value, config });
    emit({ kind: 'config-swapped', target: this.name, reason: difference(before, config) ?? 'again' });
    this.#releaseUnused();
  }

  #giveUp(config: TargetConfig, error: unknown): void {
    const reason = `the configuration could not be put to use: ${error instanceof Error ? error.message : String(error)}`;
    if (this.#wanted === config) this.#wanted = this.state.kind === 'ready' ? this.state.config : undefined;
    if (this.state.kind === 'ready') this.#parts.emit({ kind: 'warning', message: `${this.name}: ${reason}` });
    else if (!this.#isClosed) this.#miss('failed', reason);
  }

  /** Clusters are let go only after the swap: until then calls may still be routed to them. */
  #releaseUnused(): void {
    const routes = this.#routes.kind === 'value' ? clustersOf(this.#routes.value) : undefined;
    for (const [name, release] of [...this.#held]) {
      if (routes?.has(name) || this.#wanted?.clusters.has(name)) continue;
      if (this.state.kind === 'ready' && this.state.config.clusters.has(name)) continue;
      this.#held.delete(name);
      release();
    }
  }

  /** Everything below the listener. */
  #forget(): void {
    this.#trust();
    this.#warmTimer?.cancel();
    this.#warmTimer = undefined;
    this.#wanted = undefined;
    this.#late.clear();
    this.#rds?.unsubscribe();
    this.#rds = undefined;
    this.#routes = PENDING;
    for (const release of this.#held.values()) release();
    this.#held.clear();
  }
}
