import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { SDK_VERSION } from '../bootstrap/version.ts';
import { holdProcess, type Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { ResourceType } from '../resource/resource-type.ts';
import { isLocalServer } from './backoff.ts';
import { type Connection, type ConnectionEffect, type ConnectionEvent, stepConnection } from './connection.ts';
import type { Discovery, DiscoveryOptions, DiscoveryStatus } from './discovery.ts';
import { Inbox } from './inbox.ts';
import { KeepAlive } from './keep-alive.ts';
import { createDelta } from './protocol/delta.ts';
import type { Dialect } from './protocol/dialect.ts';
import { nackText } from './protocol/nack.ts';
import { nodeMessage } from './protocol/node-description.ts';
import { createSotw } from './protocol/sotw.ts';
import { createSlices, type Slices, yieldTurn } from './slices.ts';
import type { AdsMethod, AdsStatus, AdsStream } from './transport.ts';
import { type ResourceWatcher, TypeBook } from './type-book.ts';

/** The shell around the two tables: it performs their effects and moves bytes between stream, dialect and books. */
export class AdsClient implements Discovery {
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
  #responses = 0;
  #nacks = 0;
  #isAway = false;
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
      counts: {
        responses: this.#responses,
        nacks: this.#nacks,
        warnings: [...this.#books.values()].reduce((sum, { warned }) => sum + warned, 0),
      },
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
    return this.#options.lastGood?.close() ?? Promise.resolve();
  }

  #book<T>(type: ResourceType<T>): TypeBook<T> {
    // The map is keyed by the type that made the book, so the book of `type` is a book of its T.
    const known = this.#books.get(type.typeUrl) as TypeBook<T> | undefined;
    if (known !== undefined) return known;
    const book = new TypeBook(type, this.#options);
    if (this.#connection.kind === 'up') book.streamUp();
    else if (this.#isAway) book.away();
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
        this.#isAway = false;
        emit({ kind: 'xds-connected', server: transport.server, protocol: this.#methodInUse() });
        for (const book of this.#books.values()) book.streamUp();
        for (const resolve of this.#waiters.splice(0)) resolve();
        return;
      case 'retry-after':
        emit({ kind: 'xds-disconnected', server: transport.server, reason: effect.reason, retryMs: effect.ms });
        this.#retry = clock.after(effect.ms, () => this.#step({ kind: 'retry' }));
        this.#missServer();
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
    // A server that takes long to connect to is as good as away.
    clock.after(defaultOf('silentControlPlaneMs'), () => {
      if (this.#stream === stream && this.#connection.kind === 'connecting') this.#missServer();
    });
    // One request at least: the server learns who we are even when nothing is asked for (self-registration).
    if (!this.#flush()) stream.send(this.#dialect.present());
  }

  #missServer(): void {
    this.#isAway = true;
    for (const book of this.#books.values()) book.away();
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
    // The next stream is told everything.
    for (const book of this.#books.values()) book.changedNames = undefined;
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
    const dialect = this.#dialect;
    if (dialect === undefined) return false;
    let sent = false;
    for (const [typeUrl, book] of this.#books) {
      // A look at all names is dear where there are thousands, and answers come by the thousand.
      if (book.isBusy || book.changedNames?.size === 0) continue;
      const request = dialect.subscribe(typeUrl, book.names, book.changedNames);
      book.changedNames = new Set();
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
    this.#responses += 1;
    if (errors.length > 0) this.#nacks += 1;
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
