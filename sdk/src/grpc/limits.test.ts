import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusingPort } from '../../../test/harness/fault-server-sockets.ts';
import { until } from '../connection/origin.fixture.ts';
import { told } from './peer.fixture.ts';
import { failing, failingLate, HELLO, named, retries, route, type Stage, startStage, unary } from './policy.fixture.ts';

/** Ejection of every kind, and what limits how many calls there are, over a gRPC channel. */

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
});
afterEach(() => stage.close());

const { status } = grpc;
const never = { seconds: 3_600n };
const commonLbConfig = { healthyPanicThreshold: { value: 0 } } as const;
const ejected = () => stage.events.filter((event) => event.kind === 'ejected');

/** Calls on until somebody is left out. */
async function untilEjected(client: Parameters<typeof unary>[0]) {
  for (let i = 0; i < 5_000 && ejected().length === 0; i++) await unary(client);
  return ejected();
}

describe('a host is left out', () => {
  it('for gateway failures in a row, of which UNAVAILABLE and DEADLINE_EXCEEDED are some and INTERNAL is none', async () => {
    const codes = [status.UNAVAILABLE, status.INTERNAL, status.UNAVAILABLE, status.DEADLINE_EXCEEDED];
    let calls = 0;
    const peer = await stage.peer({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        call.sendMetadata(new grpc.Metadata());
        done({ code: codes[calls++] ?? status.OK });
      },
    });
    const outlierDetection = {
      consecutive5xx: 100,
      consecutiveGatewayFailure: 2,
      enforcingConsecutiveGatewayFailure: 100,
      maxEjectionPercent: 100,
      baseEjectionTime: never,
    };
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }], extra: { outlierDetection, commonLbConfig } } } });
    const client = stage.client();
    for (let i = 0; i < 3; i++) await unary(client);
    expect(ejected()).toEqual([]);
    await unary(client);
    expect(ejected()).toMatchObject([{ reason: 'consecutive-gateway-failure' }]);
  });

  it('for connections that cannot be made', async () => {
    const good = await stage.peer(named('good'));
    const outlierDetection = {
      splitExternalLocalOriginErrors: true,
      consecutiveLocalOriginFailure: 2,
      maxEjectionPercent: 100,
      baseEjectionTime: never,
    };
    const peers = [{ port: await refusingPort() }, good];
    stage.set({ clusters: { a: { groups: [{ peers }], extra: { outlierDetection, commonLbConfig } } } });
    const client = stage.client();
    expect(await untilEjected(client)).toMatchObject([{ reason: 'consecutive-local-origin-failure' }]);
    for (let i = 0; i < 4; i++) expect((await unary(client)).status.code).toBe(status.OK);
  });

  it.each([
    ['in trailers', failingLate],
    ['in the head', failing],
  ])('for a success rate far below the others, by statuses %s', async (_, fail) => {
    const good = await Promise.all([1, 2, 3, 4].map(() => stage.peer(named('good'))));
    const bad = await stage.peer(fail(status.INTERNAL));
    const outlierDetection = {
      interval: { nanos: 100_000_000 },
      consecutive5xx: 0,
      successRateMinimumHosts: 5,
      successRateRequestVolume: 3,
      successRateStdevFactor: 1_000,
      baseEjectionTime: never,
      maxEjectionPercent: 100,
    };
    const peers = [...good, bad];
    stage.set({ clusters: { a: { groups: [{ peers }], extra: { outlierDetection, commonLbConfig } } } });
    expect(await untilEjected(stage.client())).toMatchObject([
      { reason: 'success-rate', host: `127.0.0.1:${bad.port}` },
    ]);
  });

  it.each([
    ['in trailers', failingLate],
    ['in the head', failing],
  ])('for a percentage of failures, by statuses %s', async (_, fail) => {
    const good = await stage.peer(named('good'));
    const bad = await stage.peer(fail(status.UNKNOWN));
    const outlierDetection = {
      interval: { nanos: 100_000_000 },
      consecutive5xx: 0,
      failurePercentageMinimumHosts: 2,
      failurePercentageRequestVolume: 3,
      failurePercentageThreshold: 85,
      enforcingFailurePercentage: 100,
      enforcingSuccessRate: 0,
      baseEjectionTime: never,
      maxEjectionPercent: 100,
    };
    stage.set({ clusters: { a: { groups: [{ peers: [good, bad] }], extra: { outlierDetection, commonLbConfig } } } });
    const client = stage.client();
    expect(await untilEjected(client)).toMatchObject([{ reason: 'failure-percentage', host: `127.0.0.1:${bad.port}` }]);
    for (let i = 0; i < 4; i++) expect((await unary(client)).status.code).toBe(status.OK);
  });

  it.each([
    ['success-rate-local-origin', { enforcingLocalOriginSuccessRate: 100, successRateStdevFactor: 1_000 }, 4],
    [
      'failure-percentage-local-origin',
      {
        enforcingFailurePercentageLocalOrigin: 100,
        enforcingLocalOriginSuccessRate: 0,
        failurePercentageThreshold: 85,
      },
      1,
    ],
  ])('for connections that cannot be made, by rates: %s', async (reason, rules, others) => {
    const good = await Promise.all(Array.from({ length: others }, () => stage.peer(named('good'))));
    const outlierDetection = {
      interval: { nanos: 100_000_000 },
      splitExternalLocalOriginErrors: true,
      consecutiveLocalOriginFailure: 0,
      enforcingConsecutiveLocalOriginFailure: 0,
      successRateMinimumHosts: 5,
      successRateRequestVolume: 3,
      failurePercentageMinimumHosts: 2,
      failurePercentageRequestVolume: 3,
      baseEjectionTime: never,
      maxEjectionPercent: 100,
      ...rules,
    };
    const refusing = await refusingPort();
    const peers = [...good, { port: refusing }];
    stage.set({ clusters: { a: { groups: [{ peers }], extra: { outlierDetection, commonLbConfig } } } });
    const client = stage.client();
    // Calls side by side: once the host is known to take no connections they pass over it for a while.
    while (ejected().length === 0) await Promise.all(Array.from({ length: 60 }, () => unary(client)));
    expect(ejected()).toMatchObject([{ reason, host: `127.0.0.1:${refusing}` }]);
  });

  it('and comes back when its time is over', async () => {
    const peer = await stage.peer(failingLate(status.UNAVAILABLE));
    const outlierDetection = {
      interval: { nanos: 50_000_000 },
      consecutive5xx: 1,
      maxEjectionPercent: 100,
      baseEjectionTime: { nanos: 50_000_000 },
    };
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }], extra: { outlierDetection, commonLbConfig } } } });
    await unary(stage.client());
    await until(() => stage.events.some(({ kind }) => kind === 'unejected'));
  });
});

