import { create, fromBinary, type MessageInitShape, toBinary } from '@bufbuild/protobuf';
import { durationMs } from '@bufbuild/protobuf/wkt';
import { LoadStatsRequestSchema, LoadStatsResponseSchema } from '@inmesh/sdk/internal/gen/services';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createFakeClock } from '../../../test/harness/fake-clock.ts';
import { defaultOf } from '../defaults.ts';
import { LoadBook } from './load-book.ts';
import { createLoadService } from './load-service.ts';
import { LOCAL, type Peer } from './peer.ts';

type Request = MessageInitShape<typeof LoadStatsRequestSchema>;

const NODE = { id: 'web-1', clientFeatures: ['envoy.lrs.supports_send_all_clusters'] };

function setUp() {
  const clock = createFakeClock();
  const book = new LoadBook((cluster) => cluster.replace(/^xdstp:.*\//, ''));
  const service = createLoadService({
    clock,
    book,
    intervalMs: 5_000,
    clustersOf: ({ id, namespace }) => [`cluster of ${namespace}/${id}`],
  });
  const open = (peer = LOCAL) => {
    const said: Uint8Array[] = [];
    const ended: (readonly [number, string])[] = [];
    const stream = service.open({ send: (bytes) => said.push(bytes), end: (...why) => ended.push(why) }, peer);
    const report = (fields: Request) =>
      stream.receive(toBinary(LoadStatsRequestSchema, create(LoadStatsRequestSchema, fields)));
    const asked = () => said.map((bytes) => fromBinary(LoadStatsResponseSchema, bytes));
    return { stream, report, asked, ended };
  };
  return { clock, book, service, open };
}

const proven = (namespace: string): Peer => ({
  ...LOCAL,
  principal: { kind: 'workload', trustDomain: 'cluster.local', namespace, serviceAccount: 'web', via: 'certificate' },
});

const stats = (clusterName: string, calls: number, inProgress = 0): NonNullable<Request['clusterStats']>[number] => ({
  clusterName,
  upstreamLocalityStats: [
    {
      locality: { region: 'eu', zone: 'a' },
      totalSuccessfulRequests: BigInt(calls),
      totalErrorRequests: 1n,
      totalIssuedRequests: BigInt(calls + 1),
      totalRequestsInProgress: BigInt(inProgress),
      loadMetricStats: [{ metricName: 'cpu', numRequestsFinishedWithMetric: 2n, totalMetricValue: 0.5 }],
    },
  ],
});

describe('load reports (LRS)', () => {
  it('asks who can for all clusters, and others for those that they subscribe to', () => {
    const { open } = setUp();
    const [all, named] = [open(), open()];
    all.report({ node: NODE });
    named.report({ node: { id: 'old' } });
    const [everything] = all.asked();
    expect(everything).toMatchObject({ sendAllClusters: true, clusters: [] });
    expect(everything?.loadReportingInterval && durationMs(everything.loadReportingInterval)).toBe(5_000);
    expect(named.asked()).toMatchObject([{ sendAllClusters: false, clusters: ['cluster of default/old'] }]);
  });

  it('adds up what clients say of a place; calls under way are those of the clients that are there', () => {
    const { open, book } = setUp();
    const [one, two] = [open(), open()];
    one.report({ node: NODE });
    two.report({ node: NODE });
    one.report({ clusterStats: [stats('c', 10, 3)] });
    two.report({ clusterStats: [stats('xdstp://mesh/Cluster/c', 5, 2)] });
    one.report({ clusterStats: [stats('c', 1, 1)] });
    const place = { cluster: 'c', region: 'eu', zone: 'a', subZone: '', priority: 0 };
    const sums = { successes: 16, errors: 3, issued: 19, metrics: { cpu: { calls: 6, total: 1.5 } } };
    expect(book.report()).toMatchObject({ clients: 2, localities: [{ ...place, ...sums, inProgress: 3 }] });
    two.stream.closed();
    expect(book.report()).toMatchObject({ clients: 1, localities: [{ ...sums, inProgress: 1 }] });
    one.stream.closed();
    one.stream.closed();
    expect(book.report()).toMatchObject({ clients: 0, localities: [{ ...sums, inProgress: 0 }] });
  });

  it('drops by category; what is in the total alone has none', () => {
    const { open, book } = setUp();
    const { report } = open();
    report({ node: NODE });
    report({
      clusterStats: [
        { clusterName: 'c', totalDroppedRequests: 7n, droppedRequests: [{ category: 'lb', droppedCount: 5n }] },
      ],
    });
    expect(book.report().dropped).toEqual([
      { cluster: 'c', category: 'lb', calls: 5 },
      { cluster: 'c', category: '', calls: 2 },
    ]);
  });

  it.each([
    ['a first request without a node', LOCAL, {}, 3],
    ['whoever has proven nothing on another machine', { ...LOCAL, isPublic: true }, { node: NODE }, 7],
    [
      'whoever says to be of another namespace than it proves',
      {
        ...proven('shop'),
      },
      { node: { ...NODE, metadata: { NAMESPACE: 'bank' } } },
      7,
    ],
  ])('%s is not let in', (_who, peer, request, code) => {
    const { open, book } = setUp();
    const { report, ended } = open(peer);
    report(request);
    report({ node: NODE, clusterStats: [stats('c', 1)] });
    expect(ended).toMatchObject([[code, expect.any(String)]]);
    expect(book.report()).toMatchObject({ clients: 0, localities: [] });
  });

  it('ends streams that say nothing, and all of them when it closes', async () => {
    const { clock, open, service } = setUp();
    const [silent, well] = [open(), open()];
    well.report({ node: NODE });
    await clock.pass(defaultOf('firstRequestMs'));
    expect([silent.ended, well.ended]).toEqual([[[4, expect.any(String)]], []]);
    service.close();
    expect(well.ended).toEqual([[14, expect.any(String)]]);
  });

  it('one workload brings in its share of rows, in places and in drops, and no more', () => {
    const { open, book } = setUp();
    const [hostile, other, local] = [open(proven('shop')), open(proven('bank')), open()];
    for (const one of [hostile, other, local]) one.report({ node: NODE });
    const most = defaultOf('loadRowsPerClient');
    const many = (prefix: string, count: number) =>
      Array.from({ length: count }, (_, index) => stats(`${prefix}${index}`, 1));
    hostile.report({ clusterStats: many('x', most - 1) });
    const droppedRequests = [1, 2, 3].map((index) => ({ category: `c${index}`, droppedCount: 1n }));
    hostile.report({ clusterStats: [{ clusterName: 'x0', droppedRequests }] });
    const again = open(proven('shop'));
    again.report({ node: NODE, clusterStats: many('y', 10) });
    expect(book.report()).toMatchObject({ localities: { length: most - 1 }, dropped: { length: 1 }, overflow: 12 });
    other.report({ clusterStats: many('y', 10) });
    local.report({ clusterStats: many('z', 10) });
    expect(book.report().localities).toHaveLength(most + 19);
  });

  it('a stream that reports as fast as it can is ended', () => {
    const { open } = setUp();
    const { report, ended } = open();
    report({ node: NODE });
    for (let time = 0; time < 10_000 && ended.length === 0; time++) report({ clusterStats: [stats('c', 1)] });
    expect(ended).toMatchObject([[8, expect.stringContaining('bytes of reports in a second')]]);
  });

  it('figures that are none, and counts beyond reason, leave the sums as they are', () => {
    const { open, book } = setUp();
    const { report } = open();
    report({ node: NODE });
    report({ clusterStats: [stats('c', 1, 1)] });
    const hostile = [Number.NaN, Number.POSITIVE_INFINITY, 1e308, 1e308, 1e308].map((totalMetricValue) => ({
      metricName: 'cpu',
      numRequestsFinishedWithMetric: 1n,
      totalMetricValue,
    }));
    const most = 2n ** 64n - 1n;
    const one = { locality: { region: 'eu', zone: 'a' }, loadMetricStats: hostile, totalRequestsInProgress: most };
    const dropped = { totalDroppedRequests: most, droppedRequests: [{ category: 'x', droppedCount: most }] };
    report({
      clusterStats: [{ clusterName: 'c', upstreamLocalityStats: [{ ...one, totalIssuedRequests: most }], ...dropped }],
    });
    const { localities, dropped: drops } = book.report();
    expect(drops).toEqual([]);
    expect(localities).toMatchObject([{ issued: 2, inProgress: 0, metrics: { cpu: { calls: 3, total: 1e308 } } }]);
  });

  it('keeps no more rows than it may, and says what it leaves out', () => {
    const { open, book } = setUp();
    const { report } = open();
    report({ node: NODE });
    const most = defaultOf('loadRows');
    for (let from = 0; from < most + 2; from += 1_000) {
      const count = Math.min(1_000, most + 2 - from);
      report({ clusterStats: Array.from({ length: count }, (_, index) => stats(`c${from + index}`, 1)) });
    }
    expect(book.report().localities).toHaveLength(most);
    expect(book.report().overflow).toBe(2);
  });

  it('whatever bytes come, it never throws', () => {
    const { open } = setUp();
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 4 }), (messages) => {
        const { stream, ended } = open();
        for (const bytes of messages) stream.receive(bytes);
        stream.closed();
        expect(ended.length).toBeLessThanOrEqual(1);
      }),
    );
    const { stream, ended } = open();
    stream.receive(new Uint8Array(defaultOf('loadReportBytes') + 1));
    expect(ended).toMatchObject([[8, expect.any(String)]]);
  });
});
