import type { JsonObject } from '@bufbuild/protobuf';
import type { CaseCluster, GrpcCase, Step } from '../case.ts';
import { changed, HANG_MS, REST, to, without } from './pieces.ts';

const life = (name: string, given: Omit<GrpcCase, 'name' | 'area'>): GrpcCase => ({
  name: `life-${name}`,
  area: 'lifecycle',
  ...given,
});

const toB: Step = { serve: { routes: [to('b')] } };
const CALL: Step = { timeoutMs: HANG_MS };
const wrap = (all: readonly JsonObject[]): readonly JsonObject[] => all.map((resource) => ({ ...resource, $ttl: 600 }));
const onA = (fields: JsonObject): Readonly<Record<string, CaseCluster>> => ({ a: { hosts: ['a'], fields } });
/** More weight than there may be. */
const OVERFLOW = [
  { hosts: ['b'], weight: 4_294_967_295 },
  { hosts: ['b'], weight: 2 },
];
const REPORTED = onA({ lrs_server: { self: {} } });

const UPDATES: readonly GrpcCase[] = [
  life('route', {
    rule: 'new routes are followed',
    steps: [{}, toB, { until: 'OK b' }, { restore: true }, { until: 'OK a' }],
  }),
  life('endpoints', {
    rule: 'new endpoints are followed',
    steps: [{}, { serve: { clusters: { a: { hosts: ['b'] } } } }, { until: 'OK b' }, { times: 5 }],
  }),
  life('endpoints-gone', {
    rule: 'endpoints that go and come again',
    steps: [
      {},
      { serve: { clusters: { a: { assignment: { endpoints: [] } } } } },
      { until: 'UNAVAILABLE' },
      { restore: true },
      { until: 'OK a' },
    ],
  }),
  life('endpoints-later', {
    rule: 'a call that waits for ready gets the endpoints that come later',
    clusters: { a: { assignment: { endpoints: [] } } },
    steps: [
      { waitForReady: true, background: true },
      { waitMs: 500 },
      { serve: { clusters: { a: { hosts: ['a'] } } } },
    ],
  }),
  life('bad-routes', {
    rule: 'routes that are refused leave the good ones that were',
    killsNode: true,
    steps: [
      {},
      { serve: { routes: [to('b', { safe_regex: { regex: '(' } }), to('b')] } },
      { times: 3 },
      toB,
      { until: 'OK b' },
    ],
  }),
  life('bad-cluster', {
    rule: 'a cluster that is refused leaves the good one that was',
    steps: [{}, { serve: { clusters: onA({ outlier_detection: { enforcing_success_rate: 101 } }) } }, { times: 3 }],
  }),
  life('bad-endpoints', {
    rule: 'endpoints that are refused leave the good ones that were',
    steps: [{}, { serve: { clusters: { a: { localities: OVERFLOW } } } }, { times: 3 }],
  }),
  life('bad-listener', {
    rule: 'a Listener that is refused leaves the good one that was',
    steps: [{}, { serve: { allFilters: [] } }, { times: 3 }],
  }),
  life('non-forwarding', {
    rule: 'a `non_forwarding_action` that comes with an update',
    killsNode: true,
    steps: [
      {},
      { serve: { routes: [{ match: { prefix: '/test.Local/' }, non_forwarding_action: {} }, REST] } },
      { until: 'OK b' },
    ],
  }),
  life('weights', {
    rule: 'a route that comes to name a second cluster',
    steps: [
      {},
      {
        serve: {
          routes: [
            {
              match: { prefix: '' },
              route: {
                weighted_clusters: {
                  clusters: [
                    { name: 'a', weight: 0 },
                    { name: 'b', weight: 1 },
                  ],
                },
              },
            },
          ],
        },
      },
      { until: 'OK b' },
      { times: 5 },
    ],
  }),
];

