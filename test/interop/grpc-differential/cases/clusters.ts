import type { JsonObject } from '@bufbuild/protobuf';
import type { CaseCluster, GrpcCase } from '../case.ts';
import { HANG_MS, to, without } from './pieces.ts';

const AGGREGATE = 'type.googleapis.com/envoy.extensions.clusters.aggregate.v3.ClusterConfig';
const aggregate = (...clusters: readonly string[]): CaseCluster => ({
  fields: {
    cluster_type: { name: 'envoy.clusters.aggregate', typed_config: { '@type': AGGREGATE, clusters: [...clusters] } },
  },
});
const group = (name: string, given: Omit<GrpcCase, 'name' | 'area' | 'routes'> & Partial<GrpcCase>): GrpcCase => ({
  name: `cluster-${name}`,
  area: 'clusters',
  routes: [to('all')],
  ...given,
});
const chain = (depth: number): Readonly<Record<string, CaseCluster>> => ({
  all: aggregate('level-1'),
  ...Object.fromEntries(
    Array.from({ length: depth }, (_, at) => [
      `level-${at + 1}`,
      aggregate(at + 1 === depth ? 'a' : `level-${at + 2}`),
    ]),
  ),
});
const unwell: CaseCluster = { hosts: [{ host: 'a', health: 'UNHEALTHY' }] };
const XDSTP = 'xdstp://authority.test/envoy.config.listener.v3.Listener/svc';
const renamed = (all: readonly JsonObject[]): readonly JsonObject[] =>
  all.map((one) => (String(one['@type']).endsWith('.Listener') ? { ...one, name: XDSTP } : one));

export const CLUSTERS: readonly GrpcCase[] = [
  group('aggregate-provided', {
    rule: 'an aggregate cluster of `lb_policy: CLUSTER_PROVIDED`, as Envoy wants it',
    clusters: { all: { fields: { ...aggregate('a').fields, lb_policy: 'CLUSTER_PROVIDED' } } },
    steps: [{ timeoutMs: HANG_MS }],
  }),
  group('aggregate', {
    rule: 'an aggregate cluster uses its first',
    fetch: true,
    clusters: { all: aggregate('a', 'b') },
    steps: [{ times: 5 }],
  }),
  group('aggregate-failover', {
    rule: 'and its second where nobody of the first can be connected to',
    hosts: [{ name: 'a', refuses: true }, 'b'],
    clusters: { all: aggregate('a', 'b') },
    steps: [{ until: 'OK b' }, { times: 5 }],
  }),
  group('aggregate-unhealthy', {
    rule: 'and its second where all of the first are UNHEALTHY',
    fetch: true,
    clusters: { all: aggregate('a', 'b'), a: unwell },
    steps: [{ times: 5 }],
  }),
  group('aggregate-missing', {
    rule: 'one of its clusters does not exist',
    clusters: { all: aggregate('nobody', 'b') },
    steps: [{ timeoutMs: 20_000 }],
  }),
  group('aggregate-bad', {
    rule: 'one of its clusters is refused',
    clusters: {
      all: aggregate('a', 'b'),
      a: { hosts: ['a'], fields: { type: 'STATIC', load_assignment: { cluster_name: 'a' } } },
    },
    steps: [{ timeoutMs: HANG_MS }],
  }),
  group('aggregate-nested', {
    rule: 'an aggregate of aggregates',
    fetch: true,
    clusters: { all: aggregate('inner', 'b'), inner: aggregate('a') },
    steps: [{ times: 3 }],
  }),
  group('aggregate-deep', { rule: 'fifteen levels', clusters: chain(14), steps: [{ timeoutMs: HANG_MS }] }),
  group('aggregate-too-deep', {
    rule: 'more than sixteen levels: its calls fail',
    clusters: chain(20),
    steps: [{ timeoutMs: HANG_MS }],
  }),
  group('aggregate-loop', {
    rule: 'aggregates that name each other: its calls fail',
    clusters: { all: aggregate('inner'), inner: aggregate('all') },
    steps: [{ timeoutMs: HANG_MS }],
  }),
  group('aggregate-loop-beside', {
    rule: 'a loop beside a good cluster',
    clusters: { all: aggregate('a', 'all') },
    steps: [{ timeoutMs: HANG_MS }],
  }),
  group('aggregate-twice', {
    rule: 'a cluster that comes twice counts once',
    clusters: { all: aggregate('a', 'a', 'b') },
    steps: [{ times: 3 }],
  }),
  group('aggregate-empty', {
    rule: 'an aggregate of nothing is refused',
    clusters: { all: aggregate() },
    steps: [{ timeoutMs: HANG_MS }],
  }),
  group('aggregate-changed', {
    rule: 'an aggregate that comes to name others',
    fetch: true,
    clusters: { all: aggregate('a') },
    steps: [{}, { serve: { clusters: { all: aggregate('b') } } }, { until: 'OK b' }],
  }),
  group('dns', {
    rule: 'LOGICAL_DNS resolves its one name',
    clusters: { all: { dns: { host: 'a', address: 'localhost' } } },
    steps: [{ times: 3 }],
  }),
  group('dns-address', {
    rule: 'LOGICAL_DNS with an address in place of a name',
    clusters: { all: { dns: { host: 'a', address: '127.0.0.1' } } },
    steps: [{ times: 3 }],
  }),
  group('dns-unknown', {
    rule: 'LOGICAL_DNS of a name that nobody has',
    clusters: { all: { dns: { host: 'a', address: 'nobody.invalid' } } },
    steps: [{ timeoutMs: 15_000 }],
  }),
  group('dns-none', {
    rule: 'LOGICAL_DNS without an endpoint is refused',
    clusters: {
      all: { fields: { type: 'LOGICAL_DNS', eds_cluster_config: {}, load_assignment: { cluster_name: 'all' } } },
    },
    steps: [{ timeoutMs: HANG_MS }],
  }),
  group('dns-aggregate', {
    rule: 'an aggregate with LOGICAL_DNS behind EDS',
    clusters: { all: aggregate('a', 'byname'), a: unwell, byname: { dns: { host: 'b', address: 'localhost' } } },
    steps: [{ times: 3 }],
  }),
  group('federation', {
    rule: 'an authority of the target and its template',
    target: 'xds://authority.test/svc',
    listenerName: XDSTP,
    bootstrap: {
      authorities: {
        'authority.test': {
          client_listener_resource_name_template: 'xdstp://authority.test/envoy.config.listener.v3.Listener/%s',
        },
      },
    },
    routes: [to('a')],
    steps: [{ timeoutMs: HANG_MS }],
    alter: renamed,
  }),
  group('federation-template', {
    rule: 'a template of the bootstrap that names an authority',
    listenerName: `${XDSTP}.test:80`,
    bootstrap: {
      authorities: { 'authority.test': {} },
      client_default_listener_resource_name_template: 'xdstp://authority.test/envoy.config.listener.v3.Listener/%s',
    },
    routes: [to('a')],
    steps: [{ timeoutMs: HANG_MS }],
  }),
  group('listener-template', {
    rule: '`client_default_listener_resource_name_template`',
    listenerName: 'templates/svc.test:80',
    bootstrap: { client_default_listener_resource_name_template: 'templates/%s' },
    routes: [to('a')],
    steps: [{ timeoutMs: HANG_MS }],
  }),
  group('endpoints-missing', {
    rule: 'a cluster whose endpoints are not sent',
    routes: [to('a')],
    alter: without('ClusterLoadAssignment', 'a'),
    steps: [{ timeoutMs: HANG_MS }],
  }),
];
