/** What circuit.ts uses of opossum, which brings no types. */
declare module 'opossum' {
  import type { EventEmitter } from 'node:events';

  interface Counts {
    fires: number;
    successes: number;
    failures: number;
    rejects: number;
    timeouts: number;
    fallbacks: number;
  }

  interface Status {
    readonly window: Counts[];
    increment(property: keyof Counts): void;
  }

  interface Options<A> {
    readonly timeout: number;
    readonly errorThresholdPercentage: number;
    readonly resetTimeout: number;
    readonly volumeThreshold: number;
    readonly rollingPercentilesEnabled: false;
    readonly enableSnapshots: false;
    readonly rotateBucketController: EventEmitter;
    readonly errorFilter: (error: unknown, argument: A) => boolean;
  }

  class CircuitBreaker<A, R> extends EventEmitter {
    static isOurError(error: object): boolean;
    constructor(action: (argument: A) => Promise<R>, options: Options<A>);
    readonly opened: boolean;
    readonly halfOpen: boolean;
    readonly status: Status;
    readonly stats: Counts;
    fire(argument: A): Promise<R>;
    fallback(run: (argument: A, error: unknown) => Promise<R>): this;
    open(): void;
    shutdown(): void;
  }

  // biome-ignore lint/style/noDefaultExport: this is how a CommonJS module is imported
  export { CircuitBreaker as default };
}
