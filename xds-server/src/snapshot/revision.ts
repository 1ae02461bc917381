import { REGISTERED_SERVICE } from '../registry/registration.ts';
import type { AnyObject, ChangeEvent, ObjectKey } from '../schema/types.ts';

export interface Revision {
  /** At `wallMs`, a change; what only this replica knows (processes that registered here) counts for nothing. */
  apply(event: ChangeEvent, wallMs: number): void;
  /** When the content last changed, and 16 hex digits over all objects in whatever order they came: `TIME-CONTENT`. */
  text(): string;
}

/** Exclusive or of the objects' content hashes: an object is taken in and out in one step, and order does not count. */
export const createRevision = (): Revision => {
  const hashes = new Map<ObjectKey, string>();
  let high = 0;
  let low = 0;
  let changedMs = 0;
  const toggle = (hash: string): void => {
    high ^= Number.parseInt(hash.slice(0, 8), 16);
    low ^= Number.parseInt(hash.slice(8, 16), 16);
  };
  return {
    apply(event, wallMs) {
      const key = event.kind === 'upsert' ? event.object.key : event.key;
      const before = hashes.get(key);
      const after = event.kind === 'upsert' && !isRegistered(event.object) ? event.object.contentHash : undefined;
      if (before === after) return;
      if (before !== undefined) toggle(before);
      if (after === undefined) hashes.delete(key);
      else {
        hashes.set(key, after);
        toggle(after);
      }
      changedMs = wallMs;
    },
    text: () => `${Math.floor(changedMs).toString(36)}-${hex(high)}${hex(low)}`,
  };
};

const isRegistered = ({ annotations }: AnyObject): boolean => annotations.has(REGISTERED_SERVICE);

/**
 * Whether what is served is older than a revision that a client has seen on another replica: other content, of a later time. Replicas
 * hear of a change within moments of each other, so a clock that is off by as much costs a short wait or a stale answer, never more.
 */
export function isRevisionBehind(own: string, seen: string): boolean {
  const [ours, theirs] = [PATTERN.exec(own), PATTERN.exec(seen)];
  if (ours === null || theirs === null || ours[2] === theirs[2]) return false;
  return Number.parseInt(theirs[1] ?? '', 36) > Number.parseInt(ours[1] ?? '', 36);
}

/** `SEQUENCE-TIME-CONTENT`. */
const PATTERN = /^\d+-([0-9a-z]{1,10})-([0-9a-f]{16})$/;

const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, '0');
