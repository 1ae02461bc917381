import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { told } from './peer.fixture.ts';
import { failing, failingLate, HELLO, named, retries, route, type Stage, startStage, unary } from './policy.fixture.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
});
afterEach(() => stage.close());

const { status } = grpc;
const isWithin30s = (ms: number): boolean => ms > 0 && ms <= 30_000;
const ONE_IS_ENOUGH = {
  commonLbConfig: { healthyPanicThreshold: { value: 0 } },
  outlierDetection: { consecutive5xx: 1, maxEjectionPercent: 100, baseEjectionTime: { seconds: 3_600n } },
} as const;

describe('the outcome of a call', () => {
  it.each([
    ['in the head', failing, status.UNAVAILABLE],
    ['in trailers', failingLate, status.UNAVAILABLE],
    ['in the head', failing, status.INTERNAL],
    ['in trailers', failingLate, status.DATA_LOSS],
  ])('is the status %s: the host of a %o with %i is left out', async (_, fail, code) => {
    const bad = await stage.peer(fail(code));
    stage.set({ clusters: { a: { groups: [{ peers: [bad] }], extra: ONE_IS_ENOUGH } } });
    const client = stage.client();
    expect((await unary(client)).status.code).toBe(code);
    expect(stage.events.filter(({ kind }) => kind === 'ejected')).toMatchObject([
      { host: `127.0.0.1:${bad.port}`, reason: 'consecutive-5xx' },
    ]);
    expect((await unary(client)).status).toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining('MESH_NO_HEALTHY'),
    });
  });

  it.each([
    status.CANCELLED,
    status.INVALID_ARGUMENT,
    status.NOT_FOUND,
    status.PERMISSION_DENIED,
    status.RESOURCE_EXHAUSTED,
    status.UNAUTHENTICATED,
  ])("of status %i is none of the host's fault, as its HTTP status is none", async (code) => {
    const peer = await stage.peer(failingLate(code));
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }], extra: ONE_IS_ENOUGH } } });
    const client = stage.client();
    for (let i = 0; i < 3; i++) expect((await unary(client)).status.code).toBe(code);
    expect(stage.events.filter(({ kind }) => kind === 'ejected')).toEqual([]);
  });

  it('in trailers counts once: every second call good is no row of bad ones', async () => {
    let calls = 0;
    const peer = await stage.peer({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        call.sendMetadata(new grpc.Metadata());
        if (++calls % 2 === 0) done(null, call.request);
        else done({ code: status.UNAVAILABLE });
      },
    });
    const extra = { outlierDetection: { ...ONE_IS_ENOUGH.outlierDetection, consecutive5xx: 2 } };
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }], extra } } });
    const client = stage.client();
    for (let i = 0; i < 6; i++) await unary(client);
    expect(stage.events.filter(({ kind }) => kind === 'ejected')).toEqual([]);
  });

  it('of a stream is that of its end', async () => {
    const bad = await stage.peer({
      spread: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
        call.write(HELLO);
        call.emit('error', { code: status.UNAVAILABLE, details: 'gone' });
      },
    });
    stage.set({ clusters: { a: { groups: [{ peers: [bad] }], extra: ONE_IS_ENOUGH } } });
    const call = stage.client().spread(HELLO);
    call.on('data', () => {}).on('error', () => {});
    await new Promise((resolve) => call.on('status', resolve));
    expect(stage.events.filter(({ kind }) => kind === 'ejected')).toHaveLength(1);
  });

  it('that the caller did not wait for says nothing bad of the host', async () => {
    const begun = Promise.withResolvers<void>();
    const peer = await stage.peer({
      spread: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
        call.write(HELLO);
        begun.resolve();
      },
    });
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }], extra: ONE_IS_ENOUGH } } });
    const call = stage.client().spread(HELLO);
    const ended = new Promise<grpc.StatusObject>((resolve) => call.on('status', resolve));
    call.on('error', () => {}).once('data', () => call.cancel());
    expect((await ended).code).toBe(status.CANCELLED);
    expect(stage.events.filter(({ kind }) => kind === 'ejected')).toEqual([]);
    expect(stage.calls()).toMatchObject([{ story: { grpcStatus: status.CANCELLED, flag: 'DC' } }]);
  });
});

