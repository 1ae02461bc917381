import type { Socket } from 'node:net';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import {
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import {
  type ClientStatusRequest,
  ClientStatusRequestSchema,
  type ClientStatusResponse,
  ClientStatusResponseSchema,
} from '@inmesh/sdk/internal/gen/services';
import { defaultOf } from '../defaults.ts';
import type { GrpcDoor } from './admin-server.ts';
import { type ClientStatusSubject, clientStatus } from './client-status.ts';

const SERVICE = '/envoy.service.status.v3.ClientStatusDiscoveryService';

const definition = (method: string, isStream: boolean) => ({
  path: `${SERVICE}/${method}`,
  requestStream: isStream,
  responseStream: isStream,
  requestSerialize: (message: ClientStatusRequest) => Buffer.from(toBinary(ClientStatusRequestSchema, message)),
  requestDeserialize: (bytes: Buffer) => fromBinary(ClientStatusRequestSchema, bytes),
  responseSerialize: (message: ClientStatusResponse) => Buffer.from(toBinary(ClientStatusResponseSchema, message)),
  responseDeserialize: (bytes: Buffer) => fromBinary(ClientStatusResponseSchema, bytes),
});

class StatusError extends Error {
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/** CSDS over gRPC (gRFC A40), on sockets that the admin port hands over. */
export function createCsdsService(subject: ClientStatusSubject): GrpcDoor {
  const answer = async (request: ClientStatusRequest): Promise<ClientStatusResponse> => {
    const found = await clientStatus(subject, request);
    if ('error' in found) throw new StatusError(status.INVALID_ARGUMENT, found.error);
    return found;
  };
  const server = new Server({ 'grpc.max_receive_message_length': defaultOf('requestBytes') });
  server.addService(
    {
      FetchClientStatus: definition('FetchClientStatus', false),
      StreamClientStatus: definition('StreamClientStatus', true),
    },
    {
      FetchClientStatus(
        { request }: ServerUnaryCall<ClientStatusRequest, ClientStatusResponse>,
        reply: sendUnaryData<ClientStatusResponse>,
      ) {
        answer(request).then((response) => reply(null, response), reply);
      },
      StreamClientStatus(call: ServerDuplexStream<ClientStatusRequest, ClientStatusResponse>) {
        let last: Promise<unknown> = Promise.resolve();
        call.on('data', (request: ClientStatusRequest) => {
          // One at a time, in their order.
          call.pause();
          last = answer(request).then(
            (response) => {
              call.write(response);
              call.resume();
            },
            (error) => call.emit('error', error),
          );
        });
        call.on('end', () => void last.finally(() => call.end()));
      },
    },
  );
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  return {
    take: (socket: Socket) => injector.injectConnection(socket),
    close() {
      injector.destroy();
      server.forceShutdown();
    },
  };
}
