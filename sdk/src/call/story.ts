import type { AttemptStory, CallStory, ResponseFlag, RetryRefusal } from '../model/events.ts';

/** A CallStory while its call goes on. One object a call; whoever holds it may keep it. */
export class LiveStory implements CallStory {
  readonly target: string;
  route = '';
  cluster = '';
  endpoint = '';
  readonly attempts: AttemptStory[] = [];
  flag: ResponseFlag | undefined = undefined;
  flags: readonly ResponseFlag[] = NO_FLAGS;
  retryRefused: RetryRefusal | undefined = undefined;
  local = false;
  readonly timings: { readonly startMs: number; headersMs: number; endMs: number };

  constructor(target: string, startMs: number) {
    this.target = target;
    this.timings = { startMs, headersMs: 0, endMs: 0 };
  }

  raise(flag: ResponseFlag): void {
    if (this.flags.includes(flag)) return;
    this.flag ??= flag;
    this.flags = [...this.flags, flag];
  }
}

const NO_FLAGS: readonly ResponseFlag[] = [];
