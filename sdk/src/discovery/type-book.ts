import type { Clock, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { EventSink } from '../model/events.ts';
import { peekName } from '../resource/peek-name.ts';
import type { Decoded, ResourceType } from '../resource/resource-type.ts';
import { afterSockets } from '../wire/late-timer.ts';
import type { LastGood } from './last-good.ts';
import type { AdsResponse, Held, WireResource } from './protocol/dialect.ts';
import type { Slices } from './slices.ts';
import {
  ASKED,
  type Subscription,
  type SubscriptionEffect,
  type SubscriptionEvent,
  stepSubscription,
} from './subscription.ts';

/** Told what happens to one resource; never from inside `subscribe`. */
export interface ResourceWatcher<T> {
  /** A new good version; the latest one is told to whoever subscribes later. */
  onResource(value: T, version: string): void;
  /** The server says that it does not exist, or said nothing for too long. */
  onAbsent(reason: string): void;
  /** Its newest version is unusable; the last good one, if there was one, goes on. */
  onError(reason: string): void;
  /** The server can be spoken to but has said nothing for a second; the answer may still come. */
  onSilent?(reason: string): void;
}

/** One subscribed name. */
class Entry<T> implements Held {
  state: Subscription = ASKED;
  value: T | undefined;
  /** Kept where the server sends everything each time (SotW): equal bytes are not decoded again. */
  bytes: Uint8Array | undefined;
  warnings: readonly string[] = [];
  /** It comes from the last-good store, not from a server that we speak to. */
  staleSinceMs: number | undefined;
  timer: Timer | undefined;
  readonly watchers = new Set<ResourceWatcher<T>>();

  get version(): string | undefined {
    return this.state.kind === 'present' ? this.state.version : undefined;
  }
}

export interface TypeBookParts {
  readonly clock: Clock;
  readonly emit: EventSink;
  readonly lastGood?: LastGood;
  readonly features?: ReadonlySet<string>;
}

export interface DescribedResource {
  readonly name: string;
  readonly state: Subscription;
  /** What its last good version asks for and does not get. */
  readonly warnings: readonly string[];
  /** Wall-clock time at which it was sent, where it comes from the snapshot on disk and nobody has confirmed it yet. */
  readonly staleSinceMs?: number;
}

export interface Applied {
  readonly names: readonly string[];
  readonly errors: readonly string[];
}

/** Everything known and wanted of one resource type. */
export class TypeBook<T> {
  readonly type: ResourceType<T>;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #parts: TypeBookParts;
  #isUp = false;
  #isAway = false;
  /** A response is being decoded: what we want is told with its answer (a request now would carry a nonce too early). */
  isBusy = false;
  /** Names that are wanted, or no longer, since the server was told; undefined: a stream that was told nothing. */
  changedNames: Set<string> | undefined;
  /** Warnings given so far. */
  warned = 0;

  constructor(type: ResourceType<T>, parts: TypeBookParts) {
    this.type = type;
    this.#parts = parts;
  }

  get names(): ReadonlyMap<string, Held> {
    return this.#entries;
  }

  subscribe(name: string, watcher: ResourceWatcher<T>): void {
    let entry = this.#entries.get(name);
    if (entry === undefined) {
      entry = new Entry<T>();
      this.#entries.set(name, entry);
      this.changedNames?.add(name);
      if (this.#isUp) this.#step(name, entry, { kind: 'stream-up' });
      else if (this.#isAway) queueMicrotask(() => this.#restore(name));
    } else {
      const known = entry;
      queueMicrotask(() => known.watchers.has(watcher) && tellState(known, watcher));
    }
    entry.watchers.add(watcher);
  }

  unsubscribe(name: string, watcher: ResourceWatcher<T>): void {
    const entry = this.#entries.get(name);
    if (!entry?.watchers.delete(watcher) || entry.watchers.size > 0) return;
    entry.timer?.cancel();
    this.#entries.delete(name);
    this.changedNames?.add(name);
  }

  streamUp(): void {
    this.#isUp = true;
    this.#isAway = false;
    // From here on the server tells what differs from the versions we name.
    for (const entry of this.#entries.values()) entry.staleSinceMs = undefined;
    this.#stepAll({ kind: 'stream-up' });
  }

  streamDown(): void {
    this.#isUp = false;
    this.#stepAll({ kind: 'stream-down' });
  }

  /** The control plane cannot be reached: what was good when it last could is better than nothing. */
  away(): void {
    if (this.#isUp) return;
    this.#isAway = true;
    for (const name of this.#entries.keys()) this.#restore(name);
  }

  /** Takes what is good of a response and says what is wrong with the rest (gRFC A46); nothing wrong: an ACK is due. */
  async apply(response: AdsResponse, slices: Slices): Promise<Applied> {
    const errors: string[] = [];
    const names: string[] = [];
    // Only who is told everything must look at all that is held.
    const unanswered = response.isComplete ? response.answers.union(this.#held()) : new Set<string>();
    let isComplete = response.isComplete;
    for (const [index, resource] of response.resources.entries()) {
      if (slices.isSpent()) await slices.next();
      const name = await this.#take(resource, index, slices, errors);
      names.push(name);
      unanswered.delete(name);
      // Without its name we cannot tell whose deletion an absence would be.
      if (name === '') isComplete = false;
    }
    const gone = isComplete ? [...response.removed, ...unanswered] : response.removed;
    for (const name of gone) this.#remove(name);
    return { names, errors };
  }

  *describe(): Generator<DescribedResource> {
    for (const [name, { state, warnings, staleSinceMs }] of this.#entries) {
      yield { name, state, warnings, ...(staleSinceMs !== undefined && { staleSinceMs }) };
    }
  }

  /** gRFC A53: a control plane that forgets what it served may be told from one that means it. */
  #remove(name: string): void {
    const isHeld = this.#entries.get(name)?.state.kind === 'present';
    if (isHeld && this.#parts.features?.has('ignore_resource_deletion')) {
      const message = 'deleted by the control plane, and kept: ignore_resource_deletion (gRFC A53)';
      this.#parts.emit({ kind: 'xds-warning', typeUrl: this.type.typeUrl, resource: name, message });
    } else this.#stepName(name, { kind: 'removed', reason: this.#gone(name) });
  }

  /** gRFC A88: where data errors are to be failures, the last good version goes with the bad one. */
  #spoil(name: string, reason: string): void {
    const isHeld = this.#entries.get(name)?.state.kind === 'present';
    if (isHeld && this.#parts.features?.has('fail_on_data_errors')) this.#stepName(name, { kind: 'removed', reason });
    else this.#stepName(name, { kind: 'bad', reason });
  }

  async #take(resource: WireResource, index: number, slices: Slices, errors: string[]): Promise<string> {
    const { typeUrl } = this.type;
    const name = resource.name || peekName(resource.bytes);
    if (resource.typeUrl !== typeUrl) {
      const reason = `type "${resource.typeUrl}", ${typeUrl} allowed`;
      errors.push(`${name || `resources[${index}]`}: ${reason}`);
      this.#spoil(name, reason);
      return name;
    }
    const entry = this.#entries.get(name);
    // Not (or no longer) wanted: neither an error nor worth decoding.
    if (name !== '' && entry === undefined) return name;
    if (entry !== undefined && isUnchanged(entry, resource.bytes)) return name;
    const decoded = await this.#decode(resource.bytes, slices);
    this.#settle(name, resource, decoded, errors);
    return name;
  }

  #settle(name: string, resource: WireResource, decoded: Decoded<T>, errors: string[]): void {
    const entry = this.#entries.get(name);
    if ('errors' in decoded) {
      const reason = decoded.errors.join('; ');
      errors.push(`${name || 'a resource without a readable name'}: ${reason}`);
      this.#spoil(name, reason);
      return;
    }
    if (entry === undefined) return;
    entry.value = decoded.ok;
    entry.staleSinceMs = undefined;
    entry.bytes = resource.name === '' ? resource.bytes : undefined;
    this.#warn(name, entry, decoded.warnings);
    this.#parts.lastGood?.keep(this.type.typeUrl, name, resource);
    this.#step(name, entry, { kind: 'accepted', version: resource.version });
  }

  #restore(name: string): void {
    const entry = this.#entries.get(name);
    const kept = this.#parts.lastGood?.find(this.type.typeUrl, name);
    if (entry?.state.kind !== 'asked' || kept === undefined || this.#isUp) return;
    // Through the same door as everything from outside.
    const decoded = this.type.decode(kept.bytes);
    if ('errors' in decoded) return;
    entry.value = decoded.ok;
    entry.staleSinceMs = kept.sentMs;
    const since = new Date(kept.sentMs).toISOString();
    const message = `${shortName(this.type.typeUrl)} "${name}" is used as it was at ${since}: the control plane is away`;
    this.#parts.emit({ kind: 'warning', message });
    this.#step(name, entry, { kind: 'accepted', version: kept.version });
  }

  async #decode(bytes: Uint8Array, slices: Slices): Promise<Decoded<T>> {
    const run = this.type.steps(bytes);
    for (;;) {
      const step = run.next();
      if (step.done) return step.value;
      if (slices.isSpent()) await slices.next();
    }
  }

  /** The same warnings again (a push of something else in the resource) are not worth a second word. */
  #warn(name: string, entry: Entry<T>, warnings: readonly string[]): void {
    const before = new Set(entry.warnings);
    entry.warnings = warnings;
    if (before.size === new Set(warnings).size && warnings.every((message) => before.has(message))) return;
    this.warned += warnings.length;
    for (const message of warnings) {
      this.#parts.emit({ kind: 'xds-warning', typeUrl: this.type.typeUrl, resource: name, message });
    }
  }

  #held(): Set<string> {
    const held = new Set<string>();
    for (const [name, { state }] of this.#entries) if (state.kind === 'present') held.add(name);
    return held;
  }

  #gone(name: string): string {
    return `the control plane does not know ${shortName(this.type.typeUrl)} "${name}"`;
  }

  #stepAll(event: SubscriptionEvent): void {
    for (const [name, entry] of [...this.#entries]) this.#step(name, entry, event);
  }

  #stepName(name: string, event: SubscriptionEvent): void {
    const entry = this.#entries.get(name);
    if (entry) this.#step(name, entry, event);
  }

  #step(name: string, entry: Entry<T>, event: SubscriptionEvent): void {
    const [state, effects] = stepSubscription(entry.state, event);
    entry.state = state;
    if (state.kind === 'absent') this.#parts.lastGood?.drop(this.type.typeUrl, name);
    if (state.kind !== 'present') {
      entry.bytes = undefined;
      entry.value = undefined;
      entry.warnings = [];
    }
    for (const effect of effects) {
      if (effect === 'start-timers') this.#startTimers(name, entry);
      else if (effect === 'stop-timers') {
        entry.timer?.cancel();
        // What a cancelled timer closes over is as large as the resource's model.
        entry.timer = undefined;
      } else if (effect === 'tell-silent') {
        const reason = `the control plane has said nothing about ${shortName(this.type.typeUrl)} "${name}"`;
        for (const watcher of [...entry.watchers]) watcher.onSilent?.(reason);
      } else for (const watcher of [...entry.watchers]) tell(entry, watcher, effect);
    }
  }

  #startTimers(name: string, entry: Entry<T>): void {
    const { clock } = this.#parts;
    const silentMs = defaultOf('silentControlPlaneMs');
    const totalMs = defaultOf('resourceTimeoutMs');
    const reason = `${this.#gone(name)}: no answer for ${totalMs / 1000} s`;
    entry.timer = afterSockets(clock, silentMs, () => {
      entry.timer = afterSockets(clock, totalMs - silentMs, () => this.#step(name, entry, { kind: 'timeout', reason }));
      this.#step(name, entry, { kind: 'silent' });
    });
  }
}

