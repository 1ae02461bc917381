import { create, type DescMessage, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import {
  type DeltaDiscoveryRequest,
  DeltaDiscoveryRequestSchema,
  DeltaDiscoveryResponseSchema,
  type DiscoveryRequest,
  DiscoveryRequestSchema,
  DiscoveryResponseSchema,
} from '../../sdk/gen/discovery.js';
import type { AdsListener, AdsMethod, AdsTransport } from '../../sdk/src/discovery/transport.ts';

/** A control plane that says what a test tells it to, over an ADS stream without a network. */
export interface ScriptedAds {
  readonly transport: AdsTransport;
  readonly streams: ScriptedStream[];
  /** The newest stream. */
  current(): ScriptedStream;
}

interface ScriptedStream {
  readonly method: AdsMethod;
  readonly delta: DeltaDiscoveryRequest[];
  readonly sotw: DiscoveryRequest[];
  readonly on: AdsListener;
  isClosed: boolean;
  refs: number;
  /** The connection stands. */
  up(): void;
  /** Ends the stream from the server's side. */
  end(code: number, message?: string): void;
  respondDelta(init: MessageInitShape<typeof DeltaDiscoveryResponseSchema>): void;
  respondSotw(init: MessageInitShape<typeof DiscoveryResponseSchema>): void;
}

export function createScriptedAds(server = '192.0.2.1:15010'): ScriptedAds {
  const streams: ScriptedStream[] = [];
  const transport: AdsTransport = {
    server,
    open(method, on) {
      const stream = createStream(method, on);
      streams.push(stream);
      return {
        send(bytes) {
          if (method === 'delta') stream.delta.push(fromBinary(DeltaDiscoveryRequestSchema, bytes));
          else stream.sotw.push(fromBinary(DiscoveryRequestSchema, bytes));
        },
        close() {
          stream.isClosed = true;
        },
        ref() {
          stream.refs += 1;
        },
        unref() {
          stream.refs -= 1;
        },
      };
    },
  };
  return {
    transport,
    streams,
    current() {
      const stream = streams.at(-1);
      if (stream === undefined) throw new Error('no stream was opened');
      return stream;
    },
  };
}

function createStream(method: AdsMethod, on: AdsListener): ScriptedStream {
  const say = (bytes: Uint8Array) => {
    if (!stream.isClosed) on.message(bytes);
  };
  const stream: ScriptedStream = {
    method,
    on,
    delta: [],
    sotw: [],
    isClosed: false,
    refs: 0,
    up: () => on.opened?.(),
    end(code, message = '') {
      stream.isClosed = true;
      on.close({ code, message });
    },
    respondDelta: (init) => say(toBinary(DeltaDiscoveryResponseSchema, create(DeltaDiscoveryResponseSchema, init))),
    respondSotw: (init) => say(toBinary(DiscoveryResponseSchema, create(DiscoveryResponseSchema, init))),
  };
  return stream;
}

/** `google.protobuf.Any` of a message. */
export function anyOf<D extends DescMessage>(
  schema: D,
  init: MessageInitShape<D>,
): { typeUrl: string; value: Uint8Array } {
  return { typeUrl: `type.googleapis.com/${schema.typeName}`, value: toBinary(schema, create(schema, init)) };
}
