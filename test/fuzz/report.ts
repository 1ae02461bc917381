/** What a run of hostile inputs found. */
export interface FuzzReport {
  readonly what: string;
  readonly seed: number;
  readonly inputs: number;
  /** Taken, perhaps with warnings. */
  readonly accepted: number;
  /** Refused by name. */
  readonly refused: number;
  readonly longestMs: { readonly wall: number; readonly cpu: number; readonly during: string };
  /** Each breaks a promise: empty is the only good answer. */
  readonly faults: readonly string[];
}

export interface FuzzOptions {
  readonly seed: number;
  readonly count: number;
}

/** Processor time of one turn of the event loop. */
export const MOST_STALL_MS = 50;

/** More say no more. */
export const MOST_FAULTS = 20;

export const formatReport = ({ what, seed, inputs, accepted, refused, longestMs, faults }: FuzzReport): string =>
  [
    `${what}: seed ${seed}, ${inputs} inputs, ${accepted} accepted, ${refused} refused, ${faults.length} faults,`,
    `longest stall ${longestMs.cpu.toFixed(1)} ms of processor time (${longestMs.wall.toFixed(1)} ms by the clock) during ${longestMs.during}`,
    ...faults.map((fault) => `\n  ${fault}`),
  ].join(' ');
