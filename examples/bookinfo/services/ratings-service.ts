import { type DescMessage, fromBinary, type MessageShape, toBinary } from '@bufbuild/protobuf';
import * as grpc from '@grpc/grpc-js';
import { Ratings } from '../gen/ratings.ts';

const { input, output } = Ratings.method.get;

const encode =
  <D extends DescMessage>(schema: D) =>
  (message: MessageShape<D>): Buffer =>
    Buffer.from(toBinary(schema, message));
const decode =
  <D extends DescMessage>(schema: D) =>
  (bytes: Buffer): MessageShape<D> =>
    fromBinary(schema, bytes);

/** ratings.proto as grpc-js takes it. */
export const RATINGS = {
  get: {
    path: `/${Ratings.typeName}/${Ratings.method.get.name}`,
    requestStream: false as const,
    responseStream: false as const,
    requestSerialize: encode(input),
    requestDeserialize: decode(input),
    responseSerialize: encode(output),
    responseDeserialize: decode(output),
  },
};

type Get = typeof RATINGS.get;
export type GetRequest = ReturnType<Get['requestDeserialize']>;
export type GetResponse = ReturnType<Get['responseDeserialize']>;

interface RatingsMethods extends grpc.Client {
  get(request: GetRequest, done: grpc.requestCallback<GetResponse>): grpc.ClientUnaryCall;
}

export const RatingsClient = grpc.makeClientConstructor(RATINGS, Ratings.typeName) as unknown as new (
  address: string,
  credentials: grpc.ChannelCredentials,
  options?: grpc.ClientOptions,
) => RatingsMethods;
