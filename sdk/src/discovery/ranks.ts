/**
 * Which of an authority's servers is listened to (gRFC A71), as a table. Servers are tried in order; the next one only when
 * something is wanted that nobody has sent yet; and the first of them that answers again takes its place back.
 */
export interface Ranks {
  /** Servers 0…active are connected to or being tried; what counts is what `active` says. */
  readonly active: number;
  /** Those of 0…active that cannot be reached at the moment. */
  readonly missed: ReadonlySet<number>;
}

export type RankEvent =
  /** It cannot be reached: refused, silent while connecting, or a stream that brought nothing. */
  | { readonly kind: 'missed'; readonly rank: number }
  | { readonly kind: 'up'; readonly rank: number }
  | { readonly kind: 'answered'; readonly rank: number }
  /** Something new is wanted. */
  | { readonly kind: 'wanted' };

export type RankEffect =
  | { readonly kind: 'open'; readonly rank: number }
  | { readonly kind: 'close'; readonly rank: number }
  /** From here on this server is listened to. */
  | { readonly kind: 'listen'; readonly rank: number }
  /** Every server was tried. */
  | { readonly kind: 'away' };

export interface RankRules {
  /** How many servers there are. */
  readonly count: number;
  /** Something is asked for and neither held nor known to be absent (gRFC A71: "not cached"). */
  readonly isWanting: boolean;
}

type Step = readonly [Ranks, readonly RankEffect[]];

export const FIRST: Ranks = { active: 0, missed: new Set() };

export function stepRanks(state: Ranks, event: RankEvent, rules: RankRules): Step {
  switch (event.kind) {
    case 'missed':
      if (event.rank > state.active) return [state, []];
      return goOn({ ...state, missed: new Set([...state.missed, event.rank]) }, rules);
    case 'up':
      return [{ ...state, missed: without(state.missed, event.rank) }, []];
    case 'answered':
      return event.rank < state.active ? goBack(state, event.rank) : [state, []];
    case 'wanted':
      return goOn(state, rules);
  }
}

function goOn(state: Ranks, { count, isWanting }: RankRules): Step {
  if (!isWanting || !state.missed.has(state.active)) return [state, []];
  const next = state.active + 1;
  if (next >= count) return [state, [{ kind: 'away' }]];
  return [
    { ...state, active: next },
    [
      { kind: 'listen', rank: next },
      { kind: 'open', rank: next },
    ],
  ];
}

function goBack(state: Ranks, rank: number): Step {
  const effects: RankEffect[] = [{ kind: 'listen', rank }];
  for (let lower = rank + 1; lower <= state.active; lower += 1) effects.push({ kind: 'close', rank: lower });
  return [{ active: rank, missed: new Set([...state.missed].filter((one) => one < rank)) }, effects];
}

const without = (set: ReadonlySet<number>, rank: number): ReadonlySet<number> =>
  new Set([...set].filter((one) => one !== rank));