function isUnchanged<T>(entry: Entry<T>, bytes: Uint8Array): boolean {
  if (entry.state.kind !== 'present' || entry.state.rejected !== undefined || entry.bytes === undefined) return false;
  return Buffer.compare(entry.bytes, bytes) === 0;
}

function tell<T>({ state, value }: Entry<T>, watcher: ResourceWatcher<T>, effect: SubscriptionEffect): void {
  if (effect === 'tell-resource' && state.kind === 'present' && value !== undefined) {
    watcher.onResource(value, state.version);
  } else if (effect === 'tell-absent' && state.kind === 'absent') watcher.onAbsent(state.reason);
  else if (effect === 'tell-error' && state.kind === 'present') watcher.onError(state.rejected ?? '');
  else if (effect === 'tell-error' && state.kind === 'rejected') watcher.onError(state.reason);
}

/** Everything a late watcher missed. */
function tellState<T>(entry: Entry<T>, watcher: ResourceWatcher<T>): void {
  tell(entry, watcher, 'tell-resource');
  tell(entry, watcher, 'tell-absent');
  if (entry.state.kind === 'rejected' || (entry.state.kind === 'present' && entry.state.rejected !== undefined)) {
    tell(entry, watcher, 'tell-error');
  }
}

/** `type.googleapis.com/envoy.config.cluster.v3.Cluster` → `Cluster`. */
export const shortName = (typeUrl: string): string => typeUrl.slice(typeUrl.lastIndexOf('.') + 1);
