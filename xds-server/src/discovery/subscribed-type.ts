import type { EncodedResource } from '../snapshot/encoded-resource.ts';
import { Acknowledgements } from './acknowledgements.ts';
import { answerDelta, type DeltaSubscription, emptyDeltaSubscription } from './delta-subscription.ts';
import { absenceEntries, type EntryStyle, entryOf, heartbeatEntry } from './entry-style.ts';
import type { Find } from './not-yet.ts';
import { ResourceLedger } from './resource-ledger.ts';
import { deltaResponse, type ResponseHead, sotwResponse } from './response-bytes.ts';
import { answerSotw, emptySotwSubscription, type SotwShape, type SotwSubscription } from './sotw-subscription.ts';

/** What is to be sent of a type, before it has a nonce. */
export interface Outgoing {
  /** undefined: the client is up to date. */
  readonly write: ((head: ResponseHead) => Buffer) | undefined;
  /** Names that the response speaks of. */
  readonly names: readonly string[];
  /** Something that is gone is told later. */
  readonly isKeeping: boolean;
}

/** One type on one stream, whichever protocol it speaks. */
export interface SubscribedType {
  readonly book: Acknowledgements;
  readonly ledger: ResourceLedger;
  readonly names: { readonly size: number; has(name: string): boolean; keys(): Iterable<string> };
  /** The version the client was told; undefined where it has nothing. */
  version(name: string): string | undefined;
  answer(shape: AnswerShape, find: Find<EncodedResource>): Outgoing;
  /** What keeps alive all that the client has taken; undefined: there is nothing, or an answer of it is still to come. */
  renew(ttlMs: number, revision: string): Renewal | undefined;
}

/** How clients read the responses of a type, and this client its resources. */
export interface AnswerShape extends SotwShape {
  readonly style: EntryStyle;
}

export interface Renewal {
  readonly version: string;
  write(head: ResponseHead): Buffer;
}

/** Of these names the client has the version it was told. */
function* taken(
  type: Pick<SubscribedType, 'names' | 'version' | 'ledger'>,
): Generator<{ name: string; version: string }> {
  for (const name of type.names.keys()) {
    const version = type.version(name);
    const { kind } = type.ledger.fate(name);
    if (version !== undefined && (kind === 'asked' || kind === 'accepted')) yield { name, version };
  }
}

export class DeltaType implements SubscribedType {
  readonly book = new Acknowledgements();
  readonly ledger = new ResourceLedger();
  readonly subscription: DeltaSubscription = emptyDeltaSubscription();

  get names(): ReadonlyMap<string, unknown> {
    return this.subscription.held;
  }

  version(name: string): string | undefined {
    return this.subscription.held.get(name) || undefined;
  }

  answer({ keepsGone, style }: AnswerShape, find: Find<EncodedResource>): Outgoing {
    const { resources, removed, isKeeping } = answerDelta(this.subscription, keepsGone, find);
    if (resources.length + removed.length === 0) return { write: undefined, names: [], isKeeping };
    const entries = resources.map((one) => entryOf(one, 'delta', style));
    entries.push(...absenceEntries(removed, 'delta', style));
    const names = [...resources.map(({ name }) => name), ...removed];
    return { write: (head) => deltaResponse(head, entries, removed), names, isKeeping };
  }

  renew(ttlMs: number, revision: string): Renewal | undefined {
    const entries = [...taken(this)].map((one) => heartbeatEntry(one, 'delta', ttlMs));
    if (entries.length === 0 || this.book.status.kind === 'STALE') return undefined;
    return { version: revision, write: (head) => deltaResponse(head, entries, []) };
  }
}

export class SotwType implements SubscribedType {
  readonly book = new Acknowledgements();
  readonly ledger = new ResourceLedger();
  readonly subscription: SotwSubscription<EncodedResource>;

  constructor(isReturning: boolean) {
    this.subscription = emptySotwSubscription(isReturning);
  }

  get names(): ReadonlySet<string> {
    return this.subscription.names;
  }

  version(name: string): string | undefined {
    return this.subscription.sent.get(name)?.version;
  }

  answer(shape: AnswerShape, find: Find<EncodedResource>): Outgoing {
    const { owed } = this.subscription;
    const { resources, isKeeping } = answerSotw(this.subscription, shape, find);
    if (resources === undefined) return { write: undefined, names: [], isKeeping };
    const entries = resources.map((one) => entryOf(one, 'sotw', shape.style));
    // What was asked for and is not among them is answered too: it does not exist.
    const isAll = shape.isWhole || (owed && !this.subscription.isWaiting);
    const found = resources.map(({ name }) => name);
    const names = isAll ? [...this.names] : found;
    if (names.length > found.length) {
      const there = new Set(found);
      const absent = names.filter((name) => !there.has(name));
      entries.push(...absenceEntries(absent, 'sotw', shape.style));
    }
    return { write: (head) => sotwResponse(head, entries), names, isKeeping };
  }

  /** Of a version that the client has not taken it would ask for the body. */
  renew(ttlMs: number): Renewal | undefined {
    const version = this.book.acknowledged;
    const entries = [...taken(this)].map((one) => heartbeatEntry(one, 'sotw', ttlMs));
    if (version === undefined || entries.length === 0 || this.book.status.kind === 'STALE') return undefined;
    return { version, write: (head) => sotwResponse(head, entries) };
  }
}
