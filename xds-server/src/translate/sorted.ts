import { compareText } from './names.ts';

/** Entries by key: protobuf maps and lists made from maps are written in this order, or equal rules would differ in bytes. */
export const sortedEntries = <T>(map: ReadonlyMap<string, T>): readonly (readonly [string, T])[] =>
  [...map].sort(([a], [b]) => compareText(a, b));
