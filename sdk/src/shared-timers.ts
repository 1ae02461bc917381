export interface Timer {
  cancel(): void;
}

/** Starts a timer of the platform. */
export type StartTimer = (ms: number, run: () => void) => Timer;

/** A timer may fire a moment before its time is shown. */
const EARLY_MS = 1;

/** What a timer of the platform can hold. */
const LONGEST_MS = 2 ** 31 - 1;

/** Lengths that keep their timer while none of that length is wanted. */
const KEPT_LENGTHS = 16;

/**
 * Timers that nearly always are cancelled, as those of calls: those of one length wait in the order they were asked for,
 * behind one timer of the platform. To ask for one and to cancel it is to link it in and out.
 */
export class SharedTimers {
  readonly #queues = new Map<number, Queue>();
  readonly #now: () => number;
  readonly #start: StartTimer;

  constructor(now: () => number, start: StartTimer) {
    this.#now = now;
    this.#start = start;
  }

  after(ms: number, run: () => void, nowMs = this.#now()): Timer {
    const length = ms > 1 ? Math.ceil(Math.min(ms, LONGEST_MS)) : 1;
    let queue = this.#queues.get(length);
    if (queue === undefined) {
      queue = new Queue(this, length);
      this.#queues.set(length, queue);
    }
    const timer = new SharedTimer(queue, nowMs + length, run);
    queue.add(timer);
    return timer;
  }

  /** Arms the queue's timer, unless it has one. One that is early for the first looks again. */
  arm(queue: Queue, ms: number): void {
    queue.timer ??= this.#start(ms, () => this.#fire(queue));
  }

  emptied(queue: Queue): void {
    if (this.#queues.size <= KEPT_LENGTHS || queue.timer === undefined) return;
    queue.timer.cancel();
    this.#queues.delete(queue.length);
  }

  #fire(queue: Queue): void {
    const nowMs = this.#now();
    try {
      for (let next = queue.first; next !== undefined && next.dueMs - nowMs < EARLY_MS; next = queue.first) {
        next.unlink();
        next.run();
      }
    } finally {
      queue.timer = undefined;
      if (queue.first !== undefined) this.arm(queue, Math.max(1, queue.first.dueMs - nowMs));
      else if (this.#queues.get(queue.length) === queue) this.#queues.delete(queue.length);
    }
  }
}

/** Those of one length, the first due first. */
class Queue {
  readonly length: number;
  readonly timers: SharedTimers;
  /** Of the platform. */
  timer: Timer | undefined;
  first: SharedTimer | undefined;
  last: SharedTimer | undefined;

  constructor(timers: SharedTimers, length: number) {
    this.timers = timers;
    this.length = length;
  }

  add(timer: SharedTimer): void {
    timer.previous = this.last;
    if (this.last === undefined) this.first = timer;
    else this.last.next = timer;
    this.last = timer;
    this.timers.arm(this, this.length);
  }
}

class SharedTimer implements Timer {
  readonly dueMs: number;
  readonly run: () => void;
  previous: SharedTimer | undefined;
  next: SharedTimer | undefined;
  /** While it waits. */
  #queue: Queue | undefined;

  constructor(queue: Queue, dueMs: number, run: () => void) {
    this.#queue = queue;
    this.dueMs = dueMs;
    this.run = run;
  }

  cancel(): void {
    const queue = this.#queue;
    this.unlink();
    if (queue !== undefined && queue.first === undefined) queue.timers.emptied(queue);
  }

  unlink(): void {
    const queue = this.#queue;
    if (queue === undefined) return;
    this.#queue = undefined;
    const { previous, next } = this;
    if (previous === undefined) queue.first = next;
    else previous.next = next;
    if (next === undefined) queue.last = previous;
    else next.previous = previous;
    this.previous = undefined;
    this.next = undefined;
  }
}
