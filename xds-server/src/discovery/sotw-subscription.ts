import type { Versioned } from './delta-subscription.ts';
import { type Find, NOT_YET } from './not-yet.ts';

/** What a state-of-the-world subscription holds of a resource. */
export interface Named extends Versioned {
  readonly name: string;
}

/** One type on one state-of-the-world stream. Pure; `session.ts` does the sending. */
export interface SotwSubscription<R extends Named> {
  names: ReadonlySet<string>;
  /** What was last sent, by name. */
  readonly sent: Map<string, R>;
  /** An answer is owed even if nothing changed: names were added. */
  owed: boolean;
  /** Names of the answer that is owed are not answered yet. */
  isWaiting: boolean;
  /** The client came with a version: it holds something from another stream. */
  readonly isReturning: boolean;
}

export const emptySotwSubscription = <R extends Named>(isReturning = false): SotwSubscription<R> => ({
  names: new Set(),
  sent: new Map(),
  owed: false,
  isWaiting: false,
  isReturning,
});

/** Applies one request's full list; says how many names are beyond `limit`. An empty list means nothing, never everything. */
export function changeSotw<R extends Named>(
  subscription: SotwSubscription<R>,
  names: readonly string[],
  limit: number,
): number {
  const wanted = new Set(names.slice(0, limit));
  for (const name of wanted) {
    if (subscription.names.has(name)) continue;
    subscription.owed = true;
    subscription.sent.delete(name);
  }
  for (const name of subscription.names) if (!wanted.has(name)) subscription.sent.delete(name);
  subscription.names = wanted;
  return Math.max(0, names.length - limit);
}

export interface SotwAnswer<R> {
  /** undefined: the client is up to date. */
  readonly resources: readonly R[] | undefined;
  /** Resources that are gone and are still in what was sent: to be answered again once nothing needs them. */
  readonly isKeeping: boolean;
}

/** How the responses of a type are read by clients. */
export interface SotwShape {
  /** LDS and CDS: a response holds every subscribed resource, absence is deletion. RDS and EDS hold only what is new. */
  readonly isWhole: boolean;
  /** Keeps what is gone in this answer, for make before break. */
  readonly keepsGone: boolean;
}

/** What a client may hold of a name that this stream has not told it of: any version. */
const SOMETHING = '?';

/** What must be sent; the subscription then counts it as sent. */
export function answerSotw<R extends Named>(
  subscription: SotwSubscription<R>,
  { isWhole, keepsGone }: SotwShape,
  find: Find<R>,
): SotwAnswer<R> {
  const all: R[] = [];
  const fresh: R[] = [];
  const gone: R[] = [];
  subscription.isWaiting = false;
  for (const name of subscription.names) {
    const sent = subscription.sent.get(name);
    const found = find(name, sent?.version ?? (subscription.isReturning ? SOMETHING : undefined));
    if (found === NOT_YET) {
      subscription.isWaiting = true;
      continue;
    }
    if (found !== undefined) {
      all.push(found);
      if (sent?.version !== found.version) fresh.push(found);
    } else if (sent !== undefined) gone.push(sent);
  }
  const isKeeping = isWhole && keepsGone && gone.length > 0;
  const isShorter = isWhole && !keepsGone && gone.length > 0;
  const isHeldBack = isWhole && subscription.isWaiting;
  if (!isKeeping && !isHeldBack) for (const { name } of gone) subscription.sent.delete(name);
  if (!subscription.owed && fresh.length === 0 && !isShorter) return { resources: undefined, isKeeping };
  // Where absence is deletion, an answer without what is waited for would delete it.
  if (isHeldBack || (subscription.isWaiting && fresh.length === 0)) {
    subscription.owed = true;
    return { resources: undefined, isKeeping: false };
  }
  // What still waits is owed.
  subscription.owed = subscription.isWaiting;
  for (const one of fresh) subscription.sent.set(one.name, one);
  if (!isWhole) return { resources: fresh, isKeeping: false };
  return { resources: isKeeping ? [...all, ...gone] : all, isKeeping };
}
