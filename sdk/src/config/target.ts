import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Discovery, ResourceWatcher } from '../discovery/discovery.ts';
import type { EventSink } from '../model/events.ts';
import type { Listener, RouteConfiguration } from '../model/route.ts';
import type { ClusterState, TargetConfig } from '../model/target.ts';
import { type AnyListener, isInbound, listenerType } from '../resource/listener/listener.ts';
import { routesOfTarget } from '../route/target-host.ts';
import { afterSockets } from '../wire/late-timer.ts';
import type { ClusterHolder, Clusters } from './clusters.ts';
import { clustersOf, connectionClustersOf, difference, join } from './join.ts';
import { withListenerDefaults } from './listener-defaults.ts';
import { type Part, PENDING } from './part.ts';
import { type RoutesOwner, RoutesWatch } from './routes-watch.ts';

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
  readonly listenerName?: (target: string) => string;
  /** Called after each change of state. */
  readonly changed: (target: Target<T>) => void;
}

/** No cluster, or one of whose endpoints nothing is known: its calls would fail. */
const isMissing = (state: ClusterState): boolean => {
  if (state.kind !== 'ready') return true;
  const { cluster, assignment, members } = state.config;
  if (members !== undefined) return members.every((member) => isMissing(member.state));
  return cluster.discovery.kind === 'eds' && assignment === undefined;
};

const hasConnections = ({ listener, clusters }: TargetConfig): boolean =>
  connectionClustersOf(listener.connections).every((name) => clusters.has(name));

const SETTLED = (): void => {};

/** One `host:port`: joins its resources, keeps the last good configuration, and swaps when the next one is whole. */
export class Target<T> implements ResourceWatcher<AnyListener>, RoutesOwner, ClusterHolder {
  readonly name: string;
  state: TargetState<T>;
  /** Set by every look-up, cleared by who counts idle time. */
  wasUsed = true;
  idleRounds = 0;
  readonly #parts: TargetParts<T>;
  #listener: Part<Listener> = PENDING;
  #routes: Part<RouteConfiguration> = PENDING;
  /** Where the routes come from, unless the listener brought them. */
  #rds: RoutesWatch | undefined;
  /** Names of the clusters it holds. */
  readonly #held = new Set<string>();
  #settle: (state: TargetState<T>) => void = SETTLED;
  #isDirty = false;
  #isClosed = false;
  #warmTimer: Timer | undefined;
  /** Clusters that the newest routes wait for. */
  #missing: string[] | undefined;
  #doubt: Timer | undefined;
  /** The time for a better configuration is over. */
  #hasDoubted = false;
  /** Clusters that did not come in time, as far as there are any. */
  #late: Map<string, ClusterState> | undefined;
  /** The newest configuration that was joined, ready or still being prepared. */
  #wanted: TargetConfig | undefined;
  #isPreparing = false;
  /** Somebody connects without HTTP: the clusters of filter chains count too. */
  #connects = false;
  #connected: PromiseWithResolvers<TargetState<T>> | undefined;
  /** The configuration that was last found to have all clusters of its filter chains. */
  #whole: TargetConfig | undefined;

