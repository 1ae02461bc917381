import { fromBinary } from '@bufbuild/protobuf';
import type { Node } from '@inmesh/sdk/internal/gen/core';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
} from '@inmesh/sdk/internal/gen/discovery';
import type { EncodedResource } from '../snapshot/encoded-resource.ts';
import type { Lookup } from '../snapshot/lookup.ts';
import { Acknowledgements, type TypeStatus } from './acknowledgements.ts';
import { type ClientIdentity, clientIdentity } from './client-identity.ts';
import { answerDelta, changeDelta, type DeltaSubscription, emptyDeltaSubscription } from './delta-subscription.ts';
import { deltaResponse, sotwResponse } from './response-bytes.ts';
import { answerSotw, changeSotw, emptySotwSubscription, type SotwSubscription } from './sotw-subscription.ts';
import { inPushOrder, isDroppedLast, isWhole } from './type-order.ts';

/** The wire below a session: grpc-js or the in-process transport. */
export interface Link {
  /** False when the peer is slow: the session then waits for `drained` and sends only the newest. */
  send(bytes: Buffer): boolean;
  end(code: number, message: string): void;
}

/** What a session reads and tells; one per server. */
export interface SessionHost {
  /** How a client's resources of a type are found, as they are when asked for. */
  lookup(identity: ClientIdentity, typeUrl: string): Lookup;
  /** The node of a stream became known or changed. */
  identified(session: Session, identity: ClientIdentity): void;
  /** The session has something to say: `serve` is wanted. */
  due(session: Session): void;
  /** A wildcard, a refused name, a fault in the metadata… */
  warn(session: Session, message: string): void;
  answered(session: Session, typeUrl: string, status: TypeStatus): void;
  readonly revision: () => string;
  readonly namesPerStream: number;
}

interface DeltaType {
  readonly subscription: DeltaSubscription;
  readonly book: Acknowledgements;
}

interface SotwType {
  readonly subscription: SotwSubscription<EncodedResource>;
  readonly book: Acknowledgements;
}

const INVALID_ARGUMENT = 3;
const WILDCARD = '*';

/** One ADS stream: requests in, responses out. Holds what the client holds; never a queue of what it has not read. */
export class Session {
  readonly #delta = new Map<string, DeltaType>();
  readonly #sotw = new Map<string, SotwType>();
  readonly #method: 'delta' | 'sotw';
  readonly #link: Link;
  readonly #host: SessionHost;
  /** By type, for the identity as it is. */
  readonly #lookups = new Map<string, Lookup>();
  /** Types that may have something to send. */
  readonly #due = new Set<string>();
  /** Types with something gone that the client is told last. */
  readonly #keeping = new Set<string>();
  #identity: ClientIdentity | undefined;
  #slow = false;
  #ended = false;

  constructor(method: 'delta' | 'sotw', link: Link, host: SessionHost) {
    this.#method = method;
    this.#link = link;
    this.#host = host;
  }

  get method(): 'delta' | 'sotw' {
    return this.#method;
  }

  get identity(): ClientIdentity | undefined {
    return this.#identity;
  }

