import { once } from 'node:events';
import * as grpc from '@grpc/grpc-js';
import { createMesh, type Mesh } from '../../sdk/src/index.ts';
import { createStaticAds } from '../harness/static-ads.ts';
import { cluster, endpointsAt, listener, type RouteInit, routes, toCluster } from '../harness/xds-resources.ts';
import { ECHO, startGrpcOrigin } from './grpc-origin.ts';
import { type Contender, comparison, interleave } from './interleave.ts';
import type { BenchRow } from './run.ts';

/** Ten routes with a header rule, as a service of some age has them; the last one takes the call. */
const CLUSTER = 'outbound|80||echo.default.svc.cluster.local';
const ROUNDS = { rounds: 5, roundMs: 700 };
const CONCURRENCY = [1, 10];
const MESSAGES = 100;
const MESSAGE = Buffer.from('x'.repeat(100));

function startMesh(port: number): Mesh {
  const ads = createStaticAds();
  const others: RouteInit[] = Array.from({ length: 9 }, (_, index) => ({
    ...toCluster(CLUSTER, `/other.Service${index}`),
    name: `other-${index}`,
  }));
  ads.set('echo:80', listener('echo:80', CLUSTER));
  ads.set(CLUSTER, routes(CLUSTER, ...others, toCluster(CLUSTER)));
  ads.set(CLUSTER, cluster(CLUSTER));
  ads.set(CLUSTER, endpointsAt(CLUSTER, '127.0.0.1', port));
  return createMesh({ transport: ads.transport });
}

const Echo = grpc.makeClientConstructor(ECHO, 'Echo');
type Client = InstanceType<typeof Echo>;

const unary = (client: Client) => (): Promise<unknown> =>
  new Promise((resolve, reject) => {
    const call = client.unary as (message: Buffer, done: grpc.requestCallback<Buffer>) => unknown;
    call.call(client, MESSAGE, (error, value) => (error ? reject(error) : resolve(value)));
  });

/** Both ways on one stream, each message after the answer to the one before. */
const chat = (client: Client) => async (): Promise<void> => {
  const call = (client.chat as () => grpc.ClientDuplexStream<Buffer, Buffer>).call(client);
  for (let n = 0; n < MESSAGES; n++) {
    const answer = once(call, 'data');
    call.write(MESSAGE);
    await answer;
  }
  const status = once(call, 'status');
  call.end();
  await status;
};

export async function bench(): Promise<BenchRow[]> {
  const origin = await startGrpcOrigin();
  const mesh = startMesh(origin.port);
  const insecure = grpc.credentials.createInsecure();
  const ours = new Echo('echo:80', insecure, mesh.grpc());
  const theirs = new Echo(`127.0.0.1:${origin.port}`, insecure);
  const pair = (run: (client: Client) => () => Promise<unknown>): readonly Contender[] => [
    { name: 'mesh.grpc()', run: run(ours) },
    { name: 'grpc-js', run: run(theirs) },
  ];
  const rows: BenchRow[] = [];
  for (const concurrency of CONCURRENCY) {
    rows.push(
      ...comparison(
        `unary, ${concurrency} at a time`,
        await interleave(pair(unary), { ...ROUNDS, concurrency }),
        'calls/s',
      ),
    );
  }
  rows.push(
    ...comparison(
      `a stream of ${MESSAGES} messages there and back`,
      await interleave(pair(chat), { ...ROUNDS, concurrency: 1 }),
      'calls/s',
    ),
  );
  for (const client of [ours, theirs]) client.close();
  await mesh.close();
  await origin.close();
  return rows;
}
