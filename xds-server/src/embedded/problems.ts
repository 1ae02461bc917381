import { byPosition, problemLine } from '../schema/problem.ts';
import type { Problem } from '../schema/types.ts';
import { printable } from './printable.ts';

/** The problems of the moment, each told once when it appears. */
export class ProblemBook {
  readonly #told = new Set<string>();
  readonly #listeners = new Set<(text: string) => void>();
  #problems: readonly Problem[] = [];

  get current(): readonly Problem[] {
    return this.#problems;
  }

  /** The complete list as it is now. What is gone and comes again is told again. */
  set(problems: readonly Problem[]): void {
    const fresh = new Map(problems.map((problem) => [problemLine(problem), problem] as const));
    this.#problems = [...fresh.values()].sort(byPosition);
    for (const text of this.#told) if (!fresh.has(text)) this.#told.delete(text);
    for (const problem of this.#problems) {
      const text = problemLine(problem);
      // Whoever listens later is told what stands by `listen`.
      if (problem.severity === 'info' || this.#told.has(text)) continue;
      this.#told.add(text);
      this.#say(text);
    }
  }

  /** Something that happened once: a client's NACK, a refused name. */
  tell(text: string): void {
    this.#say(printable(text));
  }

  #say(text: string): void {
    for (const listener of [...this.#listeners]) listener(text);
  }

  listen(listener: (text: string) => void): () => void {
    this.#listeners.add(listener);
    for (const text of this.#told) listener(text);
    return () => this.#listeners.delete(listener);
  }
}