  /** By type: what the client has said to the last response. */
  get statuses(): ReadonlyMap<string, TypeStatus> {
    return new Map([...this.#types()].map(([typeUrl, { book }]) => [typeUrl, book.status]));
  }

  /** By type: the names it subscribes to. */
  get names(): ReadonlyMap<string, readonly string[]> {
    if (this.#method === 'delta')
      return new Map([...this.#delta].map(([type, one]) => [type, [...one.subscription.held.keys()]]));
    return new Map([...this.#sotw].map(([type, one]) => [type, [...one.subscription.names]]));
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
    try {
      if (this.#method === 'delta') this.#receiveDelta(fromBinary(DeltaDiscoveryRequestSchema, bytes));
      else this.#receiveSotw(fromBinary(DiscoveryRequestSchema, bytes));
    } catch (error) {
      this.end(INVALID_ARGUMENT, `request cannot be read: ${error instanceof Error ? error.message : String(error)}`);
    }
  }

  /** There is a newer snapshot. */
  changed(): void {
    for (const typeUrl of this.#types().keys()) this.#owe(typeUrl);
  }

  /** Sends what is due, type by type in make-before-break order; a slow peer is told only the newest later. */
  serve(): void {
    for (const typeUrl of inPushOrder(this.#due)) {
      if (this.#slow || this.#ended) return;
      this.#due.delete(typeUrl);
      if (this.#answer(typeUrl, isDroppedLast(typeUrl))) this.#keeping.add(typeUrl);
    }
    for (const typeUrl of inPushOrder(this.#keeping)) {
      if (this.#slow || this.#ended) return;
      this.#keeping.delete(typeUrl);
      this.#answer(typeUrl, false);
    }
  }

  drained(): void {
    this.#slow = false;
    if (this.#due.size > 0 || this.#keeping.size > 0) this.#host.due(this);
  }

  end(code: number, message: string): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#link.end(code, message);
  }

  /** The peer is gone. */
  closed(): void {
    this.#ended = true;
  }

  #types(): ReadonlyMap<string, { readonly book: Acknowledgements }> {
    return this.#method === 'delta' ? this.#delta : this.#sotw;
  }

  #owe(typeUrl: string): void {
    this.#due.add(typeUrl);
    this.#host.due(this);
  }

  #identify(node: Node | undefined): boolean {
    if (node !== undefined) {
      const isKnown = this.#identity !== undefined;
      this.#identity = clientIdentity(node);
      this.#lookups.clear();
      for (const fault of this.#identity.faults) this.#warn(fault);
      this.#host.identified(this, this.#identity);
      // Other labels or another place may mean other resources.
      if (isKnown) this.changed();
    }
    if (this.#identity === undefined) this.end(INVALID_ARGUMENT, 'the first request of a stream must carry its node');
    return this.#identity !== undefined;
  }

  #receiveDelta(request: DeltaDiscoveryRequest): void {
    if (!this.#identify(request.node) || request.typeUrl === '') return;
    const { typeUrl } = request;
    let type = this.#delta.get(typeUrl);
    if (type === undefined) {
      type = { subscription: emptyDeltaSubscription(), book: new Acknowledgements() };
      this.#delta.set(typeUrl, type);
    }
    if (type.book.classify(request.responseNonce) === 'current') {
      this.#note(typeUrl, type.book, request.errorDetail?.message);
    }
    // The lists count whatever response the request speaks of: each says only what is new.
    const subscribe = this.#withoutWildcard(typeUrl, request.resourceNamesSubscribe);
    const change = {
      subscribe,
      unsubscribe: request.resourceNamesUnsubscribe,
      initialVersions: request.initialResourceVersions,
    };
    this.#refuse(typeUrl, changeDelta(type.subscription, change, this.#host.namesPerStream));
    if (subscribe.length > 0) this.#owe(typeUrl);
  }

  #receiveSotw(request: DiscoveryRequest): void {
    if (!this.#identify(request.node) || request.typeUrl === '') return;
    const { typeUrl } = request;
    let type = this.#sotw.get(typeUrl);
    const isFirst = type === undefined;
    if (type === undefined) {
      type = { subscription: emptySotwSubscription(), book: new Acknowledgements() };
      this.#sotw.set(typeUrl, type);
    }
    const about = type.book.classify(request.responseNonce);
    if (about === 'stale') return;
    // With another version than the one sent it is a change of mind from before that response was looked at.
    const isAnswer = request.errorDetail !== undefined || type.book.isSent(request.versionInfo);
    if (about === 'current' && isAnswer) this.#note(typeUrl, type.book, request.errorDetail?.message);
    const names = this.#withoutWildcard(typeUrl, request.resourceNames);
    this.#refuse(typeUrl, changeSotw(type.subscription, names, this.#host.namesPerStream));
    // Envoy's wildcard: nothing comes of it, and the client is told so instead of waiting for it.
    if (isFirst && names.length === 0 && isWhole(typeUrl)) {
      this.#warn(`${typeUrl}: asks for everything, only names are served`);
      type.subscription.owed = true;
    }
    this.#owe(typeUrl);
  }

  #withoutWildcard(typeUrl: string, names: readonly string[]): readonly string[] {
    if (!names.includes(WILDCARD)) return names;
    this.#warn(`${typeUrl}: asks for "${WILDCARD}", only names are served`);
    return names.filter((name) => name !== WILDCARD);
  }

  #note(typeUrl: string, book: Acknowledgements, refusal: string | undefined): void {
    if (book.answer(refusal)) this.#host.answered(this, typeUrl, book.status);
  }

  #refuse(typeUrl: string, names: readonly string[]): void {
    if (names.length === 0) return;
    this.#warn(`${typeUrl}: ${names.length} names refused, a stream may hold ${this.#host.namesPerStream}`);
  }

  #warn(message: string): void {
    this.#host.warn(this, `${this.#identity?.id ?? 'a client'}: ${message}`);
  }

  /** Sends what the client lacks of a type; true where something that is gone waits to be said. */
  #answer(typeUrl: string, keepsGone: boolean): boolean {
    if (this.#identity === undefined) return false;
    const resource = this.#lookups.get(typeUrl) ?? this.#host.lookup(this.#identity, typeUrl);
    this.#lookups.set(typeUrl, resource);
    const delta = this.#delta.get(typeUrl);
    if (delta !== undefined) {
      const { resources, removed, isKeeping } = answerDelta(delta.subscription, keepsGone, resource);
      if (resources.length + removed.length > 0) this.#sendDelta(typeUrl, delta.book, resources, removed);
      return isKeeping;
    }
    const sotw = this.#sotw.get(typeUrl);
    if (sotw === undefined) return false;
    const { resources, isKeeping } = answerSotw(sotw.subscription, { isWhole: isWhole(typeUrl), keepsGone }, resource);
    if (resources !== undefined) this.#sendSotw(typeUrl, sotw.book, resources);
    return isKeeping;
  }

  #sendDelta(
    typeUrl: string,
    book: Acknowledgements,
    resources: readonly EncodedResource[],
    removed: readonly string[],
  ): void {
    const version = this.#host.revision();
    const head = { version, typeUrl, nonce: book.send(version) };
    this.#send(
      deltaResponse(
        head,
        resources.map(({ deltaEntry }) => deltaEntry),
        removed,
      ),
    );
  }

  #sendSotw(typeUrl: string, book: Acknowledgements, resources: readonly EncodedResource[]): void {
    const version = this.#host.revision();
    const head = { version, typeUrl, nonce: book.send(version) };
    this.#send(
      sotwResponse(
        head,
        resources.map(({ sotwEntry }) => sotwEntry),
      ),
    );
  }

  #send(bytes: Buffer): void {
    if (!this.#link.send(bytes)) this.#slow = true;
  }
}
