import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import { durationFromMs } from '@bufbuild/protobuf/wkt';
import { describe, expect, it } from 'vitest';
import { createFakeClock, settle } from '../../../test/harness/fake-clock.ts';
import { createResourceBoard } from '../../../test/harness/resource-board.ts';
import { NodeSchema } from '../../gen/core.js';
import { type LoadStatsRequest, LoadStatsRequestSchema, LoadStatsResponseSchema } from '../../gen/services.js';
import type { AdsListener, AdsTransport } from '../discovery/transport.ts';
import { createLoads } from './loads.ts';

interface Opened {
  readonly sent: LoadStatsRequest[];
  readonly on: AdsListener;
  isClosed: boolean;
}

/** Control planes that take load reports; `main` is listened to for all that has no authority. */
function open(names: readonly string[] = ['main']) {
  const clock = createFakeClock();
  const streams = new Map<string, Opened[]>(names.map((server) => [server, []]));
  const transports = names.map(
    (server): AdsTransport => ({
      server,
      open: () => {
        throw new Error('loads alone');
      },
      openLoads(on) {
        const one: Opened = { sent: [], on, isClosed: false };
        streams.get(server)?.push(one);
        return {
          send: (bytes) => one.sent.push(fromBinary(LoadStatsRequestSchema, bytes)),
          close: () => {
            one.isClosed = true;
          },
          ref: () => {},
          unref: () => {},
        };
      },
    }),
  );
  let listened = 'main';
  const status = createResourceBoard().discovery.status();
  const node = create(NodeSchema, { id: 'me', clientFeatures: ['x'] });
  const loads = createLoads({
    transports,
    clock,
    random: () => 0x8000_0000,
    emit: () => {},
    discovery: {
      serverOf: (name) => (name.startsWith('other/') ? 'other' : listened),
      status: () => ({ ...status, node }),
    },
  });
  const latest = (server = 'main') => streams.get(server)?.at(-1);
  const ask = (intervalMs: number, clusters: readonly string[] | 'all' = 'all', server = 'main'): void => {
    const all = clusters === 'all';
    const question = create(LoadStatsResponseSchema, {
      sendAllClusters: all,
      clusters: all ? [] : [...clusters],
      loadReportingInterval: durationFromMs(intervalMs),
    });
    latest(server)?.on.message(toBinary(LoadStatsResponseSchema, question));
  };
  /** Names of clusters with what was issued, of each report. */
  const reports = (server = 'main') =>
    latest(server)
      ?.sent.slice(1)
      .map(({ clusterStats }) =>
        clusterStats
          .map((one) => `${one.clusterName} ${one.upstreamLocalityStats[0]?.totalIssuedRequests ?? 0}`)
          .join(),
      );
  const called = (cluster: string) => {
    const tally = loads.tallies.open(cluster, 'service');
    return (): void => {
      const one = tally.of({ region: 'r', zone: 'z', subZone: '' }, 1);
      one.begin();
      one.end(true);
    };
  };
  return { clock, streams, loads, latest, ask, reports, called, listenTo: (server: string) => (listened = server) };
}

const loaded = async (): Promise<void> => {
  await import('./load-reports.ts');
  await settle();
};

