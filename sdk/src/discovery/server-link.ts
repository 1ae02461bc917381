import type { Clock, Random, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { EventSink } from '../model/events.ts';
import { isLocalServer } from './backoff.ts';
import { type Connection, type ConnectionEffect, type ConnectionEvent, stepConnection } from './connection.ts';
import { createDelta } from './protocol/delta.ts';
import type { AdsResponse, Dialect, Held, NodeSource } from './protocol/dialect.ts';
import { checkSize } from './protocol/response-size.ts';
import { createSotw } from './protocol/sotw.ts';
import type { AdsMethod, AdsStatus, AdsStream, AdsTransport } from './transport.ts';
import type { Origin } from './type-book.ts';

/** One control plane, and what its bootstrap entry says of it (`server_features`). */
export interface XdsServer {
  readonly transport: AdsTransport;
  readonly features?: ReadonlySet<string>;
}

/** More unread responses than this and the server is not talking to us but flooding us. */
const MOST_UNREAD = 256;

/** What runs out in such a time is asked for in one go. */
const TOGETHER_MS = 50;

export interface LinkParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly emit: EventSink;
  /** Forces a method; without it delta comes first and SotW when the server does not know delta. */
  readonly method: AdsMethod | undefined;
  /** `revision`: the server's own word for the state we saw last. */
  readonly node: (revision: string) => ReturnType<NodeSource>;
  readonly isWholeState: (typeUrl: string) => boolean;
  readonly on: LinkListener;
}

export interface LinkListener {
  /** What is asked of this server, by type. */
  wanted(link: ServerLink): Iterable<readonly [string, ReadonlyMap<string, Held>]>;
  /** The server can be spoken to; it was asked for all that is wanted. */
  up(link: ServerLink): void;
  /** It cannot be reached: refused, silent while connecting, or a stream that brought nothing. */
  missed(link: ServerLink): void;
  lost(link: ServerLink): void;
  /** Asked while it can be spoken to. */
  asked(link: ServerLink, typeUrl: string, names: Iterable<string>): void;
  stream(opened: AdsStream | undefined, closed: AdsStream | undefined): void;
  /** To be read in its turn, by `take`. */
  message(link: ServerLink, bytes: Uint8Array): void;
}

/** The stream to one server, kept up for as long as somebody listens: bytes in and out, nothing known of resources. */
export class ServerLink implements Origin {
  readonly server: string;
  readonly features: ReadonlySet<string>;
  connection: Connection;
  /** Times it came up, since the start. */
  timesUp = 0;
  /** The server can be spoken to. */
  isUp = false;
  /** It could not be reached when that was last tried. */
  isMissed = false;
  /** Of each type, what has run out and is to be asked for. */
  readonly #lapsed = new Map<string, Set<string>>();
  readonly #transport: AdsTransport;
  readonly #parts: LinkParts;
  readonly #isLocal: boolean;
  #stream: AdsStream | undefined;
  #dialect: Dialect | undefined;
  #retry: Timer | undefined;
  #revision = '';
  #unread = 0;
  readonly #givenUp = new WeakSet<Dialect>();
  /** Types of which a response is being read: what we want is told with its answer (a request now would carry a nonce too early). */
  readonly #busy = new Set<string>();
  /** Names of each type that are wanted, or no longer, since the server was told; a type that is missing was told nothing. */
  readonly #changed = new Map<string, Set<string>>();

  constructor({ transport, features = new Set() }: XdsServer, parts: LinkParts) {
    this.#transport = transport;
    this.#parts = parts;
    this.server = transport.server;
    this.features = features;
    this.#isLocal = isLocalServer(transport.server);
    this.connection = { kind: 'idle', method: parts.method ?? 'delta' };
  }

  /** Opens the stream unless it is open, or on its way. */
  want(): void {
    this.#step({ kind: 'wanted' });
  }

  letGo(): void {
    this.#step({ kind: 'let-go' });
    this.isMissed = false;
  }

  close(): void {
    this.#step({ kind: 'close' });
  }

  /** The names are wanted, or no longer: told with the next `flush`. */
  change(typeUrl: string, names: Iterable<string>): void {
    const changed = this.#changed.get(typeUrl);
    if (changed !== undefined) for (const name of names) changed.add(name);
  }

  /** Tells the server who we are now. False when there is no stream to tell it on. */
  present(): boolean {
    if (this.#dialect === undefined) return false;
    this.#stream?.send(this.#dialect.present());
    return true;
  }

  /** Has a resource sent again that we were told and no longer hold. */
  askAgain(typeUrl: string, name: string): void {
    const known = this.#lapsed.get(typeUrl);
    if (known !== undefined) {
      known.add(name);
      return;
    }
    const names = new Set([name]);
    this.#lapsed.set(typeUrl, names);
    // Thousands run out in one moment where a server falls silent, and over SotW a request names all that is wanted.
    this.#parts.clock.after(TOGETHER_MS, () => {
      this.#lapsed.delete(typeUrl);
      for (const request of this.#dialect?.again(typeUrl, names) ?? []) this.#stream?.send(request);
    });
  }

