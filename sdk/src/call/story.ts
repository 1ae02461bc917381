import type { AttemptStory, CallStory, ResponseFlag } from '../model/events.ts';

/** A CallStory while its call goes on. One object a call; whoever holds it may keep it. */
export class LiveStory implements CallStory {
  readonly target: string;
  route = '';
  cluster = '';
  endpoint = '';
  readonly attempts: AttemptStory[] = [];
  flag: ResponseFlag | undefined = undefined;
  local = false;
  readonly timings: { readonly startMs: number; headersMs: number; endMs: number };

  constructor(target: string, startMs: number) {
    this.target = target;
    this.timings = { startMs, headersMs: 0, endMs: 0 };
  }
}