  constructor(name: string, parts: TargetParts<T>) {
    this.name = name;
    this.#parts = parts;
    this.state = this.#pending();
    parts.discovery.subscribe(listenerType, this.#listenerName(), this);
  }

  onResource(listener: AnyListener): void {
    if (isInbound(listener)) {
      this.onError('the listener is a server’s: it has an address and no API listener (gRFC A36)');
      return;
    }
    this.#listener = { kind: 'value', value: listener };
    this.#setRoutesOf(listener);
    this.#touch();
  }

  onAbsent(reason: string): void {
    this.#listener = { kind: 'absent', reason };
    this.#forget();
    this.#miss('absent', reason);
    this.#touch();
  }

  onError(reason: string): void {
    if (this.#listener.kind === 'value') return;
    this.#listener = { kind: 'bad', reason };
    this.#touch();
  }

  /** The answer may still come; calls do not wait for it any longer. */
  onSilent(reason: string): void {
    if (this.state.kind === 'pending') this.#miss('absent', reason);
  }

  #listenerName(): string {
    return this.#parts.listenerName?.(this.name) ?? this.name;
  }

  /** As long as others are missing there is nothing to join: a thousand clusters come one by one. */
  clusterChanged(): void {
    const { clusters } = this.#parts;
    for (let name = this.#missing?.at(-1); name !== undefined; name = this.#missing?.at(-1)) {
      if (clusters.state(name) === undefined) return;
      this.#missing?.pop();
    }
    this.#touch();
  }

  routesChanged(): void {
    if (this.#rds !== undefined) this.#routes = this.#rds.routes;
    this.#touch();
  }

  /**
   * As `state`, for connections by filter chains: pending until their clusters are there too, which nobody asks for before.
   * Once settled, ask again: the configuration may be a newer one.
   */
  connectState(): TargetState<T> {
    if (!this.#connects) {
      this.#connects = true;
      this.#touch();
    }
    const { state } = this;
    if (state.kind !== 'ready' || state.config === this.#whole) return state;
    if (hasConnections(state.config)) {
      this.#whole = state.config;
      return state;
    }
    this.#connected ??= Promise.withResolvers<TargetState<T>>();
    return { kind: 'pending', settled: this.#connected.promise };
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#parts.discovery.unsubscribe(listenerType, this.#listenerName(), this);
    this.#forget();
    const before = this.state;
    this.state = { kind: 'absent', reason: 'no longer asked for' };
    if (before.kind === 'ready') this.#parts.retire(before.value);
    this.#settle(this.state);
    this.#settle = SETTLED;
    this.#settleConnections();
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
    this.#settle = SETTLED;
    this.#settleConnections();
    this.#parts.changed(this);
  }

  #settleConnections(): void {
    const { state } = this;
    if (state.kind === 'ready' && !hasConnections(state.config)) return;
    this.#connected?.resolve(state);
    this.#connected = undefined;
  }

  #needed(listener: Listener, routes: RouteConfiguration): ReadonlySet<string> {
    const names = clustersOf(routes);
    return this.#connects ? new Set([...names, ...connectionClustersOf(listener.connections)]) : names;
  }

  #miss(kind: 'absent' | 'failed', reason: string): void {
    if (this.state.kind === kind && this.state.reason === reason) return;
    this.#parts.emit({ kind: 'config-missing', target: this.name, reason });
    this.#become({ kind, reason });
  }

  #setRoutesOf({ routes }: Listener): void {
    if (routes.kind === 'inline') {
      this.#rds?.close();
      this.#rds = undefined;
      this.#routes = { kind: 'value', value: routesOfTarget(routes.routeConfiguration, this.name) };
      return;
    }
    const name = routes.routeConfigurationName;
    if (this.#rds?.name === name) return;
    this.#rds?.close();
    this.#routes = PENDING;
    this.#rds = new RoutesWatch(name, this, this.#parts.discovery);
  }

  /** All that one response brings is looked at once, when it has been taken. */
  #touch(): void {
    if (this.#isDirty || this.#isClosed) return;
    this.#isDirty = true;
    queueMicrotask(() => {
      this.#isDirty = false;
      if (!this.#isClosed) this.#advance();
    });
  }

  #advance(): void {
    const listener = this.#listener;
    const routes = this.#routes;
    if (listener.kind === 'bad') this.#fail(listener.reason);
    else if (listener.kind !== 'value') return;
    else if (routes.kind === 'absent' || routes.kind === 'bad') this.#fail(routes.reason);
    else if (routes.kind === 'value') {
      this.#join(listener.value, withListenerDefaults(listener.value, routes.value));
    }
  }

  /** Nothing usable has come. What is in use stays in use. */
  #fail(reason: string): void {
    if (this.#wanted === undefined) this.#miss('failed', reason);
  }

  #join(listener: Listener, routeConfiguration: RouteConfiguration): void {
    const { clusters } = this.#parts;
    const needed = this.#needed(listener, routeConfiguration);
    for (const name of needed) {
      if (this.#held.has(name)) continue;
      this.#held.add(name);
      clusters.hold(name, this);
    }
    const cluster = (name: string) => clusters.state(name) ?? this.#late?.get(name);
    const joined = join({ target: this.name, listener, routeConfiguration, needed, cluster });
    if (joined.kind === 'waiting') {
      this.#awaitWarmth(joined.for);
      return;
    }
    this.#warmTimer?.cancel();
    this.#warmTimer = undefined;
    this.#missing = undefined;
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
    this.#missing = [...missing];
    this.#warmTimer ??= afterSockets(this.#parts.clock, waitMs, () => {
      this.#warmTimer = undefined;
      this.#late ??= new Map();
      for (const name of this.#missing ?? []) {
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
    const isNew = (name: string) => !current.clusters.has(name) && !this.#late?.has(name);
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
    const listener = this.#listener;
    const routes = this.#routes;
    const isKnown = listener.kind === 'value' && routes.kind === 'value';
    const needed = isKnown ? this.#needed(listener.value, routes.value) : undefined;
    for (const name of [...this.#held]) {
      if (needed?.has(name) || this.#wanted?.clusters.has(name)) continue;
      if (this.state.kind === 'ready' && this.state.config.clusters.has(name)) continue;
      this.#held.delete(name);
      this.#parts.clusters.release(name, this);
    }
  }

  /** Everything below the listener. */
  #forget(): void {
    this.#trust();
    this.#warmTimer?.cancel();
    this.#warmTimer = undefined;
    this.#wanted = undefined;
    this.#late = undefined;
    this.#missing = undefined;
    this.#rds?.close();
    this.#rds = undefined;
    this.#routes = PENDING;
    for (const name of this.#held) this.#parts.clusters.release(name, this);
    this.#held.clear();
  }
}
