import type { Clock } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { EventSink } from '../model/events.ts';
import { canonicalName } from '../model/resource-name.ts';
import { peekName } from '../resource/peek-name.ts';
import type { Decoded, ResourceType } from '../resource/resource-type.ts';
import { afterSockets } from '../wire/late-timer.ts';
import { Entry, type Refusal, type ResourceWatcher } from './entry.ts';
import type { LastGood } from './last-good.ts';
import type { AdsResponse, Held, ResourceFault, WireResource } from './protocol/dialect.ts';
import type { Slices } from './slices.ts';
import { type Subscription, type SubscriptionEvent, stepSubscription } from './subscription.ts';

export interface TypeBookParts {
  readonly clock: Clock;
  readonly emit: EventSink;
  readonly lastGood?: LastGood;
  /** What was held of it is too old and was dropped: it is to be asked for anew. */
  readonly expired: (typeUrl: string, name: string) => void;
}

export interface DescribedResource {
  readonly name: string;
  readonly state: Subscription;
  /** What its last good version asks for and does not get. */
  readonly warnings: readonly string[];
  /** Wall-clock time at which the version in use came. */
  readonly acceptedMs?: number;
  /** The newest version, where it was refused. */
  readonly refused?: Refusal;
  /** Wall-clock time at which it was sent, where it comes from the snapshot on disk and nobody has confirmed it yet. */
  readonly staleSinceMs?: number;
}

export interface Applied {
  readonly names: readonly string[];
  readonly errors: readonly string[];
}

/** Who says it, and how far data from there is to be believed (server_features, gRFC A53, A88). */
export interface Origin {
  readonly server: string;
  readonly features: ReadonlySet<string>;
}

/** Everything known and wanted of one resource type, whoever serves it. */
export class TypeBook<T> {
  readonly type: ResourceType<T>;
  readonly #entries = new Map<string, Entry<T>>();
  readonly #parts: TypeBookParts;
  #isUp = false;
  #isAway = false;
  /** Warnings given so far. */
  warned = 0;

  constructor(type: ResourceType<T>, parts: TypeBookParts) {
    this.type = type;
    this.#parts = parts;
  }

  get names(): ReadonlyMap<string, Held> {
    return this.#entries;
  }

