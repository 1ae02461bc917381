import { MeshError, type MeshErrorCode } from '../errors.ts';
import type { EventSink } from '../model/events.ts';

export interface ServingCallbacks {
  /** Calls are served: now, or again. */
  readonly onServing?: () => void;
  /** Nobody is served (any more), for this reason. */
  readonly onNotServing?: (error: MeshError) => void;
}

/** Whether a port is served (gRFC A36, serving mode), told when it changes. */
export class Serving {
  readonly #callbacks: ServingCallbacks;
  readonly #emit: EventSink;
  readonly #watchers = new Set<() => void>();
  /** undefined: nothing has been told; empty: it is served. */
  #told: string | undefined;

  constructor({ onServing, onNotServing }: ServingCallbacks, emit: EventSink) {
    this.#callbacks = { ...(onServing && { onServing }), ...(onNotServing && { onNotServing }) };
    this.#emit = emit;
  }

  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => {
      this.#watchers.delete(watcher);
    };
  }

  serves(): void {
    if (this.#told === '') return;
    this.#told = '';
    this.#tell(() => this.#callbacks.onServing?.());
  }

  fails(code: MeshErrorCode, why: string): void {
    if (this.#told === why) return;
    this.#told = why;
    this.#tell(() => this.#callbacks.onNotServing?.(new MeshError(code, `the server does not serve: ${why}`)));
  }

  /** It has been served, so that an end of it is news. */
  get hasServed(): boolean {
    return this.#told === '';
  }

  #tell(call: () => void): void {
    for (const run of [call, ...this.#watchers]) {
      try {
        run();
      } catch (error) {
        // What the application does with it must not end the serving.
        this.#emit({ kind: 'warning', message: `a callback of a guarded server failed: ${String(error)}` });
      }
    }
  }
}
