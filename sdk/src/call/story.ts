import type { AttemptStory, CallStory, ResponseFlag, RetryRefusal } from '../model/events.ts';

/** A CallStory while its call goes on. One object a call; whoever holds it may keep it. */
export class LiveStory implements CallStory {
  readonly target: string;
  route = '';
  cluster = '';
  endpoint = '';
  peer: string | undefined = undefined;
  grpcStatus: number | undefined = undefined;
  attempts: readonly AttemptStory[] = NO_ATTEMPTS;
  flag: ResponseFlag | undefined = undefined;
  flags: readonly ResponseFlag[] = NO_FLAGS;
  retryRefused: RetryRefusal | undefined = undefined;
  local = false;
  readonly timings: { readonly startMs: number; headersMs: number; endMs: number };

  constructor(target: string, startMs: number) {
    this.target = target;
    this.timings = { startMs, headersMs: 0, endMs: 0 };
  }

  tried(attempt: AttemptStory): void {
    // Nearly always the only one: a list that grows has room for sixteen.
    this.attempts = this.attempts.length === 0 ? [attempt] : [...this.attempts, attempt];
  }

  raise(flag: ResponseFlag): void {
    if (this.flags.includes(flag)) return;
    this.flag ??= flag;
    this.flags = [...this.flags, flag];
  }
}

const NO_ATTEMPTS: readonly AttemptStory[] = [];
const NO_FLAGS: readonly ResponseFlag[] = [];
