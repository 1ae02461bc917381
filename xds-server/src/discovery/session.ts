import { fromBinary } from '@bufbuild/protobuf';
import type { Node } from '@inmesh/sdk/internal/gen/core';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
} from '@inmesh/sdk/internal/gen/discovery';
import type { EncodedResource } from '../snapshot/encoded-resource.ts';
import { Acknowledgements, type TypeStatus } from './acknowledgements.ts';
import { type ClientIdentity, clientIdentity } from './client-identity.ts';
import { answerDelta, changeDelta, type DeltaSubscription, emptyDeltaSubscription } from './delta-subscription.ts';
import { deltaResponse, sotwResponse } from './response-bytes.ts';
import { answerSotw, changeSotw, emptySotwSubscription, type SotwSubscription } from './sotw-subscription.ts';
import { isWhole, PUSH_ORDER } from './type-order.ts';

/** The wire below a session: grpc-js or the in-process transport. */
export interface Link {
  /** False when the peer is slow: the session then waits for `drained` and sends only the newest. */
  send(bytes: Buffer): boolean;
  end(code: number, message: string): void;
}

/** What a session reads and tells; one per server. */
export interface SessionHost {
  resource(identity: ClientIdentity, typeUrl: string, name: string): EncodedResource | undefined;
  /** The node of a stream became known or changed. */
  identified(session: Session, identity: ClientIdentity): void;
  /** A type was asked for that no snapshot holds, an emptied wildcard, a refused name… */
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
  readonly subscription: SotwSubscription;
  readonly book: Acknowledgements;
}

const INVALID_ARGUMENT = 3;

/** One ADS stream: requests in, responses out. Holds what the client holds; never a queue of what it has not read. */
export class Session {
  readonly #delta = new Map<string, DeltaType>();
  readonly #sotw = new Map<string, SotwType>();
  readonly #method: 'delta' | 'sotw';
  readonly #link: Link;
  readonly #host: SessionHost;
  #identity: ClientIdentity | undefined;
  #slow = false;
  #behind = false;
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
    const types = this.#method === 'delta' ? this.#delta : this.#sotw;
    return new Map([...types].map(([typeUrl, { book }]) => [typeUrl, book.status]));
  }

  /** By type: the names it subscribes to. */
  get names(): ReadonlyMap<string, readonly string[]> {
    if (this.#method === 'delta') return new Map([...this.#delta].map(([type, { subscription }]) => [type, [...subscription.held.keys()]]));
    return new Map([...this.#sotw].map(([type, { subscription }]) => [type, [...subscription.names]]));
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

  /** Sends what changed, type by type in make-before-break order; a slow peer is told only the newest later. */
  push(): void {
    if (this.#ended || this.#identity === undefined) return;
    if (this.#slow) {
      this.#behind = true;
      return;
    }
    const types = this.#method === 'delta' ? this.#delta : this.#sotw;
    for (const typeUrl of PUSH_ORDER) if (types.has(typeUrl)) this.#answer(typeUrl);
    for (const typeUrl of types.keys()) if (!PUSH_ORDER.includes(typeUrl)) this.#answer(typeUrl);
  }

  drained(): void {
    this.#slow = false;
    if (!this.#behind) return;
    this.#behind = false;
    this.push();
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

  #identify(node: Node | undefined): boolean {
    if (node !== undefined) {
      this.#identity = clientIdentity(node);
      for (const fault of this.#identity.faults) this.#host.warn(this, `node ${this.#identity.id}: ${fault}`);
      this.#host.identified(this, this.#identity);
    }
    if (this.#identity === undefined) this.end(INVALID_ARGUMENT, 'the first request of a stream must carry its node');
    return this.#identity !== undefined;
  }

  #receiveDelta(request: DeltaDiscoveryRequest): void {
    if (!this.#identify(request.node) || request.typeUrl === '') return;
    const { typeUrl } = request;
    const type = this.#deltaType(typeUrl);
    this.#note(typeUrl, type.book, request.responseNonce, request.errorDetail?.message);
    const subscribe = request.resourceNamesSubscribe.filter((name) => name !== '*');
    if (subscribe.length < request.resourceNamesSubscribe.length) this.#host.warn(this, `${typeUrl}: "*" is not served, names are`);
    const change = { subscribe, unsubscribe: request.resourceNamesUnsubscribe, initialVersions: request.initialResourceVersions };
    this.#refuse(typeUrl, changeDelta(type.subscription, change, this.#host.namesPerStream));
    if (subscribe.length > 0) this.#answer(typeUrl);
  }

  #receiveSotw(request: DiscoveryRequest): void {
    if (!this.#identify(request.node) || request.typeUrl === '') return;
    const { typeUrl } = request;
    let type = this.#sotw.get(typeUrl);
    if (type === undefined) {
      type = { subscription: emptySotwSubscription(), book: new Acknowledgements() };
      this.#sotw.set(typeUrl, type);
    }
    if (!this.#note(typeUrl, type.book, request.responseNonce, request.errorDetail?.message)) return;
    this.#refuse(typeUrl, changeSotw(type.subscription, request.resourceNames, this.#host.namesPerStream));
    this.#answer(typeUrl);
  }

  #deltaType(typeUrl: string): DeltaType {
    let type = this.#delta.get(typeUrl);
    if (type === undefined) {
      type = { subscription: emptyDeltaSubscription(), book: new Acknowledgements() };
      this.#delta.set(typeUrl, type);
    }
    return type;
  }

  /** Books an ACK or NACK; false where the request speaks of an overtaken response. */
  #note(typeUrl: string, book: Acknowledgements, nonce: string, refusal: string | undefined): boolean {
    const about = book.classify(nonce);
    if (about === 'current') {
      book.answer(refusal);
      this.#host.answered(this, typeUrl, book.status);
    }
    return about !== 'stale';
  }

  #refuse(typeUrl: string, names: readonly string[]): void {
    if (names.length === 0) return;
    this.#host.warn(this, `${typeUrl}: ${names.length} names refused, a stream may hold ${this.#host.namesPerStream}`);
  }

  #answer(typeUrl: string): void {
    if (this.#slow) {
      this.#behind = true;
      return;
    }
    if (this.#method === 'delta') this.#answerDelta(typeUrl, this.#delta.get(typeUrl));
    else this.#answerSotw(typeUrl, this.#sotw.get(typeUrl));
  }

  #answerDelta(typeUrl: string, type: DeltaType | undefined): void {
    const identity = this.#identity;
    if (type === undefined || identity === undefined) return;
    const { resources, removed } = answerDelta(type.subscription, (name) => this.#host.resource(identity, typeUrl, name));
    if (resources.length === 0 && removed.length === 0) return;
    const version = this.#host.revision();
    const nonce = type.book.send(version);
    this.#send(deltaResponse({ version, typeUrl, nonce }, resources.map(({ deltaEntry }) => deltaEntry), removed));
  }

  #answerSotw(typeUrl: string, type: SotwType | undefined): void {
    const identity = this.#identity;
    if (type === undefined || identity === undefined) return;
    const resources = answerSotw(type.subscription, isWhole(typeUrl), (name) => this.#host.resource(identity, typeUrl, name));
    if (resources === undefined) return;
    const version = this.#host.revision();
    const nonce = type.book.send(version);
    this.#send(sotwResponse({ version, typeUrl, nonce }, resources.map(({ sotwEntry }) => sotwEntry)));
  }

  #send(bytes: Buffer): void {
    if (!this.#link.send(bytes)) this.#slow = true;
  }
}
