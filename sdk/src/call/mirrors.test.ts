import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { closeOrigins, deadPort, serveHttp, until } from '../connection/origin.fixture.ts';
import type { ForwardAction, MirrorPolicy } from '../model/action.ts';
import type { Cluster } from '../model/cluster.ts';
import type { MeshEvent } from '../model/events.ts';
import { forward, route } from '../route/route.fixture.ts';
import { type Asked, activeRequests, ask, cluster, createStage, type Stage } from './call.fixture.ts';
import { shadowHost } from './mirror/mirrors.ts';

let stage: Stage;
beforeEach(() => {
  stage = createStage();
});
afterEach(async () => {
  await stage.close();
  closeOrigins();
});

const always = { numerator: 100, denominator: 100 } as const;
const toMirror: MirrorPolicy = { cluster: 'm', fraction: always, shadowSuffix: true };

interface Arrived {
  readonly host: string | undefined;
  readonly body: string;
  readonly length: string | undefined;
}

async function origin(answer: string): Promise<{ port: number; arrived: Arrived[] }> {
  const arrived: Arrived[] = [];
  const { port } = await serveHttp((request, response) => {
    let body = '';
    request.on('data', (chunk) => {
      body += chunk;
    });
    request.on('end', () => {
      const { host, 'content-length': length } = request.headers;
      arrived.push({ host, body, length });
      response.end(answer);
    });
  });
  return { port, arrived };
}

interface Setting {
  readonly action?: Partial<ForwardAction>;
  readonly mirrors?: readonly MirrorPolicy[];
  readonly answer?: string;
  readonly mirrorPort?: number;
  readonly cluster?: Partial<Cluster>;
  /** Of the call itself. */
  readonly hosts?: 0 | 1;
}

async function setUp(setting: Setting = {}) {
  const { action, mirrors = [toMirror], answer = 'copy', mirrorPort, cluster: more, hosts = 1 } = setting;
  const own = await origin('{"stars":5}');
  const other = await origin(answer);
  const target = await stage.target([route('r', {}, forward({ a: 1 }, { mirrors, ...action }))], {
    a: cluster('a', hosts === 0 ? [] : [own.port]),
    m: cluster('m', [mirrorPort ?? other.port], more),
  });
  const call = (asked: Asked = {}) => ask(stage, target, asked).ended;
  const settled = () => until(() => activeRequests(target.upstreams.values()) === 0);
  return { call, own, other, target, settled };
}

const stream = (...texts: string[]): Asked => ({
  method: 'PUT',
  body: {
    kind: 'stream',
    stream: (async function* () {
      for (const text of texts) yield new TextEncoder().encode(text);
    })(),
  },
});

