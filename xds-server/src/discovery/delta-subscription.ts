/** One type on one delta stream: what it asks for and what it holds. Pure; `session.ts` does the sending. */
import { type Find, NOT_YET } from './not-yet.ts';

/** The client was told that the resource does not exist. */
const TOLD_ABSENT = '';
/** Must be answered, whatever the client may hold (a new subscription, or one asked again). */
const UNANSWERED = undefined;

export interface DeltaSubscription {
  /** By name: the version the client holds, `TOLD_ABSENT`, or undefined where an answer is owed. */
  readonly held: Map<string, string | undefined>;
  /** Names beyond the limit: told that they do not exist with the next answer, and forgotten. */
  readonly refused: Set<string>;
}

export const emptyDeltaSubscription = (): DeltaSubscription => ({ held: new Map(), refused: new Set() });

export interface DeltaChange {
  readonly subscribe: readonly string[];
  readonly unsubscribe: readonly string[];
  /** Versions a reconnecting client still has; only for names it subscribes to. */
  readonly initialVersions: Readonly<Record<string, string>>;
}

/** Applies one request's lists; says how many names are beyond `limit`. */
export function changeDelta({ held, refused }: DeltaSubscription, change: DeltaChange, limit: number): number {
  let count = 0;
  for (const name of change.unsubscribe) held.delete(name);
  for (const name of change.subscribe) {
    if (!held.has(name) && held.size >= limit) {
      count++;
      refused.add(name);
      continue;
    }
    const version = Object.hasOwn(change.initialVersions, name) ? change.initialVersions[name] : UNANSWERED;
    held.set(name, version === TOLD_ABSENT ? UNANSWERED : version);
  }
  return count;
}

/** What a resource looks like to a subscription. */
export interface Versioned {
  readonly version: string;
}

export interface DeltaAnswer<R> {
  readonly resources: readonly R[];
  readonly removed: readonly string[];
  /** Names that are gone and were not said to be: to be answered again once nothing needs them. */
  readonly isKeeping: boolean;
}

/**
 * What must be sent so that the client holds what `find` says; the subscription then counts it as held. `keepsGone` leaves
 * what is gone for a later answer (make before break).
 */
export function answerDelta<R extends Versioned>(
  { held, refused }: DeltaSubscription,
  keepsGone: boolean,
  find: Find<R>,
): DeltaAnswer<R> {
  const resources: R[] = [];
  const removed: string[] = [...refused];
  refused.clear();
  let isKeeping = false;
  for (const [name, version] of held) {
    const found = find(name, version === TOLD_ABSENT ? undefined : version);
    if (found === NOT_YET) continue;
    if (found !== undefined) {
      if (found.version === version) continue;
      resources.push(found);
      held.set(name, found.version);
    } else if (version !== TOLD_ABSENT) {
      // Also of a name just asked for: the routes that no longer lead to it may go out in this very round.
      if (keepsGone) isKeeping = true;
      else {
        removed.push(name);
        held.set(name, TOLD_ABSENT);
      }
    }
  }
  return { resources, removed, isKeeping };
}
