import type { ChangeEvent, ObjectKey } from '../schema/types.ts';

export interface Revision {
  apply(event: ChangeEvent): void;
  /** 16 hex digits over the content of all objects, in whatever order they came. */
  text(): string;
}

/** Exclusive or of the objects' content hashes: an object is taken in and out in one step, and order does not count. */
export const createRevision = (): Revision => {
  const hashes = new Map<ObjectKey, string>();
  let high = 0;
  let low = 0;
  const toggle = (hash: string | undefined): void => {
    if (hash === undefined) return;
    high ^= Number.parseInt(hash.slice(0, 8), 16);
    low ^= Number.parseInt(hash.slice(8, 16), 16);
  };
  return {
    apply(event) {
      const key = event.kind === 'upsert' ? event.object.key : event.key;
      toggle(hashes.get(key));
      if (event.kind === 'delete') hashes.delete(key);
      else {
        hashes.set(key, event.object.contentHash);
        toggle(event.object.contentHash);
      }
    },
    text: () => hex(high) + hex(low),
  };
};

const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, '0');