describe('the story of a call has its status', () => {
  it.each([
    ['of trailers', failingLate(status.ABORTED), status.ABORTED],
    ['of the head', failing(status.ABORTED), status.ABORTED],
    ['OK', named('a'), status.OK],
  ])('%s', async (_, handlers, code) => {
    const peer = await stage.peer(handlers);
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } } });
    await unary(stage.client());
    expect(stage.calls()).toMatchObject([
      { status: 200, story: { grpcStatus: code, attempts: [{ status: 200, grpcStatus: code }] } },
    ]);
  });

  it('where the mesh made it', async () => {
    stage.set({ clusters: { a: { groups: [] } } });
    expect((await unary(stage.client())).status.code).toBe(status.UNAVAILABLE);
    expect(stage.calls()).toMatchObject([{ story: { grpcStatus: status.UNAVAILABLE, flag: 'UH', local: true } }]);
  });

  it('where time was over, whoever limited it', async () => {
    const peer = await stage.peer({ unary: () => {} });
    const limits = [
      { timeout: { nanos: 50_000_000 } },
      { maxStreamDuration: { maxStreamDuration: { nanos: 50_000_000 } } },
    ];
    for (const limit of limits) {
      stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } }, routes: [route('a', limit)] });
      expect((await unary(stage.client())).status.code).toBe(status.DEADLINE_EXCEEDED);
    }
    await unary(stage.client(), {}, { deadline: Date.now() + 50 });
    expect(stage.calls().map(({ story }) => story.grpcStatus)).toEqual([4, 4, 4]);
  });

  it('where the client refused the answer', async () => {
    const peer = await stage.peer(named('x'.repeat(100)));
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } } });
    const client = stage.client({ 'grpc.max_receive_message_length': 10 });
    expect((await unary(client)).status.code).toBe(status.RESOURCE_EXHAUSTED);
    expect(stage.calls()).toMatchObject([{ story: { grpcStatus: status.RESOURCE_EXHAUSTED } }]);
  });

  it('for each attempt', async () => {
    let calls = 0;
    const peer = await stage.peer({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) =>
        ++calls === 1 ? done({ code: status.UNAVAILABLE }) : done(null, call.request),
    });
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } }, routes: [route('a', retries('unavailable'))] });
    expect((await unary(stage.client())).status.code).toBe(status.OK);
    expect(stage.calls()[0]?.story).toMatchObject({ grpcStatus: 0, attempts: [{ grpcStatus: 14 }, { grpcStatus: 0 }] });
  });

  it("and Istio's metric", async () => {
    const peer = await stage.peer(failingLate(status.ABORTED));
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } } });
    await stage.test.mesh.metrics();
    await unary(stage.client());
    expect(await stage.test.mesh.metrics()).toContain('response_code="200",grpc_response_status="10"');
  });

  it('not where the call is none of gRPC', async () => {
    const answer = await stage.test.mesh.fetch(stage.test.url);
    await answer.arrayBuffer();
    expect(stage.calls()[0]?.story.grpcStatus).toBeUndefined();
  });
});

describe('an attempt after others (gRFC A6)', () => {
  it('tells its server how many there were, and its caller in the head of the answer', async () => {
    const heard: (string | undefined)[] = [];
    const peer = await stage.peer({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        heard.push(call.metadata.get('grpc-previous-rpc-attempts').join());
        if (heard.length < 3) done({ code: status.UNAVAILABLE });
        else done(null, call.request);
      },
    });
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } }, routes: [route('a', retries('unavailable'))] });
    const { metadata } = await unary(stage.client(), { 'grpc-previous-rpc-attempts': '7' });
    expect(heard).toEqual(['', '1', '2']);
    expect(metadata?.get('grpc-previous-rpc-attempts')).toEqual(['2']);
  });

  it('is told of in the status where the answer has no head', async () => {
    const peer = await stage.peer(failing(status.UNAVAILABLE));
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } }, routes: [route('a', retries('unavailable'))] });
    const { status: end } = await unary(stage.client());
    expect(end.metadata.get('grpc-previous-rpc-attempts')).toEqual(['2']);
  });

  it('is not made once a head has come, whatever the trailers say', async () => {
    let calls = 0;
    const peer = await stage.peer(failingLate(status.UNAVAILABLE, () => calls++));
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } }, routes: [route('a', retries('unavailable'))] });
    expect((await unary(stage.client())).status.code).toBe(status.UNAVAILABLE);
    expect(calls).toBe(1);
  });
});

describe('the longest time of a call (gRFC A31)', () => {
  const leftAtServer = async (limits: object, deadlineMs?: number) => {
    let leftMs = Number.NaN;
    const peer = await stage.peer({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        leftMs = Number(call.getDeadline()) - Date.now();
        done(null, call.request);
      },
    });
    stage.set({
      clusters: { a: { groups: [{ peers: [peer] }] } },
      routes: [route('a', { maxStreamDuration: limits })],
    });
    const client = stage.client();
    const options = deadlineMs === undefined ? {} : { deadline: Date.now() + deadlineMs };
    await told((done) => client.unary(HELLO, new grpc.Metadata(), options, done));
    return leftMs;
  };

  it('is max_stream_duration, and the server is told of it', async () => {
    expect(await leftAtServer({ maxStreamDuration: { seconds: 30n } })).toSatisfy(isWithin30s);
  });

  it.each([undefined, 1_000_000])(
    'is grpc_timeout_header_max in its place, with a deadline of %s ms',
    async (deadlineMs) => {
      const limits = { maxStreamDuration: { seconds: 3_000n }, grpcTimeoutHeaderMax: { seconds: 30n } };
      expect(await leftAtServer(limits, deadlineMs)).toSatisfy(isWithin30s);
    },
  );

  it("is the caller's deadline where that is earlier", async () => {
    expect(await leftAtServer({ grpcTimeoutHeaderMax: { seconds: 3_000n } }, 30_000)).toSatisfy(isWithin30s);
  });

  it('is none where grpc_timeout_header_max is 0, whatever max_stream_duration says', async () => {
    expect(await leftAtServer({ maxStreamDuration: { seconds: 30n }, grpcTimeoutHeaderMax: {} })).toBe(
      Number.POSITIVE_INFINITY,
    );
  });
});
