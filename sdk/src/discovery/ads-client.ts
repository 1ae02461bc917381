import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { SDK_VERSION } from '../bootstrap/version.ts';
import { holdProcess } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { canonicalName, isXdstp, parseXdstp } from '../model/resource-name.ts';
import { peekName } from '../resource/peek-name.ts';
import type { ResourceType } from '../resource/resource-type.ts';
import { Authority, LinkUses } from './authority.ts';
import type { Discovery, DiscoveryOptions, DiscoveryStatus, ServerStatus } from './discovery.ts';
import type { ResourceWatcher } from './entry.ts';
import { Inbox } from './inbox.ts';
import { KeepAlive } from './keep-alive.ts';
import type { AdsResponse, Dialect, Held, WireResource } from './protocol/dialect.ts';
import { nackText } from './protocol/nack.ts';
import { nodeMessage } from './protocol/node-description.ts';
import { type LinkListener, ServerLink, type XdsServer } from './server-link.ts';
import { createSlices, type Slices, yieldTurn } from './slices.ts';
import type { AdsTransport } from './transport.ts';
import type { Applied } from './type-book.ts';

/** Names that are no xdstp names belong to the servers of the bootstrap's top level (gRFC A47). */
const TOP = '\u0000';

/** Authorities, their servers and what goes between them; one link a server, however many authorities it serves. */
export class AdsClient implements Discovery {
  readonly #options: DiscoveryOptions;
  readonly #authorities = new Map<string, Authority>();
  readonly #links = new Map<AdsTransport, ServerLink>();
  readonly #types = new Map<string, ResourceType<unknown>>();
  readonly #uses = new LinkUses();
  readonly #inbox: Inbox;
  readonly #keepAlive: KeepAlive;
  #metadata: JsonObject = {};
  #responses = 0;
  #nacks = 0;
  #isFlushing = false;
  #isClosed = false;
  #waiters: (() => void)[] = [];

  constructor(options: DiscoveryOptions) {
    this.#options = options;
    this.#keepAlive = new KeepAlive(options.hold ?? holdProcess);
    this.#inbox = new Inbox(() => createSlices(options.clock, options.turn ?? yieldTurn));
    this.#authorities.set(TOP, this.#createAuthority(options.servers, true));
    for (const [name, servers] of options.authorities ?? []) {
      this.#authorities.set(name, this.#createAuthority(servers, false));
    }
  }

  subscribe<T>(type: ResourceType<T>, given: string, watcher: ResourceWatcher<T>): () => void {
    const name = canonicalName(given);
    const authority = this.#authorityOf(name, type.typeUrl);
    if (typeof authority === 'string') return refuse(watcher, authority);
    this.#types.set(type.typeUrl, type);
    authority.subscribe(type, name, watcher);
    this.#wantFlush();
    return () => this.unsubscribe(type, given, watcher);
  }

  unsubscribe<T>(type: ResourceType<T>, given: string, watcher: ResourceWatcher<T>): void {
    const name = canonicalName(given);
    const authority = this.#authorityOf(name, type.typeUrl);
    if (typeof authority === 'string') return;
    authority.unsubscribe(type, name, watcher);
    this.#wantFlush();
  }

