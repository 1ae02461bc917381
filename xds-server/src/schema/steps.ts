/** Long work that says where it may pause. */
export type Steps<T> = Generator<void, T>;

export interface Pace {
  /** Monotonic milliseconds. */
  now(): number;
  /** Resolves once the event loop has had its turn. */
  turn(): Promise<void>;
  /** Work between two turns. */
  readonly sliceMs: number;
}

export const allSteps = <T>(steps: Steps<T>): T => {
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
  }
};

/** The same work in slices, so that everything else in this process goes on. */
export const stepsInTurns = async <T>(steps: Steps<T>, { now, turn, sliceMs }: Pace): Promise<T> => {
  let begun = now();
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (now() - begun < sliceMs) continue;
    await turn();
    begun = now();
  }
};
