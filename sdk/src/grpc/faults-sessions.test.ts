import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anyOf } from '../../../test/harness/scripted-ads.ts';
import {
  CookieBasedSessionStateSchema,
  HeaderBasedSessionStateSchema,
  StatefulSessionSchema,
} from '../../gen/filters.js';
import { HTTPFaultSchema } from '../../gen/listener.js';
import { STATUS_OF_HTTP } from './peer.fixture.ts';
import { named, retries, route, type Stage, shares, startStage, unary } from './policy.fixture.ts';

/** Filters of the host over a gRPC channel: injected faults (gRFC A33) and sessions (gRFC A55). */

let stage: Stage;
beforeEach(async () => {
  stage = await startStage();
});
afterEach(() => stage.close());

const { status } = grpc;
const ALWAYS = { numerator: 100 };

async function faulty(fault: Parameters<typeof anyOf<typeof HTTPFaultSchema>>[1], action: object = {}) {
  const peer = await stage.peer(named('a'));
  stage.set({
    clusters: { a: { groups: [{ peers: [peer] }] } },
    routes: [route('a', action)],
    filters: [{ name: 'fault', typed: anyOf(HTTPFaultSchema, fault) }],
  });
  return stage.client();
}

const codeOf = async (...given: Parameters<typeof unary>) => (await unary(...given)).status.code;

describe('an injected fault', () => {
  it.each([status.CANCELLED, status.PERMISSION_DENIED, status.UNAVAILABLE, status.UNAUTHENTICATED])(
    'with gRPC status %i is that status, and no server hears of the call',
    async (code) => {
      const client = await faulty({ abort: { percentage: ALWAYS, errorType: { case: 'grpcStatus', value: code } } });
      expect(await codeOf(client)).toBe(code);
      expect(stage.calls()).toMatchObject([{ story: { grpcStatus: code, flag: 'FI', local: true, attempts: [] } }]);
    },
  );

  it.each([...STATUS_OF_HTTP, [418, status.UNKNOWN] as const])(
    'with HTTP status %i is status %i',
    async (http, code) => {
      const client = await faulty({ abort: { percentage: ALWAYS, errorType: { case: 'httpStatus', value: http } } });
      expect(await codeOf(client)).toBe(code);
    },
  );

  it('is not retried: it is in the place of all attempts', async () => {
    const abort = { percentage: ALWAYS, errorType: { case: 'grpcStatus', value: status.UNAVAILABLE } } as const;
    const client = await faulty({ abort }, retries('unavailable'));
    expect(await codeOf(client)).toBe(status.UNAVAILABLE);
    expect(stage.calls()[0]?.story.attempts).toEqual([]);
  });

  it('is asked for by metadata where the policy leaves it to the caller', async () => {
    const client = await faulty({ abort: { percentage: ALWAYS, errorType: { case: 'headerAbort', value: {} } } });
    expect(await codeOf(client)).toBe(status.OK);
    expect(await codeOf(client, { 'x-envoy-fault-abort-grpc-request': '5' })).toBe(status.NOT_FOUND);
    expect(await codeOf(client, { 'x-envoy-fault-abort-request': '503' })).toBe(status.UNAVAILABLE);
    const none = { 'x-envoy-fault-abort-request-percentage': '0', 'x-envoy-fault-abort-grpc-request': '5' };
    expect(await codeOf(client, none)).toBe(status.OK);
  });

  it('asked for by metadata is none where the policy says nothing of it', async () => {
    const client = await faulty({});
    expect(await codeOf(client, { 'x-envoy-fault-abort-grpc-request': '5' })).toBe(status.OK);
  });

  it('of a cluster of a split goes before that of its route', async () => {
    const peer = await stage.peer(named('a'));
    const abort = (value: number) =>
      anyOf(HTTPFaultSchema, { abort: { percentage: ALWAYS, errorType: { case: 'grpcStatus', value } } });
    const of = (name: string, value: number) => ({
      name,
      weight: 1,
      typedPerFilterConfig: { fault: abort(value) },
    });
    const split = (...clusters: object[]) =>
      route(
        'a',
        { clusterSpecifier: { case: 'weightedClusters', value: { clusters } } },
        {
          typedPerFilterConfig: { fault: abort(status.RESOURCE_EXHAUSTED) },
        },
      );
    const clusters = { a: { groups: [{ peers: [peer] }] } };
    const filters = [{ name: 'fault', typed: anyOf(HTTPFaultSchema, {}) }];
    stage.set({ clusters, filters, routes: [split(of('a', status.NOT_FOUND))] });
    expect(await codeOf(stage.client())).toBe(status.NOT_FOUND);
  });

  it('that delays is part of the time of the call', async () => {
    const client = await faulty({
      delay: { percentage: ALWAYS, faultDelaySecifier: { case: 'fixedDelay', value: { seconds: 3_600n } } },
    });
    expect(await codeOf(client, {}, { deadline: Date.now() + 100 })).toBe(status.DEADLINE_EXCEEDED);
    expect(stage.calls()).toMatchObject([{ story: { flags: expect.arrayContaining(['DI']), grpcStatus: 4 } }]);
  });

  it('that delays as the metadata say does so', async () => {
    const client = await faulty({
      delay: { percentage: ALWAYS, faultDelaySecifier: { case: 'headerDelay', value: {} } },
    });
    const startMs = performance.now();
    expect(await codeOf(client, { 'x-envoy-fault-delay-request': '200' })).toBe(status.OK);
    expect(performance.now() - startMs).toBeGreaterThan(190);
  });
});