  setMetadata(key: string, value: JsonValue): void {
    this.#metadata = { ...this.#metadata, [key]: value };
    const told = [...this.#links.values()].filter((link) => link.present());
    if (told.length === 0) this.connect();
  }

  connect(): void {
    if (!this.#isClosed) this.#top.want();
  }

  connected(): Promise<void> {
    if (this.#top.links.some(({ isUp }) => isUp)) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiters.push(resolve);
      this.connect();
    });
  }

  status(): DiscoveryStatus {
    const connection = this.#top.active?.connection ?? { kind: 'closed' };
    const books = [...this.#authorities.values()].flatMap((authority) => [...authority.books.values()]);
    return {
      server: this.#top.active?.server ?? '',
      method: connection.kind === 'closed' ? undefined : connection.method,
      state: connection.kind,
      reason: connection.kind === 'waiting' ? connection.reason : undefined,
      servers: [...this.#authorities].flatMap(([name, authority]) => describeServers(name, authority)),
      node: this.#node(''),
      resources: books.flatMap((book) =>
        [...book.describe()].map((entry) => ({ typeUrl: book.type.typeUrl, ...entry })),
      ),
      counts: {
        responses: this.#responses,
        nacks: this.#nacks,
        warnings: books.reduce((sum, { warned }) => sum + warned, 0),
      },
    };
  }

  serverOf(name: string): string {
    const parsed = isXdstp(name) ? parseXdstp(name) : undefined;
    if (typeof parsed === 'string') return '';
    const authority = parsed === undefined ? this.#top : this.#authorities.get(parsed.authority);
    return authority?.active?.server ?? '';
  }

  settlesInMs(): number {
    const link = this.#top.active;
    const timesUp = [...this.#links.values()].reduce((sum, one) => sum + one.timesUp, 0);
    if (link?.connection.kind !== 'up' || timesUp < 2) return 0;
    return Math.max(0, link.connection.sinceMs + defaultOf('settleMs') - this.#options.clock.now());
  }

  ref(): void {
    this.#keepAlive.ref();
  }

  unref(): void {
    this.#keepAlive.unref();
  }

  close(): Promise<void> {
    this.#isClosed = true;
    for (const link of this.#links.values()) link.close();
    for (const authority of this.#authorities.values()) authority.close();
    this.#keepAlive.end();
    return this.#options.lastGood?.close() ?? Promise.resolve();
  }

  get #top(): Authority {
    const top = this.#authorities.get(TOP);
    if (top === undefined) throw new RangeError('there is always a top level');
    return top;
  }

  #createAuthority(servers: readonly XdsServer[], isTop: boolean): Authority {
    const { clock, emit, lastGood } = this.#options;
    return new Authority({
      links: servers.map((server) => this.#link(server)),
      uses: this.#uses,
      clock,
      emit,
      ...(lastGood && { lastGood }),
      // A registration is nothing that could be cached: a process is where it can say that it is there.
      isNeeded: () => isTop && (this.#waiters.length > 0 || Object.keys(this.#metadata).length > 0),
      later: (run) => this.#inbox.push(run),
    });
  }

  #link(server: XdsServer): ServerLink {
    const known = this.#links.get(server.transport);
    if (known !== undefined) return known;
    const { clock, random, emit, method } = this.#options;
    const link = new ServerLink(server, {
      clock,
      random,
      emit,
      method,
      node: (revision) => this.#node(revision),
      isWholeState: (typeUrl) => this.#types.get(typeUrl)?.isWholeState === true,
      on: this.#listener,
    });
    this.#links.set(server.transport, link);
    return link;
  }

  readonly #listener: LinkListener = {
    wanted: (link) => this.#wantedOf(link),
    up: (link) => {
      for (const authority of this.#uses.of(link)) authority.up(link);
      if (this.#uses.of(link).has(this.#top)) for (const resolve of this.#waiters.splice(0)) resolve();
    },
    missed: (link) => {
      for (const authority of this.#uses.of(link)) authority.missed(link);
    },
    lost: (link) => {
      for (const authority of this.#uses.of(link)) authority.lost(link);
    },
    asked: (link, typeUrl, names) => {
      for (const { books } of this.#uses.of(link)) books.get(typeUrl)?.asked(names, link);
    },
    stream: (opened, closed) => this.#keepAlive.replace(opened, closed),
    message: (link, bytes) => {
      const { dialect } = link;
      this.#inbox.push((slices) => this.#take(link, dialect, bytes, slices));
    },
  };

  /** The authority that has a name, or why there is none. */
  #authorityOf(name: string, typeUrl: string): Authority | string {
    if (!isXdstp(name)) return this.#top;
    const parsed = parseXdstp(name);
    if (typeof parsed === 'string') return parsed;
    const type = typeUrl.slice(typeUrl.indexOf('/') + 1);
    if (parsed.type !== type) return `"${name}" names a ${parsed.type}, ${type} is asked for`;
    const found = this.#authorities.get(parsed.authority);
    return found ?? `"${name}": the bootstrap has no authority "${parsed.authority}"`;
  }

  #wantedOf(link: ServerLink): Iterable<readonly [string, ReadonlyMap<string, Held>]> {
    const wanted = new Map<string, ReadonlyMap<string, Held>>();
    for (const { books } of this.#uses.of(link)) {
      for (const [typeUrl, book] of books) {
        const others = wanted.get(typeUrl);
        wanted.set(typeUrl, others === undefined ? book.names : new Map([...others, ...book.names]));
      }
    }
    return wanted;
  }

  /** Several changes of mind in one turn become one request a type. */
  #wantFlush(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    queueMicrotask(() => {
      this.#isFlushing = false;
      if (this.#isClosed) return;
      const asking = [...this.#authorities.values()].filter(({ books }) => books.size > 0);
      // All of them first: a server is then asked for everything in one request.
      for (const authority of asking) authority.enlist();
      for (const authority of asking) authority.want();
      for (const link of this.#links.values()) link.flush();
    });
  }

  async #take(link: ServerLink, dialect: Dialect | undefined, bytes: Uint8Array, slices: Slices): Promise<void> {
    const response = link.read(bytes, dialect);
    if (response === undefined || dialect === undefined) return;
    const taken = await this.#apply(link, response, slices);
    if (taken === undefined) return;
    this.#announce(response.typeUrl, taken);
    link.answer(response, dialect, taken.errors.length > 0 ? nackText(taken.errors) : undefined);
  }

  /** Each authority takes what is its own. undefined: nothing of this type is wanted. */
  async #apply(link: ServerLink, response: AdsResponse, slices: Slices): Promise<Applied | undefined> {
    const users = [...this.#uses.of(link)].filter(({ books }) => books.has(response.typeUrl));
    if (users.length === 1) return users[0]?.take(link, response, slices);
    if (users.length === 0) return undefined;
    const names: string[] = [];
    const errors: string[] = [];
    for (const user of users) {
      const part = this.#part(response, user);
      const told = part.resources.length + part.renewed.length + part.removed.length + part.errors.length;
      if (!part.isComplete && told === 0) continue;
      const taken = await user.take(link, part, slices);
      names.push(...(taken?.names ?? []));
      errors.push(...(taken?.errors ?? []));
    }
    return { names, errors };
  }

  #part(response: AdsResponse, user: Authority): AdsResponse {
    const isOwn = (name: string) => {
      const owner = this.#authorityOf(canonicalName(name), response.typeUrl);
      return (typeof owner === 'string' ? this.#top : owner) === user;
    };
    return {
      ...response,
      resources: response.resources.filter(({ name, bytes }: WireResource) => isOwn(name || peekName(bytes))),
      renewed: response.renewed.filter(({ name }) => isOwn(name)),
      removed: response.removed.filter(isOwn),
      errors: response.errors.filter(({ name }) => isOwn(name)),
      answers: new Set([...response.answers].filter(isOwn)),
    };
  }

  #announce(typeUrl: string, { names, errors }: Applied): void {
    const { emit } = this.#options;
    this.#responses += 1;
    if (errors.length > 0) this.#nacks += 1;
    if (errors.length > 0) emit({ kind: 'xds-nack', typeUrl, errors });
    else emit({ kind: 'xds-ack', typeUrl, resources: names });
  }

  #node(revision: string) {
    // The server's own word for the state we saw last: a replica that is behind waits for it before its first answer.
    const extra = revision === '' ? this.#metadata : { ...this.#metadata, INMESH_REVISION: revision };
    return nodeMessage(this.#options.node, extra, SDK_VERSION);
  }
}

function refuse(watcher: ResourceWatcher<never>, reason: string): () => void {
  let isOver = false;
  queueMicrotask(() => isOver || watcher.onError(reason));
  return () => {
    isOver = true;
  };
}

const describeServers = (name: string, { links, active }: Authority): ServerStatus[] =>
  links.map(({ server, connection }, rank) => ({
    server,
    ...(name !== TOP && { authority: name }),
    state: connection.kind,
    reason: connection.kind === 'waiting' ? connection.reason : undefined,
    isUsed: active === links[rank],
  }));
