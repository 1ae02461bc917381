import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { refusingPort } from '../../../test/harness/fault-server-sockets.ts';
import { Cluster_LbPolicy as Policy } from '../../gen/cluster.js';
import { until } from '../connection/origin.fixture.ts';
import { told } from './peer.fixture.ts';
import { HELLO, named, route, type Stage, shares, startStage, unary } from './policy.fixture.ts';

/** Where a gRPC call goes and as what: balancers, localities, priorities, mirrors, rewritten heads. */

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
});
afterEach(() => stage.close());

const peersOf = (...names: string[]) => Promise.all(names.map((name) => stage.peer(named(name))));

/** What the server saw of its calls. */
async function listening(setup: (port: { port: number }) => void) {
  const heard: { path: string; host: string; metadata: grpc.Metadata }[] = [];
  const peer = await stage.peer({
    unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
      heard.push({ path: call.getPath(), host: call.getHost(), metadata: call.metadata });
      const trailer = new grpc.Metadata();
      trailer.set('x-trailer', 'kept');
      done(null, call.request, trailer);
    },
  });
  setup(peer);
  return heard;
}

describe('a balancer', () => {
  it('round robin gives each server its turn', async () => {
    const peers = await peersOf('a', 'b', 'c');
    stage.set({ clusters: { a: { groups: [{ peers }], extra: { lbPolicy: Policy.ROUND_ROBIN } } } });
    expect([...(await shares(stage.client(), 30)).values()]).toEqual([10, 10, 10]);
  });

  it.each([
    ['random', { lbPolicy: Policy.RANDOM }],
    ['least request', { lbPolicy: Policy.LEAST_REQUEST }],
  ])('%s gives each server some', async (_, extra) => {
    const peers = await peersOf('a', 'b', 'c');
    stage.set({ clusters: { a: { groups: [{ peers }], extra } } });
    expect([...(await shares(stage.client(), 60)).keys()].toSorted()).toEqual(['a', 'b', 'c']);
  });

  it('least request leaves out the server whose call has not ended', async () => {
    const begun = Promise.withResolvers<void>();
    const slow = await stage.peer({ ...named('slow'), chat: () => begun.resolve() });
    const [other] = await peersOf('other');
    const extra = {
      lbPolicy: Policy.LEAST_REQUEST,
      lbConfig: { case: 'leastRequestLbConfig', value: { choiceCount: 64 } },
    } as const;
    stage.set({ clusters: { a: { groups: [{ peers: [slow] }], extra } } });
    const client = stage.client();
    const stream = client.chat();
    stream.on('error', () => {}).write(HELLO);
    await begun.promise;
    stage.set({ clusters: { a: { groups: [{ peers: [slow, { port: other?.port ?? 0 }] }], extra } } });
    while (String((await unary(client)).value) !== 'other') {
      // The new endpoint is on its way.
    }
    expect([...(await shares(client, 20)).keys()]).toEqual(['other']);
    stream.cancel();
  });

  it.each([
    ['ring hash', { lbPolicy: Policy.RING_HASH }],
    ['maglev', { lbPolicy: Policy.MAGLEV, lbConfig: { case: 'maglevLbConfig', value: { tableSize: 1_021n } } }],
  ] as const)('%s holds each value of a header to one server, and spreads the values', async (_, extra) => {
    const peers = await peersOf('a', 'b', 'c');
    const hashPolicy = [{ policySpecifier: { case: 'header', value: { headerName: 'x-user' } } }];
    stage.set({ clusters: { a: { groups: [{ peers }], extra } }, routes: [route('a', { hashPolicy })] });
    const client = stage.client();
    const used = new Set<string>();
    for (let user = 0; user < 24; user++) {
      const of = [...(await shares(client, 3, { 'x-user': `user-${user}` })).keys()];
      expect(of).toHaveLength(1);
      used.add(of[0] ?? '');
    }
    expect([...used].toSorted()).toEqual(['a', 'b', 'c']);
  });

  it('ring hash holds a channel to one server where it hashes that, and each channel for itself', async () => {
    const peers = await peersOf('a', 'b', 'c', 'd');
    const hashPolicy = [{ policySpecifier: { case: 'filterState', value: { key: 'io.grpc.channel_id' } } }];
    const extra = { lbPolicy: Policy.RING_HASH };
    stage.set({ clusters: { a: { groups: [{ peers }], extra } }, routes: [route('a', { hashPolicy })] });
    const used = new Set<string>();
    for (let channel = 0; channel < 24; channel++) {
      const of = [...(await shares(stage.client(), 3)).keys()];
      expect(of).toHaveLength(1);
      used.add(of[0] ?? '');
    }
    expect(used.size).toBeGreaterThan(1);
  });

  it('with weights between localities gives each its share', async () => {
    const [a, b] = await peersOf('a', 'b');
    const extra = {
      commonLbConfig: { localityConfigSpecifier: { case: 'localityWeightedLbConfig', value: {} } },
    } as const;
    const groups = [
      { peers: [{ port: a?.port ?? 0 }], zone: 'one', weight: 3 },
      { peers: [{ port: b?.port ?? 0 }], zone: 'two', weight: 1 },
    ];
    stage.set({ clusters: { a: { groups, extra } } });
    // Where two deadlines are equal but for rounding, the last digit says whose turn comes first.
    expect(Math.abs(((await shares(stage.client(), 40)).get('a') ?? 0) - 30)).toBeLessThanOrEqual(1);
  });

  it('goes to the next priority when nobody of the first is left', async () => {
    const [b] = await peersOf('b');
    const outlierDetection = { consecutive5xx: 1, maxEjectionPercent: 100, baseEjectionTime: { seconds: 3_600n } };
    const commonLbConfig = { healthyPanicThreshold: { value: 0 } };
    const groups = [
      { peers: [{ port: await refusingPort() }], priority: 0 },
      { peers: [{ port: b?.port ?? 0 }], priority: 1 },
    ];
    stage.set({ clusters: { a: { groups, extra: { outlierDetection, commonLbConfig } } } });
    expect([...(await shares(stage.client(), 5)).keys()]).toEqual(['b']);
  });

  it('splits between clusters by weight', async () => {
    const [a, b] = await peersOf('a', 'b');
    const clusters = {
      one: { groups: [{ peers: [{ port: a?.port ?? 0 }] }] },
      two: { groups: [{ peers: [{ port: b?.port ?? 0 }] }] },
    };
    const split = (one: number, two: number) => ({
      clusterSpecifier: {
        case: 'weightedClusters',
        value: {
          clusters: [
            { name: 'one', weight: one },
            { name: 'two', weight: two },
          ],
        },
      },
    });
    stage.set({ clusters, routes: [route('one', split(0, 100))] });
    expect([...(await shares(stage.client(), 10)).keys()]).toEqual(['b']);
  });
});