  /** Something is asked for and nobody has said anything about it yet (gRFC A71). */
  get isWanting(): boolean {
    for (const { state } of this.#entries.values()) if (state.kind === 'asked' || state.kind === 'late') return true;
    return false;
  }

  /** True when the name is new. */
  subscribe(name: string, watcher: ResourceWatcher<T>): boolean {
    const known = this.#entries.get(name);
    const entry = known ?? new Entry<T>();
    entry.watchers = entry.watchers.concat(watcher);
    if (known !== undefined) {
      queueMicrotask(() => known.watchers.includes(watcher) && known.tellState(watcher));
      return false;
    }
    this.#entries.set(name, entry);
    if (this.#isAway && !this.#isUp) queueMicrotask(() => this.#restore(name));
    return true;
  }

  /** True when nobody wants the name any longer. */
  unsubscribe(name: string, watcher: ResourceWatcher<T>): boolean {
    const entry = this.#entries.get(name);
    if (entry === undefined) return false;
    entry.watchers = entry.watchers.filter((other) => other !== watcher);
    if (entry.watchers.length > 0) return false;
    entry.timer?.cancel();
    entry.life?.cancel();
    this.#entries.delete(name);
    return true;
  }

  streamUp(): void {
    this.#isUp = true;
    this.#isAway = false;
    // From here on the server tells what differs from the versions we name.
    for (const entry of this.#entries.values()) entry.staleSinceMs = undefined;
  }

  /** A server that can be spoken to was asked: from here on its silence means something (gRFC A57). */
  asked(names: Iterable<string>, { features }: Origin): void {
    const isSlowOne = features.has('resource_timer_is_transient_error');
    for (const name of names) {
      const entry = this.#entries.get(name);
      if (entry !== undefined) this.#step(name, entry, { kind: 'stream-up' }, isSlowOne);
    }
  }

  close(): void {
    this.streamDown();
    for (const { life } of this.#entries.values()) life?.cancel();
  }

  streamDown(): void {
    this.#isUp = false;
    for (const [name, entry] of [...this.#entries]) this.#step(name, entry, { kind: 'stream-down' });
  }

  /** No control plane can be reached: what was good when one last could is better than nothing. */
  away(): void {
    if (this.#isUp) return;
    this.#isAway = true;
    for (const name of [...this.#entries.keys()]) this.#restore(name);
  }

  /** Takes what is good of a response and says what is wrong with the rest (gRFC A46); nothing wrong: an ACK is due. */
  async apply(response: AdsResponse, slices: Slices, origin: Origin): Promise<Applied> {
    const errors: string[] = [];
    const names: string[] = [];
    // Only who is told everything must look at all that is held.
    const unanswered = response.isComplete ? response.answers.union(this.#heldFrom(origin.server)) : new Set<string>();
    let isComplete = response.isComplete;
    for (const [index, resource] of response.resources.entries()) {
      if (slices.isSpent()) await slices.next();
      const name = await this.#take(resource, { index, slices, errors, origin });
      names.push(name);
      unanswered.delete(name);
      // Without its name we cannot tell whose deletion an absence would be.
      if (name === '') isComplete = false;
    }
    const left = new Set([...response.removed.map(canonicalName), ...(isComplete ? unanswered : [])]);
    for (const { name, ttlMs } of response.renewed) {
      if (slices.isSpent()) await slices.next();
      const known = canonicalName(name);
      left.delete(known);
      this.#live(known, ttlMs);
    }
    // Each name once: whoever watches it hears of every word.
    const faults = new Map(response.errors.map((fault) => [canonicalName(fault.name), fault]));
    for (const [name, fault] of faults) {
      if (slices.isSpent()) await slices.next();
      left.delete(name);
      this.#fail(name, fault, origin);
    }
    for (const name of left) {
      if (slices.isSpent()) await slices.next();
      this.#remove(name, this.#gone(name), origin);
    }
    return { names, errors };
  }

  /** gRFC A88: a resource that the server names as not to be had; one that it does not know is gone. */
  #fail(name: string, { code, message }: ResourceFault, origin: Origin): void {
    if (code === NOT_FOUND) {
      const words = message === '' ? this.#gone(name) : `${this.#gone(name)}: ${message}`;
      this.#remove(name, words, origin);
      return;
    }
    const reason = `the control plane cannot give ${shortName(this.type.typeUrl)} "${name}": ${message || `code ${code}`}`;
    this.#spoil(name, '', reason, origin);
  }

  /** Something was heard of it: its time begins anew; it has none where `ttlMs` is left out. */
  #live(name: string, ttlMs: number | undefined): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    entry.life?.cancel();
    entry.life = undefined;
    if (ttlMs === undefined || entry.state.kind !== 'present') return;
    // What renews it may have come and not been read yet.
    entry.life = afterSockets(this.#parts.clock, ttlMs, () => {
      const what = `${shortName(this.type.typeUrl)} "${name}"`;
      this.#step(name, entry, {
        kind: 'removed',
        reason: `nothing was heard of ${what} in its time to live, ${ttlMs} ms`,
      });
      this.#parts.expired(this.type.typeUrl, name);
    });
  }

  *describe(): Generator<DescribedResource> {
    for (const [name, { state, warnings, staleSinceMs, acceptedMs, refused }] of this.#entries) {
      yield {
        name,
        state,
        warnings,
        ...(acceptedMs !== undefined && { acceptedMs }),
        ...(refused !== undefined && { refused }),
        ...(staleSinceMs !== undefined && { staleSinceMs }),
      };
    }
  }

  /** gRFC A53: a control plane that forgets what it served may be told from one that means it. */
  #remove(name: string, reason: string, { features }: Origin): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    if (entry.state.kind === 'present' && features.has('ignore_resource_deletion')) {
      const message = 'deleted by the control plane, and kept: ignore_resource_deletion (gRFC A53)';
      this.#parts.emit({ kind: 'xds-warning', typeUrl: this.type.typeUrl, resource: name, message });
    } else this.#step(name, entry, { kind: 'removed', reason });
  }

  /** gRFC A88: where data errors are to be failures, the last good version goes with the bad one. */
  #spoil(name: string, version: string, reason: string, { features }: Origin): void {
    const entry = this.#entries.get(name);
    if (entry === undefined) return;
    entry.refused = { version, atMs: this.#parts.clock.wallTime() };
    const isDropped = entry.state.kind === 'present' && features.has('fail_on_data_errors');
    this.#step(name, entry, isDropped ? { kind: 'removed', reason } : { kind: 'bad', reason });
  }

  async #take(resource: WireResource, { index, slices, errors, origin }: Taking): Promise<string> {
    const { typeUrl } = this.type;
    const name = canonicalName(resource.name || peekName(resource.bytes));
    if (resource.typeUrl !== typeUrl) {
      const reason = `type "${resource.typeUrl}", ${typeUrl} allowed`;
      errors.push(`${name || `resources[${index}]`}: ${reason}`);
      this.#spoil(name, resource.version, reason, origin);
      return name;
    }
    const entry = this.#entries.get(name);
    // Not (or no longer) wanted: neither an error nor worth decoding.
    if (name !== '' && entry === undefined) return name;
    if (entry?.isUnchanged(resource.bytes)) {
      entry.from = origin.server;
      this.#live(name, resource.ttlMs);
      return name;
    }
    const most = defaultOf('resourceBytes');
    const decoded =
      resource.bytes.length > most
        ? { errors: [`${resource.bytes.length} bytes, at most ${most} allowed`], name }
        : await this.#decode(resource.bytes, slices);
    this.#settle(name, resource, decoded, { errors, origin });
    return name;
  }

  #settle(name: string, resource: WireResource, decoded: Decoded<T>, { errors, origin }: Finding): void {
    const entry = this.#entries.get(name);
    if ('errors' in decoded) {
      const reason = decoded.errors.join('; ');
      errors.push(`${name || 'a resource without a readable name'}: ${reason}`);
      this.#spoil(name, resource.version, reason, origin);
      return;
    }
    if (entry === undefined) return;
    entry.value = decoded.ok;
    entry.from = origin.server;
    entry.staleSinceMs = undefined;
    entry.acceptedMs = this.#parts.clock.wallTime();
    entry.refused = undefined;
    entry.bytes = resource.repeats ? resource.bytes : undefined;
    this.#warn(name, entry, decoded.warnings);
    const { version, bytes } = resource;
    // What is to be forgotten without a control plane must not come back from a file.
    if (this.type.isKept && (decoded.holdsKey || resource.ttlMs !== undefined))
      this.#parts.lastGood?.drop(this.type.typeUrl, name);
    else if (this.type.isKept) {
      this.#parts.lastGood?.keep(this.type.typeUrl, name, { version, bytes, server: origin.server });
    }
    this.#step(name, entry, { kind: 'accepted', version });
    this.#live(name, resource.ttlMs);
  }

  #restore(name: string): void {
    const entry = this.#entries.get(name);
    const kept = this.#parts.lastGood?.find(this.type.typeUrl, name);
    if (entry?.state.kind !== 'asked' || kept === undefined || !this.type.isKept || this.#isUp) return;
    // Through the same door as everything from outside.
    const decoded = this.type.decode(kept.bytes);
    if ('errors' in decoded) {
      const subject = `${shortName(this.type.typeUrl)} "${name}"`;
      const message = `${subject} of the snapshot is not used: ${decoded.errors.join('; ')}`;
      this.#parts.emit({ kind: 'warning', message });
      return;
    }
    entry.value = decoded.ok;
    entry.from = kept.server;
    entry.staleSinceMs = kept.sentMs;
    entry.acceptedMs = kept.sentMs;
    this.#parts.emit({ kind: 'xds-stale', typeUrl: this.type.typeUrl, resource: name, sentMs: kept.sentMs });
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

  #heldFrom(server: string): Set<string> {
    const held = new Set<string>();
    for (const [name, { state, from }] of this.#entries)
      if (state.kind === 'present' && from === server) held.add(name);
    return held;
  }

  #gone(name: string): string {
    return `the control plane does not know ${shortName(this.type.typeUrl)} "${name}"`;
  }

  #step(name: string, entry: Entry<T>, event: SubscriptionEvent, isSlowOne = false): void {
    const [state, effects] = stepSubscription(entry.state, event);
    entry.state = state;
    if (state.kind === 'absent') this.#parts.lastGood?.drop(this.type.typeUrl, name);
    if (state.kind !== 'present') {
      entry.life?.cancel();
      entry.life = undefined;
      entry.bytes = undefined;
      entry.value = undefined;
      entry.warnings = [];
    }
    for (const effect of effects) {
      if (effect === 'start-timers') this.#startTimers(name, entry, isSlowOne);
      else if (effect === 'stop-timers') {
        entry.timer?.cancel();
        // What a cancelled timer closes over is as large as the resource's model.
        entry.timer = undefined;
      } else if (effect === 'tell-silent') {
        const reason = `the control plane has said nothing about ${shortName(this.type.typeUrl)} "${name}"`;
        for (const watcher of entry.watchers) watcher.onSilent?.(reason);
      } else for (const watcher of entry.watchers) entry.tell(watcher, effect);
    }
  }

  #startTimers(name: string, entry: Entry<T>, isTransient: boolean): void {
    const { clock } = this.#parts;
    const silentMs = defaultOf('silentControlPlaneMs');
    const totalMs = defaultOf(isTransient ? 'slowResourceTimeoutMs' : 'resourceTimeoutMs');
    const what = isTransient ? `${shortName(this.type.typeUrl)} "${name}"` : this.#gone(name);
    const reason = `${what}: no answer for ${totalMs / 1000} s`;
    const event: SubscriptionEvent = { kind: 'timeout', reason, isTransient };
    entry.timer = afterSockets(clock, silentMs, () => {
      entry.timer = afterSockets(clock, totalMs - silentMs, () => this.#step(name, entry, event));
      this.#step(name, entry, { kind: 'silent' });
    });
  }
}

/** google.rpc.Code NOT_FOUND. */
const NOT_FOUND = 5;

interface Finding {
  readonly errors: string[];
  readonly origin: Origin;
}

interface Taking extends Finding {
  readonly index: number;
  readonly slices: Slices;
}

/** `type.googleapis.com/envoy.config.cluster.v3.Cluster` → `Cluster`. */
const shortName = (typeUrl: string): string => typeUrl.slice(typeUrl.lastIndexOf('.') + 1);
