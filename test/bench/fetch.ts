import { Pool, fetch as undiciFetch, request as undiciRequest } from 'undici';
import { createMesh, type Mesh } from '../../sdk/src/index.ts';
import { createStaticAds } from '../harness/static-ads.ts';
import { cluster, endpointsAt, listener, type RouteInit, routes, toCluster } from '../harness/xds-resources.ts';
import { type Contender, comparison, interleave } from './interleave.ts';
import { startOrigin } from './origin.ts';
import type { BenchRow } from './run.ts';

/** Ten routes with a header rule, as a service of some age has them; the last one takes the call. */
const CLUSTER = 'outbound|9080||reviews.default.svc.cluster.local';
const ROUNDS = { rounds: 5, roundMs: 700 };
const CONCURRENCY = [1, 10, 100];

function startMesh(port: number): Mesh {
  const ads = createStaticAds();
  const others: RouteInit[] = Array.from({ length: 9 }, (_, index) => ({
    ...toCluster(CLUSTER, `/other/${index}`),
    name: `other-${index}`,
  }));
  ads.set('reviews:9080', listener('reviews:9080', CLUSTER));
  ads.set(CLUSTER, routes(CLUSTER, ...others, toCluster(CLUSTER)));
  ads.set(CLUSTER, cluster(CLUSTER));
  ads.set(CLUSTER, endpointsAt(CLUSTER, '127.0.0.1', port));
  return createMesh({ transport: ads.transport });
}

/** undici's own verb with as little around it as can be. */
function dispatchOnce(dispatcher: Pick<Pool, 'dispatch'>, origin: string): Promise<void> {
  return new Promise((resolve, reject) => {
    dispatcher.dispatch(
      { origin, path: '/reviews/0', method: 'GET' },
      {
        onRequestStart() {},
        onResponseStart() {},
        onResponseData() {},
        onResponseEnd: () => resolve(),
        onResponseError: (_controller, error) => reject(error),
      },
    );
  });
}

interface Pair {
  readonly what: string;
  readonly ours: Contender;
  readonly theirs: Contender;
}

function pairs(mesh: Mesh, pool: Pool, port: number): readonly Pair[] {
  const [meshUrl, directUrl] = ['http://reviews:9080', `http://127.0.0.1:${port}`];
  return [
    {
      what: 'fetch',
      ours: { name: 'meshFetch', run: async () => (await mesh.fetch(`${meshUrl}/reviews/0`)).json() },
      theirs: {
        name: 'undici fetch',
        run: async () => (await undiciFetch(`${directUrl}/reviews/0`, { dispatcher: pool })).json(),
      },
    },
    {
      what: 'dispatch',
      ours: { name: 'mesh.dispatcher', run: () => dispatchOnce(mesh.dispatcher, meshUrl) },
      theirs: { name: 'Pool.dispatch', run: () => dispatchOnce(pool, directUrl) },
    },
    {
      what: 'request',
      ours: { name: 'mesh.request', run: async () => (await mesh.request(`${meshUrl}/reviews/0`)).body.json() },
      theirs: {
        name: 'undici.request',
        run: async () => (await undiciRequest(`${directUrl}/reviews/0`, { dispatcher: pool })).body.json(),
      },
    },
  ];
}

export async function bench(): Promise<BenchRow[]> {
  const origin = await startOrigin();
  const mesh = startMesh(origin.port);
  const rows: BenchRow[] = [];
  for (const concurrency of CONCURRENCY) {
    const pool = new Pool(`http://127.0.0.1:${origin.port}`, { connections: concurrency });
    for (const { what, ours, theirs } of pairs(mesh, pool, origin.port)) {
      const measured = await interleave([ours, theirs], { ...ROUNDS, concurrency });
      rows.push(...comparison(`${what}, ${concurrency} at a time`, measured, 'req/s'));
    }
    await pool.close();
  }
  await mesh.close();
  await origin.close();
  return rows;
}