describe('a mirrored call', () => {
  it('goes to both servers with its messages, and only the first one answers', async () => {
    const mirrored: { host: string; message: string; timeout: boolean }[] = [];
    const shadow = await stage.peer({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        const timeout = Number.isFinite(Number(call.getDeadline()));
        mirrored.push({ host: call.getHost(), message: String(call.request), timeout });
        done({ code: grpc.status.INTERNAL });
      },
    });
    const [a] = await peersOf('a');
    stage.set({
      clusters: { a: { groups: [{ peers: [{ port: a?.port ?? 0 }] }] }, b: { groups: [{ peers: [shadow] }] } },
      routes: [route('a', { requestMirrorPolicies: [{ cluster: 'b' }] })],
    });
    const { value, status } = await unary(stage.client());
    expect([String(value), status.code]).toEqual(['a', 0]);
    await until(() => mirrored.length === 1);
    expect(mirrored).toEqual([{ host: 'echo-shadow:80', message: 'hello', timeout: true }]);
  });

  it('of a stream is sent when all of it has been', async () => {
    const mirrored: string[] = [];
    const shadow = await stage.peer({
      collect: (call: grpc.ServerReadableStream<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        call.on('data', (part: Buffer) => mirrored.push(String(part))).on('end', () => done(null, HELLO));
      },
    });
    const peer = await stage.peer();
    stage.set({
      clusters: { a: { groups: [{ peers: [peer] }] }, b: { groups: [{ peers: [shadow] }] } },
      routes: [route('a', { requestMirrorPolicies: [{ cluster: 'b' }] })],
    });
    const client = stage.client();
    await told((done) => {
      const call = client.collect(done);
      call.write(Buffer.from('one'));
      call.write(Buffer.from('two'), () => call.end());
      return call;
    });
    await until(() => mirrored.length === 2);
    expect(mirrored).toEqual(['one', 'two']);
  });

  it('leaves the outcome of its server to its own cluster', async () => {
    const shadow = await stage.peer({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        call.sendMetadata(new grpc.Metadata());
        done({ code: grpc.status.INTERNAL });
      },
    });
    const [a] = await peersOf('a');
    const outlierDetection = { consecutive5xx: 1, maxEjectionPercent: 100, baseEjectionTime: { seconds: 3_600n } };
    stage.set({
      clusters: {
        a: { groups: [{ peers: [{ port: a?.port ?? 0 }] }], extra: { outlierDetection } },
        b: { groups: [{ peers: [shadow] }], extra: { outlierDetection } },
      },
      routes: [route('a', { requestMirrorPolicies: [{ cluster: 'b' }] })],
    });
    await unary(stage.client());
    await until(() => stage.events.some(({ kind }) => kind === 'ejected'));
    expect(stage.events.filter((event) => event.kind === 'ejected')).toMatchObject([{ cluster: 'b' }]);
  });
});