describe('load reports', () => {
  it('nobody is spoken to, and nothing is timed, before a cluster asks for it', async () => {
    const { clock, streams } = open();
    await loaded();
    expect(clock.pending()).toEqual([]);
    expect(streams.get('main')).toEqual([]);
  });

  it('a stream begins with who we are, then waits to be asked', async () => {
    const { clock, latest, called } = open();
    called('a');
    await loaded();
    expect(latest()?.sent[0]?.node).toMatchObject({
      id: 'me',
      clientFeatures: ['x', 'envoy.lrs.supports_send_all_clusters'],
    });
    expect(clock.pending()).toEqual([]);
  });

  it('reports as often as it is asked to, each thing once', async () => {
    const { clock, ask, latest, reports, called } = open();
    const call = called('a');
    await loaded();
    ask(1_000);
    call();
    call();
    await clock.pass(1_000);
    await clock.pass(1_000);
    call();
    await clock.pass(1_000);
    expect(reports()).toEqual(['a 2', '', 'a 1']);
    expect(latest()?.sent[1]?.clusterStats[0]).toMatchObject({
      clusterName: 'a',
      clusterServiceName: 'service',
      upstreamLocalityStats: [
        { locality: { region: 'r', zone: 'z' }, priority: 1, totalIssuedRequests: 2n, totalSuccessfulRequests: 2n },
      ],
      loadReportInterval: { seconds: 1n },
    });
  });

  it('reports the clusters that are named; another answer asks for others, in its own time', async () => {
    const { clock, ask, reports, called } = open();
    const calls = [called('a'), called('b')];
    await loaded();
    for (const call of calls) call();
    ask(1_000, ['b']);
    await clock.pass(1_000);
    ask(500);
    await clock.pass(500);
    expect(reports()).toEqual(['b 1', 'a 1']);
  });

  it('tells of drops and metrics', async () => {
    const { clock, ask, latest, loads } = open();
    const tally = loads.tallies.open('a', '');
    await loaded();
    ask(1_000);
    tally.drop('much');
    const one = tally.of({ region: '', zone: '', subZone: '' }, 0);
    one.begin();
    const metrics = new Map([['named_metrics.queue', 2.5]]);
    one.add({ cpu: 0, memory: 0, application: 0, requests: 0, errors: 0, metrics });
    await clock.pass(1_000);
    expect(latest()?.sent[1]?.clusterStats[0]).toMatchObject({
      totalDroppedRequests: 1n,
      droppedRequests: [{ category: 'much', droppedCount: 1n }],
      upstreamLocalityStats: [
        {
          totalRequestsInProgress: 1n,
          loadMetricStats: [{ metricName: 'queue', numRequestsFinishedWithMetric: 1n, totalMetricValue: 2.5 }],
        },
      ],
    });
  });

  it('an interval of nothing asks for nothing; one that is too short is not taken at its word', async () => {
    const { clock, ask, reports, called } = open();
    called('a');
    await loaded();
    ask(0);
    expect(clock.pending()).toEqual([]);
    ask(1);
    await clock.pass(99);
    expect(reports()).toEqual([]);
    await clock.pass(1);
    expect(reports()).toEqual(['']);
  });

  it('a stream that is lost begins again after a pause, which grows; what was counted meanwhile is told then', async () => {
    const { clock, streams, latest, ask, reports, called } = open();
    const call = called('a');
    await loaded();
    ask(1_000);
    const pauses: number[] = [];
    for (let lost = 0; lost < 3; lost++) {
      latest()?.on.close({ code: 14, message: 'gone' });
      const [pause = 0] = clock.pending();
      expect(clock.pending()).toHaveLength(1);
      pauses.push(pause);
      await clock.pass(pause);
    }
    expect(pauses).toEqual([...pauses].sort((one, other) => one - other));
    expect(new Set(pauses).size).toBe(3);
    expect(streams.get('main')).toHaveLength(4);
    call();
    ask(1_000);
    await clock.pass(1_000);
    expect(reports()).toEqual(['a 1']);
  });

  it('a word that cannot be read ends the stream', async () => {
    const { clock, latest, called } = open();
    called('a');
    await loaded();
    latest()?.on.message(Uint8Array.of(0xff));
    expect(latest()?.isClosed).toBe(true);
    expect(clock.pending()).toHaveLength(1);
  });

  it('ends with the last cluster, and with the mesh', async () => {
    const { clock, streams, latest, ask, loads, called } = open();
    called('a');
    called('b');
    await loaded();
    ask(1_000);
    loads.tallies.close('a');
    expect(latest()?.isClosed).toBe(false);
    loads.tallies.close('b');
    expect(latest()?.isClosed).toBe(true);
    expect(clock.pending()).toEqual([]);
    called('a');
    expect(streams.get('main')).toHaveLength(2);
    loads.close();
    expect(latest()?.isClosed).toBe(true);
    called('c');
    expect(streams.get('main')).toHaveLength(2);
  });

  it('the last of a cluster that is no longer called is told too', async () => {
    const { clock, ask, reports, loads, called } = open();
    const call = called('a');
    called('b');
    await loaded();
    ask(1_000);
    call();
    loads.tallies.close('a');
    await clock.pass(2_000);
    expect(reports()).toEqual(['a 1', '']);
  });

  it('each control plane is told of its own clusters, and another one once that is listened to', async () => {
    const { clock, streams, ask, reports, called, listenTo } = open(['main', 'other', 'spare']);
    const calls = [called('a'), called('other/b')];
    await loaded();
    for (const call of calls) call();
    ask(1_000);
    ask(1_000, 'all', 'other');
    await clock.pass(1_000);
    expect([reports('main'), reports('other')]).toEqual([['a 1'], ['other/b 1']]);
    expect(streams.get('spare')).toEqual([]);
    listenTo('spare');
    calls[0]?.();
    await clock.pass(1_000);
    ask(1_000, 'all', 'spare');
    await clock.pass(1_000);
    expect(reports('spare')).toEqual(['a 1']);
    expect(streams.get('main')?.at(-1)?.isClosed).toBe(true);
  });
});
