/** A process of many channels, then of many calls at a time; tells what each holds. */
import process from 'node:process';
import { setTimeout as delay } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { createMesh } from '../../sdk/src/index.ts';
import { createStaticAds } from '../harness/static-ads.ts';
import { cluster, endpointsAt, listener, routes, toCluster } from '../harness/xds-resources.ts';
import { MESSAGE } from './grpc-contenders.ts';
import { ECHO } from './grpc-origin.ts';

/** Bytes. */
export interface Held {
  readonly channel: number;
  readonly call: number;
}

const CLUSTER = 'outbound|80||echo.default.svc.cluster.local';
const CHANNELS = 200;
const CALLS = 2_000;
const ROUNDS_OF_COLLECTION = 5;

const Echo = grpc.makeClientConstructor(ECHO, 'Echo');

async function held(): Promise<number> {
  for (let round = 0; round < ROUNDS_OF_COLLECTION; round++) {
    globalThis.gc?.();
    await delay(50);
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

function meshTo(port: number) {
  const ads = createStaticAds();
  ads.set('echo:80', listener('echo:80', CLUSTER));
  ads.set(CLUSTER, routes(CLUSTER, toCluster(CLUSTER)));
  ads.set(CLUSTER, cluster(CLUSTER));
  ads.set(CLUSTER, endpointsAt(CLUSTER, '127.0.0.1', port));
  return createMesh({ transport: ads.transport }, { env: {} });
}

const ask = (client: InstanceType<typeof Echo>): Promise<unknown> =>
  new Promise((resolve, reject) =>
    client.unary?.(MESSAGE, (error: unknown, value: unknown) => (error ? reject(error) : resolve(value))),
  );

async function measure(by: string, port: number): Promise<Held> {
  const mesh = by === 'mesh' ? meshTo(port) : undefined;
  const [target, options] = mesh === undefined ? [`127.0.0.1:${port}`, {}] : ['echo:80', mesh.grpc()];
  // Of clients with the same options grpc-js shares what is below the channel.
  const dial = () => new Echo(target, grpc.credentials.createInsecure(), { ...options });
  const client = dial();
  for (let n = 0; n < 500; n++) await ask(client);
  const before = await held();
  const clients = Array.from({ length: CHANNELS }, dial);
  for (const one of clients) await ask(one);
  const channels = await held();
  const calls = Array.from({ length: CALLS }, () => client.hold?.(MESSAGE, () => {}));
  await delay(500);
  const under = await held();
  for (const one of clients) one.close();
  const isAlive = calls.length > 0 && clients.length > 0;
  return { channel: isAlive ? (channels - before) / CHANNELS : 0, call: (under - channels) / CALLS };
}

process.send?.(await measure(process.argv[2] ?? '', Number(process.argv[3])));
process.once('disconnect', () => process.exit());