describe('the breaker of a cluster', () => {
  const breaking = (limit: object) => ({ circuitBreakers: { thresholds: [limit] } });

  it('has no room for a call more than max_requests: it is UNAVAILABLE at once, and room again when one has ended', async () => {
    const held: (() => void)[] = [];
    const peer = await stage.peer({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
        held.push(() => done(null, call.request)),
    });
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }], extra: breaking({ maxRequests: 2 }) } } });
    const client = stage.client();
    const running = [unary(client), unary(client)];
    await until(() => held.length === 2);
    expect((await unary(client)).status.code).toBe(status.UNAVAILABLE);
    expect(stage.calls()).toMatchObject([{ story: { flag: 'UO', grpcStatus: status.UNAVAILABLE } }]);
    for (const release of held.splice(0)) release();
    for (const call of running) expect((await call).status.code).toBe(status.OK);
    const next = unary(client);
    await until(() => held.length === 1);
    held[0]?.();
    expect((await next).status.code).toBe(status.OK);
  });

  it('counts a stream for as long as it lasts', async () => {
    const peer = await stage.peer();
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }], extra: breaking({ maxRequests: 1 }) } } });
    const client = stage.client();
    const stream = client.chat();
    const echoed = new Promise((resolve) => stream.once('data', resolve));
    const ended = new Promise((resolve) => stream.on('status', resolve));
    stream.write(HELLO);
    await echoed;
    expect((await unary(client)).status.code).toBe(status.UNAVAILABLE);
    stream.end();
    await ended;
    expect((await unary(client)).status.code).toBe(status.OK);
  });

  it('limits retries: what has no room fails with its own status', async () => {
    const held: (() => void)[] = [];
    let calls = 0;
    const peer = await stage.peer({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        calls++;
        if (calls === 2) held.push(() => done(null, call.request));
        else done({ code: status.UNAVAILABLE });
      },
    });
    const extra = breaking({ maxRetries: 1 });
    stage.set({
      clusters: { a: { groups: [{ peers: [peer] }], extra } },
      routes: [route('a', retries('unavailable'))],
    });
    const client = stage.client();
    const first = unary(client);
    await until(() => held.length === 1);
    expect((await unary(client)).status.code).toBe(status.UNAVAILABLE);
    expect(stage.calls()).toMatchObject([{ story: { retryRefused: 'overflow', flag: 'UO', grpcStatus: 14 } }]);
    held[0]?.();
    expect((await first).status.code).toBe(status.OK);
  });
});

