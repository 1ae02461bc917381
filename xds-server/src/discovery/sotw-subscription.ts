import type { Versioned } from './delta-subscription.ts';

/** One type on one state-of-the-world stream. Pure; `session.ts` does the sending. */
export interface SotwSubscription {
  names: ReadonlySet<string>;
  /** Versions of what was last sent, by name. */
  sent: Map<string, string>;
  /** An answer is owed even if nothing changed: a first request, or names that were added. */
  owed: boolean;
}

export const emptySotwSubscription = (): SotwSubscription => ({ names: new Set(), sent: new Map(), owed: true });

/** Applies one request's full list; what is beyond `limit` is refused and returned. An empty list means nothing, never everything. */
export function changeSotw(subscription: SotwSubscription, names: readonly string[], limit: number): readonly string[] {
  const wanted = new Set(names.slice(0, limit));
  for (const name of wanted) {
    if (subscription.names.has(name)) continue;
    subscription.owed = true;
    subscription.sent.delete(name);
  }
  for (const name of subscription.names) if (!wanted.has(name)) subscription.sent.delete(name);
  subscription.names = wanted;
  return names.slice(limit);
}

/**
 * What must be sent, or undefined where the client is up to date. LDS and CDS answers hold every subscribed resource (absence is
 * deletion); other types hold only what is new (grpc-xds: RDS and EDS may be partial).
 */
export function answerSotw<R extends Versioned & { readonly name: string }>(
  subscription: SotwSubscription,
  whole: boolean,
  resource: (name: string) => R | undefined,
): readonly R[] | undefined {
  const all: R[] = [];
  const fresh: R[] = [];
  let gone = false;
  for (const name of subscription.names) {
    const found = resource(name);
    if (found === undefined) {
      gone = subscription.sent.delete(name) || gone;
      continue;
    }
    all.push(found);
    if (subscription.sent.get(name) !== found.version) fresh.push(found);
  }
  if (!subscription.owed && fresh.length === 0 && !(whole && gone)) return undefined;
  subscription.owed = false;
  for (const { name, version } of fresh) subscription.sent.set(name, version);
  return whole ? all : fresh;
}
