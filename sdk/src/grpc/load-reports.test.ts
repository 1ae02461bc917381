import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { rawMethod } from '../../../test/harness/raw-method.ts';
import { anyOf } from '../../../test/harness/scripted-ads.ts';
import { ClientSideWeightedRoundRobinSchema, WrrLocalitySchema } from '../../gen/cluster.js';
import { OrcaLoadReportRequestSchema, OrcaLoadReportSchema } from '../../gen/services.js';
import { until } from '../connection/origin.fixture.ts';
import { type GrpcPeer, servePeer } from './peer.fixture.ts';
import { type Stage, shares, startStage, unary } from './policy.fixture.ts';

/** Client-side weighted round robin (gRFC A58) over a gRPC channel: reports with answers, and out of band. */

let stage: Stage;
const peers: GrpcPeer[] = [];
beforeEach(async () => {
  stage = await startStage();
});
afterEach(async () => {
  await stage.close();
  for (const peer of peers.splice(0)) peer.close();
});

type Load = { cpuUtilization?: number; rpsFractional?: number; eps?: number };
const bytesOf = (load: Load) => Buffer.from(toBinary(OrcaLoadReportSchema, create(OrcaLoadReportSchema, load)));

/** Answers by its name, and reports in its trailers. */
const reporting = (name: string, load: Load) => ({
  unary: (_: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
    const trailer = new grpc.Metadata();
    trailer.set('endpoint-load-metrics-bin', bytesOf(load));
    done(null, Buffer.from(name), trailer);
  },
});

const weighted = (fields: object = {}) => {
  const config = { blackoutPeriod: {}, weightUpdatePeriod: { nanos: 100_000_000 }, ...fields };
  const typedConfig = anyOf(ClientSideWeightedRoundRobinSchema, config);
  const policy = { policies: [{ typedExtensionConfig: { name: 'wrr', typedConfig } }] };
  const outer = anyOf(WrrLocalitySchema, { endpointPickingPolicy: policy });
  return { loadBalancingPolicy: { policies: [{ typedExtensionConfig: { name: 'l', typedConfig: outer } }] } };
};

/** Calls on until the shares are as they should be, within a tenth. */
async function untilShared(client: Parameters<typeof shares>[0], wanted: Readonly<Record<string, number>>) {
  for (let i = 0; i < 200; i++) {
    const found = await shares(client, 60);
    const isRight = Object.entries(wanted).every(
      ([name, share]) => Math.abs((found.get(name) ?? 0) / 60 - share) < 0.1,
    );
    if (isRight) return;
  }
  throw new Error(`the shares never were ${JSON.stringify(wanted)}`);
}

describe('load reports with answers', () => {
  it('give each server its share: its requests by its utilisation', async () => {
    const a = await stage.peer(reporting('a', { cpuUtilization: 0.25, rpsFractional: 100 }));
    const b = await stage.peer(reporting('b', { cpuUtilization: 0.75, rpsFractional: 100 }));
    stage.set({ clusters: { a: { groups: [{ peers: [a, b] }], extra: weighted() } } });
    await untilShared(stage.client(), { a: 0.75, b: 0.25 });
  });

  it('count errors as utilisation', async () => {
    const a = await stage.peer(reporting('a', { cpuUtilization: 0.5, rpsFractional: 100, eps: 50 }));
    const b = await stage.peer(reporting('b', { cpuUtilization: 0.5, rpsFractional: 100 }));
    stage.set({ clusters: { a: { groups: [{ peers: [a, b] }], extra: weighted() } } });
    await untilShared(stage.client(), { a: 1 / 3, b: 2 / 3 });
  });

  it('in the head of an answer that is its end count too', async () => {
    const failing = (load: Load) => ({
      unary: (_: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        const metadata = new grpc.Metadata();
        metadata.set('endpoint-load-metrics-bin', bytesOf(load));
        done({ code: grpc.status.NOT_FOUND, metadata });
      },
    });
    const light = await stage.peer(failing({ cpuUtilization: 0.2, rpsFractional: 100 }));
    const busy = await stage.peer(failing({ cpuUtilization: 0.8, rpsFractional: 100 }));
    stage.set({ clusters: { a: { groups: [{ peers: [light, busy] }], extra: weighted() } } });
    const client = stage.client();
    const isWeighted = async () => {
      const before = stage.calls().length;
      for (let i = 0; i < 50; i++) await unary(client);
      const to = stage
        .calls()
        .slice(before)
        .map(({ story }) => story.endpoint);
      return to.filter((endpoint) => endpoint.endsWith(`:${light.port}`)).length >= 38;
    };
    while (!(await isWeighted())) {
      // The weights are on their way.
    }
  });

  it('do not count during the blackout', async () => {
    const a = await stage.peer(reporting('a', { cpuUtilization: 0.1, rpsFractional: 100 }));
    const b = await stage.peer(reporting('b', { cpuUtilization: 0.9, rpsFractional: 100 }));
    const extra = weighted({ blackoutPeriod: { seconds: 3_600n } });
    stage.set({ clusters: { a: { groups: [{ peers: [a, b] }], extra } } });
    const client = stage.client();
    for (let i = 0; i < 5; i++) expect([...(await shares(client, 40)).values()]).toEqual([20, 20]);
  });

  it('that are none change nothing', async () => {
    const broken = {
      unary: (_: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        const trailer = new grpc.Metadata();
        trailer.set('endpoint-load-metrics-bin', Buffer.from([255, 255, 255]));
        done(null, Buffer.from('broken'), trailer);
      },
    };
    const [a, b] = [
      await stage.peer(broken),
      await stage.peer(reporting('b', { cpuUtilization: 1, rpsFractional: 1 })),
    ];
    stage.set({ clusters: { a: { groups: [{ peers: [a, b] }], extra: weighted() } } });
    expect([...(await shares(stage.client(), 40)).values()]).toEqual([20, 20]);
  });
});

