import { fromBinary } from '@bufbuild/protobuf';
import type { Timer } from '@inmesh/sdk/internal/clock';
import type { Node } from '@inmesh/sdk/internal/gen/core';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
} from '@inmesh/sdk/internal/gen/discovery';
import type { TypeStatus } from './acknowledgements.ts';
import { Asker } from './asker.ts';
import type { ClientIdentity } from './client-identity.ts';
import { changeDelta } from './delta-subscription.ts';
import { LOCAL, type Peer } from './peer.ts';
import { Preparation } from './preparation.ts';
import { tooLarge } from './request-size.ts';
import type { ResourceFate } from './resource-ledger.ts';
import type { Link, SessionHost } from './session-host.ts';
import { changeSotw } from './sotw-subscription.ts';
import { DeltaType, SotwType, type SubscribedType } from './subscribed-type.ts';
import { TokenBucket } from './token-bucket.ts';
import { inPushOrder, isDroppedLast, isWhole } from './type-order.ts';

const INVALID_ARGUMENT = 3;
const PERMISSION_DENIED = 7;
const RESOURCE_EXHAUSTED = 8;
const WILDCARD = '*';

/** One resource that a client asks for. */
export interface SubscribedResource {
  readonly typeUrl: string;
  readonly name: string;
  /** That the client was told; undefined where it was told that there is none, or nothing yet. */
  readonly version: string | undefined;
  readonly fate: ResourceFate;
}

/** How a stream came to be. */
export interface StreamTerms {
  readonly peer?: Peer;
  readonly only?: string;
}

/** One ADS stream: requests in, responses out. Holds what the client holds; never a queue of what it has not read. */
export class Session {
  /** By type URL; a stream speaks one protocol. */
  readonly #delta = new Map<string, DeltaType>();
  readonly #sotw = new Map<string, SotwType>();
  readonly #method: 'delta' | 'sotw';
  readonly #link: Link;
  readonly #host: SessionHost;
  readonly #peer: Peer;
  readonly #only: string | undefined;
  readonly #bucket: TokenBucket;
  /** Types that may have something to send. */
  readonly #due = new Set<string>();
  readonly #preparation = new Preparation();
  /** Types with something gone that the client is told last. */
  readonly #keeping = new Set<string>();
  /** Unknown until the first request. */
  #asker: Asker | undefined;
  #pause: Timer | undefined;
  #throttled = 0;
  #slow = false;
  #ended = false;

  /** `only`: the stream is of a service of one type (SDS), whose requests need not name it. */
  constructor(method: 'delta' | 'sotw', link: Link, host: SessionHost, { peer = LOCAL, only }: StreamTerms = {}) {
    this.#method = method;
    this.#link = link;
    this.#host = host;
    this.#peer = peer;
    this.#only = only;
    this.#bucket = new TokenBucket(host.limits.names, host.clock.now());
  }

  get method(): 'delta' | 'sotw' {
    return this.#method;
  }

  get identity(): ClientIdentity | undefined {
    return this.#asker?.identity;
  }

  get peer(): Peer {
    return this.#peer;
  }

  /** The one type of a stream that is not ADS. */
  get only(): string | undefined {
    return this.#only;
  }

  /** As the client wrote it. */
  get node(): Node | undefined {
    return this.#asker?.node;
  }