describe('what the control plane has given up (drop_overloads)', () => {
  const drops = (numerator: number) => ({
    dropOverloads: [{ category: 'throttle', dropPercentage: { numerator, denominator: 0 } }],
  });

  it('is UNAVAILABLE, no server hears of it, and no retry or wait saves it', async () => {
    let calls = 0;
    const peer = await stage.peer(failing(status.OK, () => calls++));
    stage.set({
      clusters: { a: { groups: [{ peers: [peer] }], policy: drops(100) } },
      routes: [route('a', retries('unavailable,5xx'))],
    });
    const client = stage.client();
    const waiting = new grpc.Metadata({ waitForReady: true });
    const options = { deadline: Date.now() + 20_000 };
    const { status: end } = await told((done) => client.unary(HELLO, waiting, options, done));
    expect(end).toMatchObject({ code: status.UNAVAILABLE, details: expect.stringContaining('throttle') });
    expect(stage.calls()).toMatchObject([{ story: { flag: 'UDO', grpcStatus: status.UNAVAILABLE, attempts: [] } }]);
    expect(calls).toBe(0);
  });

  it('is a share of the calls', async () => {
    const peer = await stage.peer(named('a'));
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }], policy: drops(50) } } });
    const client = stage.client();
    let dropped = 0;
    for (let i = 0; i < 100; i++) if ((await unary(client)).status.code === status.UNAVAILABLE) dropped++;
    // Of a hundred fair draws less than 15 or more than 85 are never seen.
    expect(dropped).toSatisfy((count: number) => count > 15 && count < 85);
  });
});

describe('a hedge', () => {
  const policy = {
    retryPolicy: { retryOn: 'unavailable', numRetries: 1, perTryTimeout: { nanos: 50_000_000 } },
    hedgePolicy: { hedgeOnPerTryTimeout: true },
  };

  it('runs beside the call that is late; the first good answer counts, and the other is cancelled', async () => {
    const cancelled = Promise.withResolvers<void>();
    const heard: string[] = [];
    let calls = 0;
    const peer = await stage.peer({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        heard.push(call.metadata.get('grpc-previous-rpc-attempts').join());
        if (++calls > 1) done(null, Buffer.from('second'));
        else call.on('cancelled', () => cancelled.resolve());
      },
    });
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } }, routes: [route('a', policy)] });
    const { value, metadata } = await unary(stage.client());
    expect(String(value)).toBe('second');
    await cancelled.promise;
    expect(heard).toEqual(['', '1']);
    expect(metadata?.get('grpc-previous-rpc-attempts')).toEqual(['1']);
    expect(stage.calls()[0]?.story).toMatchObject({ grpcStatus: 0, attempts: [{}, { grpcStatus: 0 }] });
  });

  it('is none for a stream whose messages have not all been said', async () => {
    let calls = 0;
    const peer = await stage.peer({
      collect: (call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        calls++;
        call.on('data', () => {}).on('end', () => done(null, HELLO));
      },
    });
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } }, routes: [route('a', policy)] });
    const client = stage.client();
    const { value } = await told((done) => {
      const call = client.collect(done);
      call.write(HELLO);
      setTimeout(() => call.end(), 200);
      return call;
    });
    expect(String(value)).toBe('hello');
    expect(calls).toBe(1);
  });
});