describe('load reports out of band', () => {
  const OPEN_RCA = { stream: rawMethod('/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics', false, true) };

  /** A server with the service; `end` closes its streams with a status. */
  async function reporter(name: string, load: Load) {
    const asked: (number | undefined)[] = [];
    const open: grpc.ServerWritableStream<Buffer, Buffer>[] = [];
    const cancelled = Promise.withResolvers<void>();
    const peer = await servePeer(reporting(name, { cpuUtilization: 0.5, rpsFractional: 1_000 }));
    peers.push(peer);
    peer.server.addService(OPEN_RCA, {
      stream: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
        const { reportInterval } = fromBinary(OrcaLoadReportRequestSchema, call.request);
        asked.push(Number(reportInterval?.seconds ?? -1n) * 1_000 + (reportInterval?.nanos ?? 0) / 1_000_000);
        open.push(call);
        call.on('cancelled', () => cancelled.resolve());
        call.write(bytesOf(load));
      },
    });
    return { ...peer, asked, open, cancelled: cancelled.promise };
  }

  const outOfBand = (fields: object = {}) =>
    weighted({ enableOobLoadReport: true, oobReportingPeriod: { seconds: 7n, nanos: 500_000_000 }, ...fields });

  it('are asked for from each server that is called, this often, and weigh it; those with answers do not count then', async () => {
    const a = await reporter('a', { cpuUtilization: 0.25, rpsFractional: 100 });
    const b = await reporter('b', { cpuUtilization: 0.75, rpsFractional: 100 });
    stage.set({ clusters: { a: { groups: [{ peers: [a, b] }], extra: outOfBand() } } });
    await untilShared(stage.client(), { a: 0.75, b: 0.25 });
    expect([a.asked, b.asked]).toEqual([[7_500], [7_500]]);
  });

  it('are no longer read of a server that sends them as fast as it can', async () => {
    const load = { cpuUtilization: 0.5, rpsFractional: 100 };
    const a = await reporter('a', load);
    stage.set({ clusters: { a: { groups: [{ peers: [a] }], extra: outOfBand() } } });
    const client = stage.client();
    await unary(client);
    await until(() => a.open.length === 1);
    for (let i = 0; i < 100; i++) a.open[0]?.write(bytesOf(load));
    await a.cancelled;
    expect((await unary(client)).status.code).toBe(grpc.status.OK);
  });

  it('are asked for again when the stream has ended, and not of a server that knows no such service', async () => {
    const a = await reporter('a', { cpuUtilization: 0.5, rpsFractional: 100 });
    const plain = await stage.peer();
    stage.set({ clusters: { a: { groups: [{ peers: [a, plain] }], extra: outOfBand() } } });
    const client = stage.client();
    for (let i = 0; i < 4; i++) await unary(client);
    await until(() => a.open.length === 1);
    a.open[0]?.emit('error', { code: grpc.status.UNAVAILABLE });
    await until(() => a.open.length === 2);
    for (let i = 0; i < 4; i++) expect((await unary(client)).status.code).toBe(grpc.status.OK);
  });

  it('end with the server, and with the mesh', async () => {
    const a = await reporter('a', { cpuUtilization: 0.5, rpsFractional: 100 });
    const b = await reporter('b', { cpuUtilization: 0.5, rpsFractional: 100 });
    stage.set({ clusters: { a: { groups: [{ peers: [a, b] }], extra: outOfBand() } } });
    const client = stage.client();
    for (let i = 0; i < 4; i++) await unary(client);
    await until(() => a.open.length === 1 && b.open.length === 1);
    stage.set({ clusters: { a: { groups: [{ peers: [a] }], extra: outOfBand() } } });
    await b.cancelled;
    await stage.test.mesh.close();
    await a.cancelled;
  });
});
