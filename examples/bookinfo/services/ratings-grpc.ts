import { create } from '@bufbuild/protobuf';
import * as grpc from '@grpc/grpc-js';
import { guard } from '@inmesh/sdk/server';
import { GetResponseSchema } from '../gen/ratings.ts';
import { type GetRequest, type GetResponse, RATINGS } from './ratings-service.ts';
import { type Guarding, guardOptions } from './service.ts';

/** The same ratings by gRPC, beside the HTTP server of the process and under a service of their own. */
export async function serveRatings(starsOf: () => Readonly<Record<string, number>>): Promise<Guarding> {
  const server = new grpc.Server();
  server.addService(RATINGS, {
    get: (_: grpc.ServerUnaryCall<GetRequest, GetResponse>, done: grpc.sendUnaryData<GetResponse>) => {
      const ratings = Object.entries(starsOf()).map(([reviewer, stars]) => ({ reviewer, stars }));
      done(null, create(GetResponseSchema, { ratings }));
    },
  });
  // mesh: the line that puts a server of grpc-js behind it
  const guarded = guard(server, guardOptions('ratings-grpc', process.env.SERVICE_VERSION ?? 'v1'));
  const { port } = await guarded.listen({ host: '127.0.0.1', port: Number(process.env.GRPC_PORT ?? 0) });
  return { service: 'ratings-grpc', port, guarded };
}