const DELETIONS: readonly GrpcCase[] = [
  life('cluster-removed', {
    rule: 'a cluster that is removed: its calls fail',
    steps: [{}, { serve: { alter: without('Cluster', 'a') } }, { until: 'UNAVAILABLE' }],
  }),
  life('cluster-again', {
    rule: 'a cluster that is removed and comes again byte for byte',
    steps: [
      {},
      { serve: { alter: without('Cluster', 'a') } },
      { until: 'UNAVAILABLE' },
      { restore: true },
      { until: 'OK a' },
    ],
  }),
  life('cluster-again-changed', {
    rule: 'a cluster that is removed and comes again changed',
    steps: [
      {},
      { serve: { alter: without('Cluster', 'a') } },
      { until: 'UNAVAILABLE' },
      { serve: { clusters: onA({ connect_timeout: '3s' }), alter: (all) => all } },
      { until: 'OK a' },
    ],
  }),
  life('listener-removed', {
    rule: 'a Listener that is removed and comes again',
    steps: [
      {},
      { serve: { alter: without('Listener') } },
      { until: 'UNAVAILABLE', timeoutMs: 1_000 },
      { restore: true },
      { until: 'OK a' },
    ],
  }),
  life('listener-kept', {
    rule: 'a Listener that is removed where the server has `ignore_resource_deletion`',
    server: { server_features: ['xds_v3', 'ignore_resource_deletion'] },
    steps: [{}, { serve: { alter: without('Listener') } }, { times: 3 }],
  }),
  life('cluster-kept', {
    rule: 'a cluster that is removed where the server has `ignore_resource_deletion`',
    server: { server_features: ['xds_v3', 'ignore_resource_deletion'] },
    steps: [{}, { serve: { alter: without('Cluster', 'a') } }, { times: 3 }],
  }),
  life('routes-removed', {
    rule: 'routes and endpoints that are not sent any more are kept: their types say nothing of absence',
    steps: [
      {},
      { serve: { alter: (all) => without('RouteConfiguration')(without('ClusterLoadAssignment')(all)) } },
      { times: 3 },
    ],
  }),
  life('listener-missing', {
    rule: 'there is no such Listener: the call fails, or waits',
    alter: without('Listener'),
    steps: [{ timeoutMs: HANG_MS }],
  }),
  life('listener-late', {
    rule: 'a Listener that comes later',
    alter: without('Listener'),
    steps: [{ timeoutMs: 1_000, quiet: true }, { serve: { alter: (all) => all } }, { until: 'OK a' }],
  }),
  life('cluster-missing', {
    rule: 'a cluster that does not exist harms the others not',
    routes: [to('nobody', { prefix: '/test.None/' }), to('a')],
    steps: [{ timeoutMs: 25_000 }, { path: '/test.None/x', timeoutMs: HANG_MS }],
  }),
];

const STREAMS: readonly GrpcCase[] = [
  life('drop', {
    rule: 'calls go on while the stream to the control plane is lost, and what is new then is followed',
    steps: [{}, { drop: true }, { times: 5 }, toB, { until: 'OK b' }],
  }),
  life('wrapped', {
    rule: 'resources wrapped in discovery.v3.Resource (with a TTL)',
    alter: wrap,
    steps: [CALL],
  }),
  life('calls-in-flight', {
    rule: 'a call in flight stays where it is when its cluster is removed',
    steps: [
      {},
      { script: 'slow-1500', background: true },
      { waitMs: 200 },
      { serve: { routes: [to('b')], clusters: { a: { hosts: ['b'] } }, alter: without('Cluster', 'a') } },
      { until: 'OK b' },
    ],
  }),
  life('name-changed', {
    rule: 'a Listener that comes to name other routes',
    steps: [
      {},
      {
        serve: {
          alter: (all) =>
            changed(
              'Listener',
              (one) =>
                JSON.parse(
                  JSON.stringify(one).replace(/"route_config_name":"[^"]+"/, '"route_config_name":"other"'),
                ) as JsonObject,
            )(
              all.map((one) =>
                String(one['@type']).endsWith('RouteConfiguration')
                  ? { ...one, name: 'other', virtual_hosts: [{ name: 'all', domains: ['*'], routes: [to('b')] }] }
                  : one,
              ),
            ),
        },
      },
      { until: 'OK b' },
    ],
  }),
  life('loads', {
    rule: 'loads are reported where the cluster has `lrs_server: self`',
    clusters: REPORTED,
    steps: [{ times: 3 }, { script: '14' }, { loads: 4 }],
  }),
  life('loads-one', {
    rule: 'loads are reported where the control plane asks for that one cluster by name',
    clusters: REPORTED,
    steps: [{ times: 3 }, { loads: 3 }],
    loadsOf: ['a'],
  }),
  life('loads-off', {
    rule: 'loads are not reported where the cluster does not say so',
    steps: [{ times: 3 }, { waitMs: 1_200 }, { loads: 0 }],
  }),
];

export const LIFECYCLE: readonly GrpcCase[] = [...UPDATES, ...DELETIONS, ...STREAMS];
