import type { Cell } from '../graph/graph.ts';
import type { Relevance } from '../translate/view.ts';
import type { EncodedResource } from './encoded-resource.ts';

/** Finds resources of one client and type by name, as they are now. */
export type Lookup = (name: string) => EncodedResource | undefined;

export interface LookupParts {
  /** The cell that makes the resource; undefined where it is another one from time to time. */
  readonly cell: (name: string) => Cell<EncodedResource | undefined> | undefined;
  /** What is served under the name, whatever it takes to find out. */
  readonly served: (name: string) => EncodedResource | undefined;
  /** Everything served is what its cell holds. */
  readonly isPlain: () => boolean;
  readonly relevance: () => Relevance;
  /** Another number: cells may have been dropped. */
  readonly generation: () => number;
}

interface Way {
  readonly cell: Cell<EncodedResource | undefined> | undefined;
  answer: EncodedResource | undefined;
}

/** Names that were asked for once are not kept for ever. */
const MOST_WAYS = 16_384;

/**
 * A stream asks for the same names at every push, nearly always to hear that nothing has changed: the way to each name's
 * cell is kept, so that this costs no text and no search.
 */
export const createLookup = ({ cell, served, isPlain, relevance, generation }: LookupParts): Lookup => {
  const ways = new Map<string, Way>();
  let knownRelevance = relevance();
  let knownGeneration = generation();
  return (name) => {
    if (knownGeneration !== generation() || knownRelevance !== relevance()) {
      ways.clear();
      knownGeneration = generation();
      knownRelevance = relevance();
    }
    const way = ways.get(name);
    if (way === undefined) {
      if (ways.size >= MOST_WAYS) ways.clear();
      const answer = served(name);
      ways.set(name, { cell: cell(name), answer });
      return answer;
    }
    if (way.cell !== undefined && isPlain() && way.cell.get() === way.answer) return way.answer;
    way.answer = served(name);
    return way.answer;
  };
};
