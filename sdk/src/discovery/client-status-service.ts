import { fromBinary, fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { registry } from '../../gen/registry.js';
import {
  type ClientStatusRequest,
  ClientStatusRequestSchema,
  type ClientStatusResponse,
  ClientStatusResponseSchema,
} from '../../gen/services.js';
import type { ClientConfig } from './client-config.ts';

/** CSDS of this process (gRFC A40): what it has subscribed to, and what came of it. */

const SERVICE = '/envoy.service.status.v3.ClientStatusDiscoveryService';
const INVALID_ARGUMENT = 3;
const INTERNAL = 13;

const method = (name: string, isStream: boolean) => ({
  path: `${SERVICE}/${name}`,
  requestStream: isStream,
  responseStream: isStream,
  requestSerialize: (message: ClientStatusRequest) => Buffer.from(toBinary(ClientStatusRequestSchema, message)),
  requestDeserialize: (bytes: Buffer) => fromBinary(ClientStatusRequestSchema, bytes),
  responseSerialize: (message: ClientStatusResponse) => Buffer.from(toBinary(ClientStatusResponseSchema, message)),
  responseDeserialize: (bytes: Buffer) => fromBinary(ClientStatusResponseSchema, bytes),
});

export const CLIENT_STATUS = {
  FetchClientStatus: method('FetchClientStatus', false),
  StreamClientStatus: method('StreamClientStatus', true),
};

interface StatusFailure {
  readonly code: number;
  readonly details: string;
}

interface StreamCall {
  on(event: 'data', listener: (request: ClientStatusRequest) => void): unknown;
  on(event: 'end', listener: () => void): unknown;
  write(response: ClientStatusResponse): unknown;
  end(): unknown;
  emit(event: 'error', error: StatusFailure): unknown;
  pause(): unknown;
  resume(): unknown;
}

export function clientStatusHandlers(csds: () => Promise<ClientConfig>): object {
  const answer = async ({ nodeMatchers }: ClientStatusRequest): Promise<ClientStatusResponse> => {
    // gRFC A40: they are for management servers, which have many clients.
    if (nodeMatchers.length > 0) throw failure(INVALID_ARGUMENT, 'node_matchers: set, but not supported (gRFC A40)');
    const config = (await csds()) as unknown as JsonValue;
    // Ours has more in it than Envoy's message.
    return fromJson(ClientStatusResponseSchema, { config: [config] }, { registry, ignoreUnknownFields: true });
  };
  return {
    FetchClientStatus(
      { request }: { readonly request: ClientStatusRequest },
      answered: (error: StatusFailure | null, response?: ClientStatusResponse) => void,
    ): void {
      answer(request).then(
        (response) => answered(null, response),
        (error: unknown) => answered(failureOf(error)),
      );
    },
    StreamClientStatus(call: StreamCall): void {
      let last: Promise<unknown> = Promise.resolve();
      call.on('data', (request) => {
        // One at a time, in their order.
        call.pause();
        last = answer(request).then(
          (response) => {
            call.write(response);
            call.resume();
          },
          (error: unknown) => call.emit('error', failureOf(error)),
        );
      });
      call.on('end', () => void last.finally(() => call.end()));
    },
  };
}

const failure = (code: number, details: string): StatusFailure => ({ code, details });

const failureOf = (error: unknown): StatusFailure =>
  typeof error === 'object' && error !== null && 'details' in error
    ? (error as StatusFailure)
    : failure(INTERNAL, error instanceof Error ? error.message : String(error));
