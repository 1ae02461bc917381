import type { Scope } from './scope.ts';

/** Models are held for long, and most of their lists are empty: those are all this one. */
export const NONE: readonly never[] = [];

/** Each message decoded at its place. */
export const decodeList = <M, T>(
  messages: readonly M[],
  at: Scope,
  decode: (message: M, at: Scope) => T,
): readonly T[] => (messages.length === 0 ? NONE : messages.map((message, index) => decode(message, at.at(index))));

/** The same list with no room to grow: one that grew has space for 16 more. */
export const trimmed = <T>(list: readonly T[]): readonly T[] => (list.length === 0 ? NONE : list.slice());