  /** Tells the server what is wanted. */
  flush(): boolean {
    const dialect = this.#dialect;
    if (dialect === undefined) return false;
    let sent = false;
    for (const [typeUrl, names] of this.#parts.on.wanted(this)) {
      const changed = this.#changed.get(typeUrl);
      // A look at all names is dear where there are thousands, and answers come by the thousand.
      if (this.#busy.has(typeUrl) || changed?.size === 0) continue;
      const request = dialect.subscribe(typeUrl, names, changed);
      this.#changed.set(typeUrl, new Set());
      if (request !== undefined) {
        this.#stream?.send(request);
        sent = true;
      }
      // An answer may have told them already (SotW).
      if (this.isUp) this.#parts.on.asked(this, typeUrl, changed ?? names.keys());
    }
    return sent;
  }

  /**
   * Reads a message in its turn, with the state of the protocol when it came: what a stream brought before it was lost is
   * still good. undefined when it is no response, or came on a stream that was given up.
   */
  read(bytes: Uint8Array, dialect: Dialect | undefined): AdsResponse | undefined {
    this.#unread -= 1;
    if (dialect === undefined || this.#givenUp.has(dialect)) return undefined;
    try {
      checkSize(bytes);
      const response = dialect.read(bytes);
      if (response.revision !== '') this.#revision = response.revision;
      if (this.#dialect === dialect) this.#busy.add(response.typeUrl);
      return response;
    } catch (error) {
      if (this.#dialect === dialect)
        this.#drop({
          code: 13,
          message: `a response that cannot be read: ${error instanceof Error ? error.message : String(error)}`,
        });
      return undefined;
    }
  }

  /** ACK, or NACK when `error` says what is wrong; and what changed meanwhile. */
  answer(response: AdsResponse, dialect: Dialect, error: string | undefined): void {
    // A lost stream takes its nonces along; what was good of its last response stays.
    if (this.#dialect !== dialect) return;
    this.#busy.delete(response.typeUrl);
    const names = [...this.#parts.on.wanted(this)].find(([typeUrl]) => typeUrl === response.typeUrl)?.[1];
    this.#stream?.send(dialect.answer(response, names ?? new Map(), error));
    this.flush();
  }

  /** The state of the protocol on the stream now; another one after each reconnect. */
  get dialect(): Dialect | undefined {
    return this.#dialect;
  }

  #step(event: ConnectionEvent): void {
    const { random, method } = this.#parts;
    const rules = { isLocal: this.#isLocal, mayFallBack: method === undefined, random };
    const [state, effects] = stepConnection(this.connection, event, rules);
    this.connection = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: ConnectionEffect): void {
    const { emit, clock, on } = this.#parts;
    switch (effect.kind) {
      case 'open':
        this.#open(effect.method);
        return;
      case 'announce-up':
        this.timesUp += 1;
        this.isUp = true;
        this.isMissed = false;
        emit({ kind: 'xds-connected', server: this.server, protocol: this.#methodInUse() });
        on.up(this);
        return;
      case 'retry-after':
        emit({ kind: 'xds-disconnected', server: this.server, reason: effect.reason, retryMs: effect.ms });
        this.#retry = clock.after(effect.ms, () => this.#step({ kind: 'retry' }));
        if (effect.isMissed) this.#miss();
        return;
      case 'close-stream':
        this.#retry?.cancel();
        this.#stream?.close();
        this.#forgetStream();
    }
  }

  #open(method: AdsMethod): void {
    const { clock, node } = this.#parts;
    const describe: NodeSource = () => node(this.#revision);
    const { server } = this;
    this.#dialect = method === 'delta' ? createDelta(describe, server) : createSotw(describe, this.#parts.isWholeState);
    const stream: AdsStream = this.#transport.open(method, {
      opened: () => this.#stream === stream && this.#step({ kind: 'opened', nowMs: clock.now() }),
      message: (bytes) => this.#stream === stream && this.#receive(bytes),
      close: (status) => this.#stream === stream && this.#lost(status),
    });
    this.#stream = stream;
    this.#parts.on.stream(stream, undefined);
    // A server that takes long to connect to is as good as away.
    clock.after(defaultOf('silentControlPlaneMs'), () => {
      if (this.#stream === stream && this.connection.kind === 'connecting') this.#miss();
    });
    // One request at least: the server learns who we are even when nothing is asked for (self-registration).
    if (!this.flush()) stream.send(this.#dialect.present());
  }

  #miss(): void {
    this.isMissed = true;
    this.#parts.on.missed(this);
  }

  #lost(status: AdsStatus): void {
    this.#forgetStream();
    this.#parts.on.lost(this);
    this.#step({ kind: 'lost', status, nowMs: this.#parts.clock.now() });
  }

  #forgetStream(): void {
    const before = this.#stream;
    this.#stream = undefined;
    this.#dialect = undefined;
    this.isUp = false;
    this.#busy.clear();
    // The next stream is told everything.
    this.#changed.clear();
    this.#parts.on.stream(undefined, before);
  }

  #receive(bytes: Uint8Array): void {
    this.#step({ kind: 'message', nowMs: this.#parts.clock.now() });
    this.#unread += 1;
    if (this.#unread > MOST_UNREAD) this.#drop({ code: 8, message: 'more responses than can be read' });
    this.#parts.on.message(this, bytes);
  }

  /** Gives the stream up from our side. */
  #drop(status: AdsStatus): void {
    if (this.#dialect !== undefined) this.#givenUp.add(this.#dialect);
    this.#stream?.close();
    this.#lost(status);
  }

  #methodInUse(): AdsMethod {
    return this.connection.kind === 'closed' ? 'delta' : this.connection.method;
  }
}