const cookieSession = (strict = false) =>
  anyOf(StatefulSessionSchema, {
    strict,
    sessionState: {
      name: 'cookie',
      typedConfig: anyOf(CookieBasedSessionStateSchema, { cookie: { name: 'sticky', path: '/test.Echo' } }),
    },
  });

const headerSession = anyOf(StatefulSessionSchema, {
  sessionState: { name: 'header', typedConfig: anyOf(HeaderBasedSessionStateSchema, { name: 'x-session' }) },
});

async function three(typed: ReturnType<typeof anyOf>) {
  const peers = await Promise.all(['a', 'b', 'c'].map((name) => stage.peer(named(name))));
  stage.set({ clusters: { a: { groups: [{ peers }] } }, filters: [{ name: 'session', typed }] });
  return stage.client();
}

describe('a session', () => {
  it('is told in a cookie of the head, and holds every call that brings it to its server', async () => {
    const client = await three(cookieSession());
    const first = await unary(client);
    const [cookie = ''] = first.metadata?.get('set-cookie') ?? [];
    expect(String(cookie)).toMatch(/^sticky=/);
    const again = await shares(client, 9, { cookie: String(cookie).split(';')[0] ?? '' });
    expect([...again.keys()]).toEqual([String(first.value)]);
    expect([...(await shares(client, 9)).keys()]).toHaveLength(3);
  });

  it('is told in a header, and held by it', async () => {
    const client = await three(headerSession);
    const first = await unary(client);
    const [session = ''] = first.metadata?.get('x-session') ?? [];
    const again = await shares(client, 9, { 'x-session': String(session) });
    expect([...again.keys()]).toEqual([String(first.value)]);
  });

  it.each([false, true])('whose server has gone is balanced anew, or fails where it is strict: %s', async (strict) => {
    const client = await three(cookieSession(strict));
    const gone = Buffer.from([10, 14, ...Buffer.from('127.0.0.1:1234')]).toString('base64');
    const { status: end } = await unary(client, { cookie: `sticky=${gone}` });
    expect(end.code).toBe(strict ? status.UNAVAILABLE : status.OK);
  });

  it('holds every message of a stream, and of a stream of its own', async () => {
    const client = await three(headerSession);
    const [session = ''] = (await unary(client)).metadata?.get('x-session') ?? [];
    const metadata = new grpc.Metadata();
    metadata.set('x-session', String(session));
    const peers = new Set<string>();
    for (let i = 0; i < 6; i++) {
      const call = client.chat(metadata);
      call.on('data', () => call.end()).on('error', () => {});
      call.write(Buffer.from('x'));
      await new Promise((resolve) => call.on('status', resolve));
      peers.add(call.getPeer());
    }
    expect(peers.size).toBe(1);
  });
});
