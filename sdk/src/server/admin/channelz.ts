import { FIRST_CHANNEL, type ListedChannel, listedChannel, listedChannels } from '../../grpc/channel-list.ts';

/** Messages of `grpc.channelz.v1` as grpc-js's own service reads and writes them. */
interface ChannelzRequest {
  readonly start_channel_id?: string;
  readonly max_results?: string;
  readonly channel_id?: string;
}

type Answered<T> = (error: object | null, answer?: T) => void;
type Handle<T> = (call: { readonly request: ChannelzRequest }, answered: Answered<T>) => void;

interface TopChannels {
  readonly channel: readonly object[];
  readonly end: boolean;
}

interface OwnHandlers {
  readonly GetTopChannels: Handle<TopChannels>;
  readonly GetChannel: Handle<{ readonly channel: object }>;
}

/** grpc-js's own. */
const MAX_RESULTS = 100;
const NOT_FOUND = 5;

/**
 * grpc-js's channelz with the channels of the mesh among its own (gRFC A14). They own no connections, which are of the mesh's
 * upstreams: they have no subchannels.
 */
export function withMeshChannels(handlers: object): object {
  const own = handlers as OwnHandlers;
  const GetTopChannels: OwnHandlers['GetTopChannels'] = (call, answered) => {
    own.GetTopChannels(call, (error, answer) => {
      // Ours come after all of those.
      if (answer?.end !== true) answered(error, answer);
      else answered(null, appended(answer.channel, call.request));
    });
  };
  const GetChannel: OwnHandlers['GetChannel'] = (call, answered) => {
    const id = numberOf(call.request.channel_id);
    if (id < FIRST_CHANNEL) return own.GetChannel(call, answered);
    const channel = listedChannel(id);
    if (channel === undefined) answered({ code: NOT_FOUND, details: `No channel data found for id ${id}` });
    else answered(null, { channel: messageOf(id, channel) });
  };
  return { ...handlers, GetTopChannels, GetChannel };
}

function appended(found: readonly object[], request: ChannelzRequest): TopChannels {
  const most = numberOf(request.max_results) || MAX_RESULTS;
  const channel = [...found];
  for (const [id, one] of listedChannels(numberOf(request.start_channel_id))) {
    if (channel.length >= most) return { channel, end: false };
    channel.push(messageOf(id, one));
  }
  return { channel, end: true };
}

/** int64 comes as text. */
const numberOf = (text: string | undefined): number => Number.parseInt(text ?? '', 10) || 0;

/** By grpc-js's ConnectivityState. */
const STATES = ['IDLE', 'CONNECTING', 'READY', 'TRANSIENT_FAILURE', 'SHUTDOWN'];

function messageOf(id: number, channel: ListedChannel): object {
  const { counts } = channel;
  const target = channel.getTarget();
  return {
    ref: { channel_id: id, name: target },
    data: {
      target,
      state: { state: STATES[channel.getConnectivityState(false)] ?? 'UNKNOWN' },
      calls_started: counts.started,
      calls_succeeded: counts.succeeded,
      calls_failed: counts.failed,
      last_call_started_timestamp: counts.lastMs === undefined ? null : timestampOf(counts.lastMs),
      trace: { creation_timestamp: timestampOf(counts.createdMs), num_events_logged: 0, events: [] },
    },
    channel_ref: [],
    subchannel_ref: [],
  };
}

const timestampOf = (ms: number) => ({ seconds: Math.floor(ms / 1000), nanos: Math.floor(ms % 1000) * 1_000_000 });
