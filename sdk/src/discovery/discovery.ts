import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { SDK_VERSION } from '../bootstrap/version.ts';
import { type Clock, holdProcess, type Random, type Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { EventSink } from '../model/events.ts';
import type { ResourceType } from '../resource/resource-type.ts';
import { isLocalServer } from './backoff.ts';
import { type Connection, type ConnectionEffect, type ConnectionEvent, stepConnection } from './connection.ts';
import { createDelta } from './delta.ts';
import type { Dialect } from './dialect.ts';
import { Inbox } from './inbox.ts';
import { KeepAlive } from './keep-alive.ts';
import { nackText } from './nack.ts';
import { type NodeDescription, nodeMessage } from './node-description.ts';
import { createSlices, type Slices, type YieldTurn, yieldTurn } from './slices.ts';
import { createSotw } from './sotw.ts';
import type { Subscription } from './subscription.ts';
import type { AdsMethod, AdsStatus, AdsStream, AdsTransport } from './transport.ts';
import { type ResourceWatcher, TypeBook } from './type-book.ts';

export type { ResourceWatcher } from './type-book.ts';

export interface DiscoveryOptions {
  readonly transport: AdsTransport;
  readonly node: NodeDescription;
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: EventSink;
  /** Forces a method; without it delta comes first and SotW when the server does not know delta. */
  readonly method?: AdsMethod;
  /** Gives the event loop to others between slices of a decode. */
  readonly turn?: YieldTurn;
  /** Keeps the process alive while `ref` holds. */
  readonly hold?: () => Timer;
}

export interface DiscoveryStatus {
  readonly server: string;
  readonly method: AdsMethod | undefined;
  readonly state: Connection['kind'];
  /** Why the stream is not up. */
  readonly reason: string | undefined;
  readonly resources: readonly { readonly typeUrl: string; readonly name: string; readonly state: Subscription }[];
}

/** The client's side of xDS towards one control plane: one stream, all types, no type known by name. */
export interface Discovery {
  /** Asks for a resource until the returned function is called. The watcher is never called from inside. */
  subscribe<T>(type: ResourceType<T>, name: string, watcher: ResourceWatcher<T>): () => void;
  /** Changes the node's metadata; a request that repeats the node tells the server at once. */
  setMetadata(key: string, value: JsonValue): void;
  /** Opens the stream without asking for anything. */
  connect(): void;
  /** Resolves once the server could be spoken to (again: at once while it can). Never rejects. */
  connected(): Promise<void>;
  status(): DiscoveryStatus;
  /** ms for which a control plane that was just reconnected to may still be learning what there is; 0 otherwise. */
  settlesInMs(): number;
  /** Counted: while any is held, the process stays alive. */
  ref(): void;
  unref(): void;
  /** Ends the stream; nothing is told afterwards. */
  close(): Promise<void>;
}

export function createDiscovery(options: DiscoveryOptions): Discovery {
  return new AdsClient(options);
}

class AdsClient implements Discovery {
  readonly #options: DiscoveryOptions;
  readonly #isLocal: boolean;
  #connection: Connection;
  #stream: AdsStream | undefined;
  #dialect: Dialect | undefined;
  #retry: Timer | undefined;
  #metadata: JsonObject = {};
  #revision = '';
  readonly #books = new Map<string, TypeBook<unknown>>();
  readonly #inbox: Inbox;
  #timesUp = 0;
  #isFlushing = false;
  readonly #keepAlive: KeepAlive;
  #waiters: (() => void)[] = [];

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#keepAlive = new KeepAlive(options.hold ?? holdProcess);
    const startSlices = () => createSlices(options.clock, options.turn ?? yieldTurn);
    this.#inbox = new Inbox(startSlices, (bytes, slices) => this.#take(bytes, slices));
    this.#isLocal = isLocalServer(options.transport.server);
    this.#connection = { kind: 'idle', method: options.method ?? 'delta' };
  }

  subscribe<T>(type: ResourceType<T>, name: string, watcher: ResourceWatcher<T>): () => void {
    const book = this.#book(type);
    book.subscribe(name, watcher);
    this.#wantFlush();
    return () => {
      book.unsubscribe(name, watcher);
      this.#wantFlush();
    };
  }

  setMetadata(key: string, value: JsonValue): void {
    this.#metadata = { ...this.#metadata, [key]: value };
    if (this.#dialect !== undefined) this.#stream?.send(this.#dialect.present());
    else this.#step({ kind: 'wanted' });
  }

  connect(): void {
    this.#step({ kind: 'wanted' });
  }

  connected(): Promise<void> {
    this.connect();
    if (this.#connection.kind === 'up') return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  status(): DiscoveryStatus {
    const connection = this.#connection;
    return {
      server: this.#options.transport.server,
      method: connection.kind === 'closed' ? undefined : connection.method,
      state: connection.kind,
      reason: connection.kind === 'waiting' ? connection.reason : undefined,
      resources: [...this.#books.values()].flatMap((book) =>
        [...book.describe()].map((entry) => ({ typeUrl: book.type.typeUrl, ...entry })),
      ),
    };
  }

  settlesInMs(): number {
    const connection = this.#connection;
    if (connection.kind !== 'up' || this.#timesUp < 2) return 0;
    return Math.max(0, connection.sinceMs + defaultOf('settleMs') - this.#options.clock.now());
  }

  ref(): void {
    this.#keepAlive.ref();
  }

  unref(): void {
    this.#keepAlive.unref();
  }

  close(): Promise<void> {
    this.#step({ kind: 'close' });
    for (const book of this.#books.values()) book.streamDown();
    this.#books.clear();
    this.#keepAlive.end();
    return Promise.resolve();
  }

  #book<T>(type: ResourceType<T>): TypeBook<T> {
    // The map is keyed by the type that made the book, so the book of `type` is a book of its T.
    const known = this.#books.get(type.typeUrl) as TypeBook<T> | undefined;
    if (known !== undefined) return known;
    const book = new TypeBook(type, this.#options);
    if (this.#connection.kind === 'up') book.streamUp();
    this.#books.set(type.typeUrl, book as TypeBook<unknown>);
    return book;
  }

  #step(event: ConnectionEvent): void {
    const { random, method } = this.#options;
    const rules = { isLocal: this.#isLocal, mayFallBack: method === undefined, random };
    const [state, effects] = stepConnection(this.#connection, event, rules);
    this.#connection = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: ConnectionEffect): void {
    const { emit, transport, clock } = this.#options;
    switch (effect.kind) {
      case 'open':
        this.#open(effect.method);
        return;
      case 'announce-up':
        this.#timesUp += 1;
        emit({ kind: 'xds-connected', server: transport.server, protocol: this.#methodInUse() });
        for (const book of this.#books.values()) book.streamUp();
        for (const resolve of this.#waiters.splice(0)) resolve();
        return;
      case 'retry-after':
        emit({ kind: 'xds-disconnected', server: transport.server, reason: effect.reason, retryMs: effect.ms });
        this.#retry = clock.after(effect.ms, () => this.#step({ kind: 'retry' }));
        return;
      case 'close-stream':
        this.#retry?.cancel();
        this.#stream?.close();
        this.#forgetStream();
    }
  }

  #open(method: AdsMethod): void {
    const { transport, clock } = this.#options;
    const node = () => this.#node();
    this.#dialect = method === 'delta' ? createDelta(node) : createSotw(node);
    const stream: AdsStream = transport.open(method, {
      opened: () => this.#stream === stream && this.#step({ kind: 'opened', nowMs: clock.now() }),
      message: (bytes) => this.#stream === stream && this.#receive(bytes),
      close: (status) => this.#stream === stream && this.#lost(status),
    });
    this.#stream = stream;
    this.#keepAlive.attach(stream);
    // One request at least: the server learns who we are even when nothing is asked for (self-registration).
    if (!this.#flush()) stream.send(this.#dialect.present());
  }

  #lost(status: AdsStatus): void {
    this.#forgetStream();
    for (const book of this.#books.values()) book.streamDown();
    this.#step({ kind: 'lost', status, nowMs: this.#options.clock.now() });
  }

  #forgetStream(): void {
    this.#stream = undefined;
    this.#keepAlive.attach(undefined);
    this.#dialect = undefined;
    this.#inbox.clear();
  }

  /** Several changes of mind in one turn become one request a type. */
  #wantFlush(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      if (this.#connection.kind === 'idle') this.#step({ kind: 'wanted' });
      else this.#flush();
    });
  }

  #flush(): boolean {
    let sent = false;
    for (const [typeUrl, book] of this.#books) {
      if (book.isBusy) continue;
      const request = this.#dialect?.subscribe(typeUrl, book.names);
      if (request === undefined) continue;
      this.#stream?.send(request);
      sent = true;
    }
    return sent;
  }

  #receive(bytes: Uint8Array): void {
    this.#step({ kind: 'message', nowMs: this.#options.clock.now() });
    if (!this.#inbox.push(bytes)) this.#drop({ code: 8, message: 'more responses than can be read' });
  }

  async #take(bytes: Uint8Array, slices: Slices): Promise<void> {
    const dialect = this.#dialect;
    if (dialect === undefined) return;
    let response: ReturnType<Dialect['read']>;
    try {
      response = dialect.read(bytes);
    } catch (error) {
      return this.#drop({ code: 13, message: `a response that cannot be read: ${String(error)}` });
    }
    if (response.revision !== '') this.#revision = response.revision;
    const book = this.#books.get(response.typeUrl);
    if (book === undefined) return;
    book.isBusy = true;
    const { names, errors } = await book.apply(response, slices);
    book.isBusy = false;
    this.#announce(response.typeUrl, names, errors);
    // A lost stream takes its nonces along; what was good of its last response stays.
    if (this.#dialect === dialect) {
      this.#stream?.send(dialect.answer(response, book.names, errors.length > 0 ? nackText(errors) : undefined));
    }
    this.#flush();
  }

  #announce(typeUrl: string, names: readonly string[], errors: readonly string[]): void {
    const { emit } = this.#options;
    if (errors.length > 0) emit({ kind: 'xds-nack', typeUrl, errors });
    else emit({ kind: 'xds-ack', typeUrl, resources: names });
  }

  /** Gives the stream up from our side. */
  #drop(status: AdsStatus): void {
    this.#stream?.close();
    this.#lost(status);
  }

  #methodInUse(): AdsMethod {
    return this.#connection.kind === 'closed' ? 'delta' : this.#connection.method;
  }

  #node() {
    // The server's own word for the state we saw last: a replica that is behind waits for it before its first answer.
    const extra = this.#revision === '' ? this.#metadata : { ...this.#metadata, INMESH_REVISION: this.#revision };
    return nodeMessage(this.#options.node, extra, SDK_VERSION);
  }
}
