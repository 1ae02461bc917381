/** What channelz (gRFC A14) can be told of a channel of the mesh. */
export interface ListedChannel {
  readonly counts: CallCounts;
  getTarget(): string;
  getConnectivityState(tryToConnect: boolean): number;
}

/** Calls of one channel; those that grpc-js's own channel makes in its place are counted there. */
export class CallCounts {
  readonly createdMs: number;
  started = 0;
  succeeded = 0;
  failed = 0;
  /** When the last call began; undefined: there was none. */
  lastMs: number | undefined;

  constructor(nowMs: number) {
    this.createdMs = nowMs;
  }

  begin(nowMs: number): void {
    this.started++;
    this.lastMs = nowMs;
  }

  end(isGood: boolean): void {
    if (isGood) this.succeeded++;
    else this.failed++;
  }

  /** It is a call of another channel. */
  takeBack(): void {
    this.started--;
  }
}

/** grpc-js counts its channels from 1; ours are beyond them, so that one id never stands for both. */
export const FIRST_CHANNEL = 2 ** 40;

/** Of the process, as channelz is. One that nobody holds any more is no channel. */
const channels = new Map<number, WeakRef<ListedChannel>>();
const forgotten = new FinalizationRegistry<number>((id) => channels.delete(id));
let next = FIRST_CHANNEL;

export function listChannel(channel: ListedChannel): number {
  const id = next++;
  channels.set(id, new WeakRef(channel));
  forgotten.register(channel, id, channel);
  return id;
}

export function unlistChannel(id: number, channel: ListedChannel): void {
  channels.delete(id);
  forgotten.unregister(channel);
}

export const listedChannel = (id: number): ListedChannel | undefined => channels.get(id)?.deref();

/** By id, from this one on. */
export function* listedChannels(fromId: number): Iterable<readonly [id: number, channel: ListedChannel]> {
  for (const [id, reference] of channels) {
    const channel = id < fromId ? undefined : reference.deref();
    if (channel !== undefined) yield [id, channel];
  }
}