describe('a mirrored request', () => {
  it.each([
    ['reviews', 'reviews-shadow'],
    ['reviews:9080', 'reviews-shadow:9080'],
    ['[::1]:80', '[::1]-shadow:80'],
    ['[::1]', '[::1]-shadow'],
  ])('%s is mirrored as %s (Envoy ShadowWriterImpl)', (host, shadow) => {
    expect(shadowHost(host)).toBe(shadow);
  });

  it('is sent once a policy, with all of the body, and the caller hears nothing of it', async () => {
    const plain = { ...toMirror, shadowSuffix: false };
    const { call, other, settled } = await setUp({ mirrors: [toMirror, plain] });
    const answer = await call({ method: 'POST', body: { kind: 'bytes', bytes: new TextEncoder().encode('body') } });
    expect(answer.text).toBe('{"stars":5}');
    await until(() => other.arrived.length === 2);
    expect(other.arrived.map(({ host }) => host).sort()).toEqual(['reviews-shadow:9080', 'reviews:9080']);
    expect(other.arrived.map(({ body }) => body)).toEqual(['body', 'body']);
    await settled();
  });

  it('has the body of a stream when all of it is there, with its length', async () => {
    const { call, own, other } = await setUp();
    await call(stream('one', 'two'));
    await until(() => other.arrived.length === 1);
    expect(other.arrived[0]).toMatchObject({ body: 'onetwo', length: '6' });
    expect(own.arrived[0]?.body).toBe('onetwo');
  });

  it('is dropped where the body is longer than is kept', async () => {
    const { call, own, other, settled } = await setUp({ action: { bodyBufferBytes: 5 } });
    expect((await call(stream('one', 'two'))).status).toBe(200);
    await settled();
    expect([own.arrived.length, other.arrived.length]).toEqual([1, 0]);
  });

  it('goes to the cluster a header names', async () => {
    const { call, other } = await setUp({ mirrors: [{ ...toMirror, cluster: '', clusterHeader: 'x-to' }] });
    await call({ headers: ['x-to', 'nowhere'] });
    await call({ headers: ['x-to', 'm'] });
    await until(() => other.arrived.length === 1);
  });

  it('fails for itself, and times out with its route', async () => {
    const dead = await setUp({ mirrorPort: await deadPort() });
    expect((await dead.call()).status).toBe(200);
    await dead.settled();
    const { port } = await serveHttp(() => {});
    const silent = await setUp({ mirrorPort: port, action: { timeoutMs: 1_500 } });
    expect((await silent.call()).status).toBe(200);
    await silent.settled();
  });

  it('is the first to go when room becomes scarce', async () => {
    const more = { circuitBreakers: { default: { maxPendingRequests: 2 }, high: {} } };
    const { call, other, settled } = await setUp({ cluster: more, mirrors: [toMirror, toMirror] });
    expect((await call()).status).toBe(200);
    await settled();
    expect(other.arrived).toHaveLength(1);
  });

  it('is sent to a cluster of small limits that has nothing to do', async () => {
    const limits = { maxConnections: 1, maxPendingRequests: 1, maxRequests: 1 };
    const { call, other, settled } = await setUp({ cluster: { circuitBreakers: { default: limits, high: {} } } });
    expect((await call()).status).toBe(200);
    await settled();
    expect(other.arrived).toHaveLength(1);
  });

  it('is not sent for a call that has no host (Envoy Filter::continueDecodeHeaders)', async () => {
    const { call, other, settled } = await setUp({ hosts: 0 });
    expect((await call()).status).toBe(503);
    await settled();
    expect(other.arrived).toEqual([]);
  });

  it('is not sent for a call that a fault answers', async () => {
    const { call, other, settled } = await setUp({
      action: { fault: { abort: { httpStatus: 400, fraction: always } } },
    });
    expect((await call()).status).toBe(400);
    await settled();
    expect(other.arrived).toEqual([]);
  });
});

describe('the answer of a mirror, compared', () => {
  const mirrorComparison = { status: true, json: true, latency: true };
  const compared = async (): Promise<MeshEvent | undefined> => {
    const find = () => stage.events.find(({ kind }) => kind === 'mirror-compared');
    await until(() => find() !== undefined);
    return find();
  };

  it('the same JSON in other words is the same', async () => {
    const { call } = await setUp({ action: { mirrorComparison }, answer: '{ "stars": 5 }' });
    await call();
    expect(await compared()).toMatchObject({
      cluster: 'a',
      mirror: 'm',
      differences: [],
      paths: [],
      status: [200, 200],
      latencyMs: [expect.any(Number), expect.any(Number)],
    });
  });

  it('tells where the JSON differs', async () => {
    const { call } = await setUp({ action: { mirrorComparison }, answer: '{"stars":4,"of":[5]}' });
    await call();
    expect(await compared()).toMatchObject({ differences: ['json'], paths: ['$.stars', '$.of'] });
  });

  it('tells that there was none', async () => {
    const { call } = await setUp({ action: { mirrorComparison }, mirrorPort: await deadPort() });
    await call();
    expect(await compared()).toMatchObject({ differences: ['no-answer'], status: [200, 0] });
  });

  it('without a comparison there is no event', async () => {
    const { call, other, settled } = await setUp();
    await call();
    await until(() => other.arrived.length === 1);
    await settled();
    expect(stage.events.map(({ kind }) => kind)).toEqual(['call']);
  });
});
