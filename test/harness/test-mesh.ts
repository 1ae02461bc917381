import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createMesh, type Mesh } from '../../sdk/src/mesh.ts';
import type { MeshOptions } from '../../sdk/src/options.ts';
import { createStaticAds, type StaticAds } from './static-ads.ts';
import { cluster, endpointsAt, listener, type RouteInit, routes, toCluster } from './xds-resources.ts';

/** A mesh with one host, `reviews:9080`, whose endpoints are servers of the test. */
export interface TestMesh extends AsyncDisposable {
  readonly mesh: Mesh;
  readonly ads: StaticAds;
  readonly origin: Origin;
  /** `http://reviews:9080` */
  readonly url: string;
  /** Makes another host of the mesh. */
  host(target: string, port: number, ...list: RouteInit[]): void;
}

export interface Origin {
  readonly port: number;
  readonly server: Server;
  readonly requests: IncomingMessage[];
  close(): Promise<void>;
}

export async function startOrigin(answer: RequestListener): Promise<Origin> {
  const requests: IncomingMessage[] = [];
  const server = createServer((request: IncomingMessage, response: ServerResponse) => {
    requests.push(request);
    answer(request, response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = () =>
    new Promise<void>((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { port, server, requests, close };
}

export const CLUSTER = 'outbound|9080||reviews.default.svc.cluster.local';

export async function startTestMesh(answer: RequestListener, options: MeshOptions = {}): Promise<TestMesh> {
  const origin = await startOrigin(answer);
  const ads = createStaticAds();
  const mesh = createMesh({ transport: ads.transport, ...options }, { env: {} });
  const host = (target: string, port: number, ...list: RouteInit[]): void => {
    const name = target === 'reviews:9080' ? CLUSTER : `outbound|${target}`;
    ads.set(target, listener(target, name));
    ads.set(name, routes(name, ...(list.length > 0 ? list : [toCluster(name)])));
    ads.set(name, cluster(name));
    ads.set(name, assignment(name, port));
  };
  host('reviews:9080', origin.port);
  return {
    mesh,
    ads,
    origin,
    url: 'http://reviews:9080',
    host,
    async [Symbol.asyncDispose]() {
      await mesh.close();
      await origin.close();
    },
  };
}

export const assignment = (name: string, ...ports: number[]) => endpointsAt(name, '127.0.0.1', ...ports);

export async function readAll(request: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return text;
}
