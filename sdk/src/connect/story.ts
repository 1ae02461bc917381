import type { AttemptStory, ConnectionStory, ResponseFlag } from '../model/events.ts';

/** A ConnectionStory while its connection lives. */
export class LiveConnectionStory implements ConnectionStory {
  readonly target: string;
  route = '';
  cluster = '';
  endpoint = '';
  peer: string | undefined = undefined;
  readonly attempts: AttemptStory[] = [];
  readonly flags: ResponseFlag[] = [];
  bytesIn = 0;
  bytesOut = 0;
  readonly timings: { readonly startMs: number; connectedMs: number; endMs: number };

  constructor(target: string, startMs: number) {
    this.target = target;
    this.timings = { startMs, connectedMs: 0, endMs: 0 };
  }

  get flag(): ResponseFlag | undefined {
    return this.flags[0];
  }

  raise(flag: ResponseFlag): void {
    if (!this.flags.includes(flag)) this.flags.push(flag);
  }

  /** A host has been dialled, since `startMs` on the clock. */
  tried(endpoint: string, startMs: number, nowMs: number, flag?: ResponseFlag): void {
    const begun = this.timings.startMs;
    const times = { endpoint, startMs: startMs - begun, endMs: nowMs - begun, reused: false };
    this.endpoint = endpoint;
    this.attempts.push(flag === undefined ? times : { ...times, flag });
  }
}