  /** By type that it asks for: what the client has said to the last response. */
  get statuses(): ReadonlyMap<string, TypeStatus> {
    const asked = [...this.#types()].filter(([, { book, names }]) => book.count > 0 || names.size > 0);
    return new Map(asked.map(([typeUrl, { book }]) => [typeUrl, book.status]));
  }

  /** By type: the names it subscribes to. */
  get names(): ReadonlyMap<string, readonly string[]> {
    return new Map([...this.#types()].map(([typeUrl, { names }]) => [typeUrl, [...names.keys()]]));
  }

  /** Everything that it subscribes to, one by one. */
  *resources(): Generator<SubscribedResource> {
    for (const [typeUrl, type] of this.#types()) {
      for (const name of type.names.keys())
        yield { typeUrl, name, version: type.version(name), fate: type.ledger.fate(name) };
    }
  }

  /** Nothing is left to send and everything sent was answered. */
  get isSettled(): boolean {
    if (this.#ended) return true;
    if (this.#due.size > 0 || this.#keeping.size > 0) return false;
    for (const { book } of this.#types().values()) if (book.status.kind === 'STALE') return false;
    return true;
  }

  receive(bytes: Uint8Array): void {
    if (this.#ended) return;
    // A transport that can tell the length from the frame has refused what is too long before it held the bytes.
    const excess = tooLarge(bytes, this.#method, this.#host.limits);
    if (excess !== undefined) {
      this.end(RESOURCE_EXHAUSTED, `request: ${excess}`);
      return;
    }
    try {
      if (this.#method === 'delta') this.#receiveDelta(fromBinary(DeltaDiscoveryRequestSchema, bytes));
      else this.#receiveSotw(fromBinary(DiscoveryRequestSchema, bytes));
    } catch (error) {
      this.end(INVALID_ARGUMENT, `request cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** There is a newer snapshot; or something newer of this type alone. */
  changed(only?: string): void {
    for (const typeUrl of this.#types().keys()) if (only === undefined || only === typeUrl) this.#owe(typeUrl);
  }

  /** Other labels may mean other resources. */
  podsChanged(): void {
    if (this.#ended || this.#asker?.relabel() !== true) return;
    this.#host.identified(this, this.#asker.identity);
    this.changed();
  }

  /**
   * Sends what is due, type by type in make-before-break order; a slow peer is told only the newest later. False: the time is
   * up, and there is more to do.
   */
  serve(isTimeUp: () => boolean = () => false): boolean {
    for (const typeUrl of inPushOrder(this.#due)) {
      if (this.#slow || this.#ended) return true;
      if (!this.#prepare(typeUrl, isTimeUp)) return false;
      this.#due.delete(typeUrl);
      if (this.#answer(typeUrl, isDroppedLast(typeUrl))) this.#keeping.add(typeUrl);
    }
    for (const typeUrl of inPushOrder(this.#keeping)) {
      if (this.#slow || this.#ended) return true;
      this.#keeping.delete(typeUrl);
      this.#answer(typeUrl, false);
    }
    return true;
  }

  /** Renews the time to live of what the client has of a type. */
  renew(typeUrl: string): void {
    const type = this.#types().get(typeUrl);
    const ttlMs = this.#asker?.ttlMs(typeUrl);
    if (type === undefined || ttlMs === undefined || this.#slow || this.#ended) return;
    const renewal = type.renew(ttlMs, this.#host.revision());
    if (renewal === undefined) return;
    const { version } = renewal;
    if (!this.#link.send(renewal.write({ version, typeUrl, nonce: type.book.repeat() }))) this.#slow = true;
  }

  drained(): void {
    this.#slow = false;
    if (this.#due.size > 0 || this.#keeping.size > 0) this.#host.due(this);
  }

  end(code: number, message: string): void {
    if (this.#ended) return;
    this.closed();
    this.#link.end(code, message);
  }

  /** The peer is gone. */
  closed(): void {
    this.#ended = true;
    this.#pause?.cancel();
  }

  #types(): ReadonlyMap<string, SubscribedType> {
    return this.#method === 'delta' ? this.#delta : this.#sotw;
  }

  #owe(typeUrl: string): void {
    this.#due.add(typeUrl);
    this.#host.due(this);
  }

  #identify(node: Node | undefined): boolean {
    if (node !== undefined) {
      const asker = new Asker(node, this.#method, this.#peer, this.#host);
      const { conflict, faults } = asker.identity;
      if (conflict !== undefined) {
        this.end(PERMISSION_DENIED, conflict);
        return false;
      }
      const isKnown = this.#asker !== undefined;
      this.#asker = asker;
      for (const fault of faults) this.#warn(fault);
      this.#host.identified(this, asker.identity);
      // Other labels or another place may mean other resources.
      if (isKnown) this.changed();
    }
    if (this.#asker === undefined) this.end(INVALID_ARGUMENT, 'the first request of a stream must carry its node');
    return this.#asker !== undefined;
  }

  /** Empty where the request is of no further use. */
  #typeOf({ node, typeUrl }: { readonly node?: Node | undefined; readonly typeUrl: string }): string {
    if (!this.#identify(node)) return '';
    if (this.#only === undefined || typeUrl === this.#only) return typeUrl;
    if (typeUrl === '') return this.#only;
    this.end(INVALID_ARGUMENT, `type_url: got "${typeUrl.slice(0, 200)}", this service has ${this.#only}`);
    return '';
  }

  #receiveDelta(request: DeltaDiscoveryRequest): void {
    const typeUrl = this.#typeOf(request);
    if (typeUrl === '') return;
    const type = this.#delta.get(typeUrl) ?? this.#begin(this.#delta, typeUrl, new DeltaType());
    if (type === undefined) return;
    this.#hear(typeUrl, type, request.responseNonce, request.errorDetail?.message);
    // The lists count whatever response the request speaks of: each says only what is new.
    const subscribe = this.#served(typeUrl, request.resourceNamesSubscribe);
    const change = {
      subscribe,
      unsubscribe: request.resourceNamesUnsubscribe,
      initialVersions: request.initialResourceVersions,
    };
    this.#refuse(typeUrl, changeDelta(type.subscription, change, this.#roomFor(type)));
    if (subscribe.length > 0) this.#owe(typeUrl);
    this.#charge(subscribe.length + request.resourceNamesUnsubscribe.length);
  }

  #receiveSotw(request: DiscoveryRequest): void {
    const typeUrl = this.#typeOf(request);
    if (typeUrl === '') return;
    const isFirst = !this.#sotw.has(typeUrl);
    const type = this.#sotw.get(typeUrl) ?? this.#begin(this.#sotw, typeUrl, new SotwType(request.versionInfo !== ''));
    if (type === undefined) return;
    const about = type.book.classify(request.responseNonce);
    if (about === 'stale') {
      this.#charge(0);
      return;
    }
    // With another version than the one sent it is a change of mind from before that response was looked at.
    const isAnswer = request.errorDetail !== undefined || type.book.isSent(request.versionInfo);
    if (about === 'current' && isAnswer) this.#hear(typeUrl, type, request.responseNonce, request.errorDetail?.message);
    const names = this.#served(typeUrl, request.resourceNames);
    const fresh = names.filter((name) => !type.names.has(name)).length;
    this.#refuse(typeUrl, changeSotw(type.subscription, names, this.#roomFor(type)));
    // Envoy's wildcard: nothing comes of it, and the client is told so instead of waiting for it.
    if (isFirst && names.length === 0 && isWhole(typeUrl)) {
      this.#warn(`${typeUrl}: asks for everything, only names are served`);
      type.subscription.owed = true;
    }
    this.#owe(typeUrl);
    this.#charge(fresh);
  }

  #begin<T>(types: Map<string, T>, typeUrl: string, type: T): T | undefined {
    if (types.size < this.#host.limits.typesPerStream) {
      types.set(typeUrl, type);
      return type;
    }
    this.#warn(`${typeUrl.slice(0, 200)}: not served, a stream may ask for ${types.size} types`);
    this.#charge(1);
    return undefined;
  }

  /** Names beyond what a stream may hold of all types together are refused. */
  #roomFor(type: SubscribedType): number {
    let others = 0;
    for (const one of this.#types().values()) if (one !== type) others += one.names.size;
    return Math.max(0, this.#host.limits.namesPerStream - others);
  }

  /** Whoever asks faster than the limit is read more slowly; what it has asked for is answered, and nobody else waits. */
  #charge(names: number): void {
    const { clock } = this.#host;
    const waitMs = this.#bucket.spend(names + 1, clock.now());
    if (waitMs === 0 || this.#pause !== undefined || this.#ended) return;
    this.#throttled++;
    this.#host.throttled(this, waitMs, this.#throttled);
    this.#link.pause();
    this.#pause = clock.after(waitMs, () => {
      this.#pause = undefined;
      this.#link.resume();
    });
  }

  /** Without wildcards, and without names that no resource can have. */
  #served(typeUrl: string, names: readonly string[]): readonly string[] {
    if (names.includes(WILDCARD)) this.#warn(`${typeUrl}: asks for "${WILDCARD}", only names are served`);
    const longest = this.#host.limits.nameLength;
    const served = names.filter((name) => name !== WILDCARD && name.length <= longest);
    const long = names.find((name) => name.length > longest);
    if (long !== undefined)
      this.#warn(`${typeUrl}: "${long.slice(0, 64)}…" refused, a name may have ${longest} characters`);
    return served;
  }

  /** An older response than the last one counts for its resources only. */
  #hear(typeUrl: string, { book, ledger }: SubscribedType, nonce: string, said: string | undefined): void {
    if (nonce === '') return;
    const reason = said?.slice(0, this.#host.limits.reasonLength);
    ledger.answer(
      book.numberOf(nonce),
      reason === undefined ? undefined : { reason, atMs: this.#host.clock.wallTime() },
    );
    if (book.classify(nonce) === 'current' && book.answer(reason)) this.#host.answered(this, typeUrl, book.status);
  }

  #refuse(typeUrl: string, count: number): void {
    if (count === 0) return;
    this.#host.refused(count);
    this.#warn(`${typeUrl}: ${count} names refused, a stream may hold ${this.#host.limits.namesPerStream}`);
  }

  #warn(message: string): void {
    this.#host.warn(this, `${this.identity?.id ?? 'a client'}: ${message}`);
  }

  #prepare(typeUrl: string, isTimeUp: () => boolean): boolean {
    const names = this.#types().get(typeUrl)?.names;
    if (this.#asker === undefined || names === undefined) return true;
    return this.#preparation.step(typeUrl, names, this.#asker.lookup(typeUrl), isTimeUp);
  }

  /** Sends what the client lacks of a type; true where something that is gone waits to be said. */
  #answer(typeUrl: string, keepsGone: boolean): boolean {
    const asker = this.#asker;
    const type = this.#types().get(typeUrl);
    if (asker === undefined || type === undefined) return false;
    const shape = { isWhole: isWhole(typeUrl), keepsGone, style: asker.style(typeUrl) };
    const { write, names, isKeeping } = type.answer(shape, asker.find(typeUrl));
    if (write === undefined) return isKeeping;
    const version = this.#host.revision();
    const nonce = type.book.send(version);
    type.ledger.send(names, { number: type.book.count, atMs: this.#host.clock.wallTime() }, type.names);
    if (!this.#link.send(write({ version, typeUrl, nonce }))) this.#slow = true;
    return isKeeping;
  }
}