describe('the head of a call', () => {
  it('has the authority that the route writes', async () => {
    const heard = await listening((peer) =>
      stage.set({
        clusters: { a: { groups: [{ peers: [peer] }] } },
        routes: [route('a', { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: 'other.example' } })],
      }),
    );
    await unary(stage.client());
    expect(heard[0]?.host).toBe('other.example');
  });

  it("has the authority that the call's own options or the channel's write", async () => {
    const heard = await listening((peer) => stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } } }));
    await unary(stage.client());
    await unary(stage.client(), {}, { host: 'of.the.call' });
    await unary(stage.client({ 'grpc.default_authority': 'of.the.channel' }));
    expect(heard.map(({ host }) => host)).toEqual(['echo:80', 'of.the.call', 'of.the.channel']);
  });

  it('has a rewritten path: another method is called', async () => {
    const peer = await stage.peer({
      ...named('unary'),
      spread: (call: grpc.ServerWritableStream<Buffer, Buffer>) => {
        call.write(Buffer.from('spread'));
        call.end();
      },
    });
    stage.set({
      clusters: { a: { groups: [{ peers: [peer] }] } },
      routes: [
        route(
          'a',
          { prefixRewrite: '/test.Echo/Spread' },
          { match: { pathSpecifier: { case: 'path', value: '/test.Echo/Unary' } } },
        ),
      ],
    });
    expect(String((await unary(stage.client())).value)).toBe('spread');
  });

  it('has the headers that the route adds and lacks those it removes, both ways; trailers stay as they are', async () => {
    const heard = await listening((peer) =>
      stage.set({
        clusters: { a: { groups: [{ peers: [peer] }] } },
        routes: [
          route(
            'a',
            {},
            {
              requestHeadersToAdd: [{ header: { key: 'x-added', value: 'by-route' } }],
              requestHeadersToRemove: ['x-secret'],
              responseHeadersToAdd: [{ header: { key: 'x-answer', value: 'by-route' } }],
            },
          ),
        ],
      }),
    );
    const { metadata, status } = await unary(stage.client(), { 'x-secret': 'mine', 'x-kept': 'yes' });
    expect(heard[0]?.metadata.get('x-added')).toEqual(['by-route']);
    expect(heard[0]?.metadata.get('x-secret')).toEqual([]);
    expect(heard[0]?.metadata.get('x-kept')).toEqual(['yes']);
    expect(metadata?.get('x-answer')).toEqual(['by-route']);
    expect(status.metadata.get('x-trailer')).toEqual(['kept']);
  });

  it('decides the route: by metadata, by the method', async () => {
    const [a, b, c] = await peersOf('a', 'b', 'c');
    const group = (peer: { port: number } | undefined) => ({ groups: [{ peers: [{ port: peer?.port ?? 0 }] }] });
    const exact = { headerMatchSpecifier: { case: 'exactMatch', value: 'b' } };
    stage.set({
      clusters: { one: group(a), two: group(b), three: group(c) },
      routes: [
        route(
          'two',
          {},
          { match: { pathSpecifier: { case: 'prefix', value: '/' }, headers: [{ name: 'x-to', ...exact }] } },
        ),
        route('three', {}, { match: { pathSpecifier: { case: 'path', value: '/test.Echo/Other' } } }),
        route('one', {}),
      ],
    });
    const client = stage.client();
    expect(String((await unary(client)).value)).toBe('a');
    expect(String((await unary(client, { 'x-to': 'b' })).value)).toBe('b');
    const asIs = (bytes: Buffer): Buffer => bytes;
    const other = await told((done) => client.makeUnaryRequest('/test.Echo/Other', asIs, asIs, HELLO, done));
    expect(other.error?.code).toBe(grpc.status.UNIMPLEMENTED);
    expect(stage.calls().at(-1)?.story.cluster).toBe('three');
  });
});
