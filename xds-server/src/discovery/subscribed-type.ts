import type { EncodedResource } from '../snapshot/encoded-resource.ts';
import { Acknowledgements } from './acknowledgements.ts';
import { answerDelta, type DeltaSubscription, emptyDeltaSubscription } from './delta-subscription.ts';
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
  answer(shape: SotwShape, find: Find<EncodedResource>): Outgoing;
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

  answer({ keepsGone }: SotwShape, find: Find<EncodedResource>): Outgoing {
    const { resources, removed, isKeeping } = answerDelta(this.subscription, keepsGone, find);
    if (resources.length + removed.length === 0) return { write: undefined, names: [], isKeeping };
    const entries = resources.map(({ deltaEntry }) => deltaEntry);
    const names = [...resources.map(({ name }) => name), ...removed];
    return { write: (head) => deltaResponse(head, entries, removed), names, isKeeping };
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

  answer(shape: SotwShape, find: Find<EncodedResource>): Outgoing {
    const { owed } = this.subscription;
    const { resources, isKeeping } = answerSotw(this.subscription, shape, find);
    if (resources === undefined) return { write: undefined, names: [], isKeeping };
    const entries = resources.map(({ sotwEntry }) => sotwEntry);
    // What was asked for and is not among them is answered too: it does not exist.
    const isAll = shape.isWhole || (owed && !this.subscription.isWaiting);
    const names = isAll ? [...this.names] : resources.map(({ name }) => name);
    return { write: (head) => sotwResponse(head, entries), names, isKeeping };
  }
}
