import type { Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { ResourceType } from '../resource/resource-type.ts';
import { afterSockets } from '../wire/late-timer.ts';
import type { ResourceWatcher } from './entry.ts';
import type { AdsResponse } from './protocol/dialect.ts';
import { FIRST, type RankEffect, type RankEvent, type Ranks, stepRanks } from './ranks.ts';
import type { ServerLink } from './server-link.ts';
import type { Slices } from './slices.ts';
import { type Applied, TypeBook, type TypeBookParts } from './type-book.ts';

export interface AuthorityParts extends Omit<TypeBookParts, 'expired'> {
  /** In order of preference; a link may serve several authorities. */
  readonly links: readonly ServerLink[];
  readonly uses: LinkUses;
  /** Something that no server but the one we speak to can give is waited for (a registration, a first word). */
  readonly isNeeded: () => boolean;
  /** Does `run` in its turn among the responses. */
  readonly later: (run: (slices: Slices) => Promise<void>) => void;
}

/** Who listens to which server: one that serves several authorities has one stream (gRFC A47). */
export class LinkUses {
  readonly #users = new Map<ServerLink, Set<Authority>>();

  of(link: ServerLink): ReadonlySet<Authority> {
    return this.#users.get(link) ?? new Set();
  }

  add(link: ServerLink, user: Authority): void {
    const users = this.#users.get(link) ?? new Set();
    this.#users.set(link, users.add(user));
  }

  remove(link: ServerLink, user: Authority): void {
    this.#users.get(link)?.delete(user);
  }
}

interface Learning {
  readonly heard: AdsResponse[];
  readonly timer: Timer;
}

/** What is known and wanted of the names of one authority, and which of its servers is listened to. */
export class Authority {
  readonly books = new Map<string, TypeBook<unknown>>();
  readonly #parts: AuthorityParts;
  #ranks: Ranks = FIRST;
  #isUp = false;
  /** Better servers that have answered, but named no resource yet. */
  readonly #learning = new Map<ServerLink, Learning>();

  constructor(parts: AuthorityParts) {
    this.#parts = parts;
  }

  /** The server that is listened to. */
  get active(): ServerLink | undefined {
    return this.#parts.links[this.#ranks.active];
  }

  get links(): readonly ServerLink[] {
    return this.#parts.links;
  }

  subscribe<T>(type: ResourceType<T>, name: string, watcher: ResourceWatcher<T>): void {
    if (this.#book(type).subscribe(name, watcher)) this.#change(type.typeUrl, [name]);
  }

  unsubscribe<T>(type: ResourceType<T>, name: string, watcher: ResourceWatcher<T>): void {
    if (this.#book(type).unsubscribe(name, watcher)) this.#change(type.typeUrl, [name]);
  }

  /** Has its names among what is asked of its servers. */
  enlist(): void {
    for (const link of this.#inUse()) this.#enlistWith(link);
  }

  /** Something is wanted: there is a stream for it, or one will be tried. */
  want(): void {
    this.enlist();
    for (const link of this.#inUse()) link.want();
    this.#step({ kind: 'wanted' });
  }

  up(link: ServerLink): void {
    const rank = this.#rankOf(link);
    if (rank === undefined) return;
    this.#step({ kind: 'up', rank });
    for (const book of this.books.values()) {
      if (!this.#isUp) book.streamUp();
      book.asked(book.names.keys(), link);
    }
    this.#isUp = true;
  }

  missed(link: ServerLink): void {
    const rank = this.#rankOf(link);
    if (rank !== undefined) this.#step({ kind: 'missed', rank });
  }

  lost(link: ServerLink): void {
    this.#forget(link);
    this.#checkUp();
  }

  /** Takes what a server says, when it is the one listened to; a better one takes its place by what it says. */
  async take(link: ServerLink, response: AdsResponse, slices: Slices): Promise<Applied | undefined> {
    const rank = this.#rankOf(link);
    if (rank === undefined) return undefined;
    if (rank < this.#ranks.active && response.resources.length === 0) {
      this.#hear(link, response);
      return { names: [], errors: [] };
    }
    await this.#switchTo(link, slices);
    return this.#apply(link, response, slices);
  }

  close(): void {
    for (const link of this.links) this.#forget(link);
    for (const book of this.books.values()) book.close();
    this.books.clear();
  }

  /**
   * A server that comes back and knows nothing at all may still be learning, as one that was just restarted; it is given
   * time to name something before all that the other one said is forgotten.
   */
  #hear(link: ServerLink, response: AdsResponse): void {
    const known = this.#learning.get(link);
    if (known !== undefined) {
      known.heard.push(response);
      return;
    }
    const { clock, later } = this.#parts;
    const believe = () => later((slices) => this.#switchTo(link, slices));
    this.#learning.set(link, { heard: [response], timer: afterSockets(clock, defaultOf('settleMs'), believe) });
  }

  async #switchTo(link: ServerLink, slices: Slices): Promise<void> {
    const rank = this.#rankOf(link);
    const heard = this.#learning.get(link)?.heard ?? [];
    this.#forget(link);
    if (rank === undefined || rank >= this.#ranks.active) return;
    this.#step({ kind: 'answered', rank });
    for (const response of heard) await this.#apply(link, response, slices);
  }

  #forget(link: ServerLink): void {
    this.#learning.get(link)?.timer.cancel();
    this.#learning.delete(link);
  }

  async #apply(link: ServerLink, response: AdsResponse, slices: Slices): Promise<Applied | undefined> {
    return await this.books.get(response.typeUrl)?.apply(response, slices, link);
  }

  #book<T>(type: ResourceType<T>): TypeBook<T> {
    // The map is keyed by the type that made the book, so the book of `type` is a book of its T.
    const known = this.books.get(type.typeUrl) as TypeBook<T> | undefined;
    if (known !== undefined) return known;
    const expired = (typeUrl: string, name: string) => {
      for (const link of this.#inUse()) link.askAgain(typeUrl, name);
    };
    const book = new TypeBook(type, { ...this.#parts, expired });
    if (this.#isUp) book.streamUp();
    else if (this.#isAway()) book.away();
    this.books.set(type.typeUrl, book as TypeBook<unknown>);
    return book;
  }

  #change(typeUrl: string, names: Iterable<string>): void {
    for (const link of this.#inUse()) link.change(typeUrl, names);
  }

  /** Every server was tried, in vain. */
  #isAway(): boolean {
    return this.#ranks.active === this.links.length - 1 && this.#ranks.missed.has(this.#ranks.active);
  }

  #inUse(): readonly ServerLink[] {
    return this.links.slice(0, this.#ranks.active + 1);
  }

  #rankOf(link: ServerLink): number | undefined {
    const rank = this.links.indexOf(link);
    return rank < 0 || rank > this.#ranks.active ? undefined : rank;
  }

  #step(event: RankEvent): void {
    const isWanting = () => this.#parts.isNeeded() || [...this.books.values()].some((book) => book.isWanting);
    const isAsking = event.kind === 'missed' || event.kind === 'wanted';
    const mayGoOn = isAsking && (event.kind === 'missed' || this.#ranks.missed.has(this.#ranks.active));
    const rules = { count: this.links.length, isWanting: mayGoOn && isWanting() };
    const before = this.active;
    const [ranks, effects] = stepRanks(this.#ranks, event, rules);
    this.#ranks = ranks;
    for (const effect of effects) this.#perform(effect, before);
  }

  #perform(effect: RankEffect, before: ServerLink | undefined): void {
    if (effect.kind === 'away') {
      for (const book of this.books.values()) book.away();
      return;
    }
    const link = this.links[effect.rank];
    if (link === undefined) return;
    if (effect.kind === 'open') {
      this.#enlistWith(link);
      link.want();
    } else if (effect.kind === 'close') this.#letGo(link);
    else if (before !== undefined) {
      this.#parts.emit({ kind: 'xds-switched', server: link.server, from: before.server });
    }
  }

  #enlistWith(link: ServerLink): void {
    const { uses } = this.#parts;
    if (uses.of(link).has(this)) return;
    uses.add(link, this);
    for (const [typeUrl, book] of this.books) link.change(typeUrl, book.names.keys());
    if (link.isUp) {
      link.flush();
      this.up(link);
    } else if (link.isMissed) this.missed(link);
  }

  #letGo(link: ServerLink): void {
    const { uses } = this.#parts;
    this.#forget(link);
    uses.remove(link, this);
    for (const [typeUrl, book] of this.books) link.change(typeUrl, book.names.keys());
    if (uses.of(link).size === 0) link.letGo();
    else link.flush();
    this.#checkUp();
  }

  #checkUp(): void {
    const isUp = this.#inUse().some((link) => link.isUp);
    if (this.#isUp && !isUp) for (const book of this.books.values()) book.streamDown();
    this.#isUp = isUp;
  }
}
