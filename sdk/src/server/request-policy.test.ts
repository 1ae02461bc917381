import { createServer } from 'node:http';
import * as grpc from '@grpc/grpc-js';
import { afterEach, describe, expect, it } from 'vitest';
import type { EchoClient } from '../grpc/peer.fixture.ts';
import type { FaultPolicy } from '../model/action.ts';
import type { InboundListener, InboundRequests } from '../model/inbound.ts';
import type { RouteMatch } from '../model/match.ts';
import type { Route } from '../model/route.ts';
import { configuration, path, route, virtualHost } from '../route/route.fixture.ts';
import { listenerOfMode } from './chain.ts';
import { type GrpcSetting, say, startGrpc, whoServer } from './grpc.fixture.ts';
import { ask, plain, startGuarded, until } from './server.fixture.ts';

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const ALWAYS = { numerator: 100, denominator: 100 } as const;
const to = (prefix: string) => ({ path: path('prefix', prefix) });

/** A route that leaves requests where they are. */
const stay = (prefix: string, fault?: FaultPolicy, more: Partial<RouteMatch> = {}): Route => {
  const stays = fault === undefined ? {} : { fault };
  const reason = 'a non_forwarding_action cannot be called';
  return route(prefix, { ...to(prefix), ...more }, { kind: 'refuse', reason, stays });
};
const inline = (routes: readonly Route[], domain = '*'): InboundRequests['routes'] => ({
  kind: 'inline',
  routeConfiguration: configuration([virtualHost('v', [domain], routes)]),
});
const listenerOf = (requests: InboundRequests): InboundListener => {
  const plainListener = listenerOfMode('DISABLE', '127.0.0.1', 0);
  return { ...plainListener, chains: plainListener.chains.map((chain) => ({ ...chain, requests })) };
};

async function serve(
  requests: InboundRequests,
): Promise<{ setting: GrpcSetting; client: EchoClient; calls: () => number }> {
  let calls = 0;
  const unary: grpc.handleUnaryCall<Buffer, Buffer> = (_, done) => {
    calls++;
    done(null, Buffer.from('served'));
  };
  const setting = await startGrpc('DISABLE', {}, whoServer({ unary }));
  closers.push(() => setting[Symbol.asyncDispose](), ...setting.closers);
  setting.side.listen(listenerOf(requests));
  return { setting, client: setting.client(), calls: () => calls };
}

describe('requests of a gRPC server (gRFC A36)', () => {
  it('that a non_forwarding_action takes are served', async () => {
    const { client } = await serve({ routes: inline([stay('/other'), stay('/test.Echo/')]) });
    expect(await say(client)).toMatchObject({ text: 'served', code: undefined });
  });

  it.each([
    ['no route takes it', { routes: inline([stay('/other.Service/')]) }],
    ['no virtual host has its authority', { routes: inline([stay('/')], 'elsewhere') }],
    ['its route forwards', { routes: inline([route('forward')]) }],
    ['no routes have come', { routes: { kind: 'missing', reason: 'does not exist' } }],
  ] as const)('are UNAVAILABLE, and the application hears nothing, where %s', async (_, requests) => {
    const { client, calls } = await serve(requests);
    expect((await say(client)).code).toBe(grpc.status.UNAVAILABLE);
    expect(calls()).toBe(0);
  });

  it('new routes count for the next call of an open connection', async () => {
    const { setting, client } = await serve({ routes: inline([stay('/')]) });
    expect((await say(client)).text).toBe('served');
    setting.side.listen(listenerOf({ routes: inline([]) }));
    expect((await say(client)).code).toBe(grpc.status.UNAVAILABLE);
    setting.side.listen(listenerOf({ routes: inline([stay('/')]) }));
    expect((await say(client)).text).toBe('served');
    expect(setting.guarded.stats().connections).toBe(1);
  });

  it('match metadata, which `-bin` headers are not', async () => {
    const withHeader = (name: string): Route => {
      const value = { kind: 'present', present: true } as const;
      return stay('/', undefined, { headers: [{ name, value, invert: false, treatMissingAsEmpty: false }] });
    };
    const { client } = await serve({ routes: inline([withHeader('user'), withHeader('user-bin')]) });
    const metadata = (name: string, value: string | Buffer): grpc.Metadata => {
      const made = new grpc.Metadata();
      made.set(name, value);
      return made;
    };
    expect((await say(client, '', metadata('user', 'jason'))).text).toBe('served');
    expect((await say(client, '', metadata('user-bin', Buffer.from('jason')))).code).toBe(grpc.status.UNAVAILABLE);
  });
});

describe('faults of a server’s listener (gRFC A33)', () => {
  const abort = (grpcStatus: number): FaultPolicy => ({ abort: { grpcStatus, fraction: ALWAYS } });

  it('abort with a gRPC status, or one of HTTP by gRPC’s mapping', async () => {
    const { setting, client, calls } = await serve({ routes: inline([stay('/')]), fault: abort(5) });
    expect((await say(client)).code).toBe(grpc.status.NOT_FOUND);
    setting.side.listen(
      listenerOf({ routes: inline([stay('/')]), fault: { abort: { httpStatus: 403, fraction: ALWAYS } } }),
    );
    expect((await say(client)).code).toBe(grpc.status.PERMISSION_DENIED);
    expect(calls()).toBe(0);
  });

  it('a route’s replaces the listener’s, and no fault is one too', async () => {
    const routes = inline([stay('/test.Echo/', {}), stay('/')]);
    const { client } = await serve({ routes, fault: abort(5) });
    expect((await say(client)).text).toBe('served');
    const other = await serve({ routes: inline([stay('/', abort(8))]), fault: abort(5) });
    expect((await say(other.client)).code).toBe(grpc.status.RESOURCE_EXHAUSTED);
  });

  it('delay: a caller that leaves meanwhile is not served, and no longer counts', async () => {
    const fault: FaultPolicy = { delay: { ms: 200, fraction: ALWAYS }, maxActive: 1 };
    const { setting, client, calls } = await serve({ routes: inline([stay('/')]), fault });
    const left = client.unary(Buffer.from(''), () => {});
    await until(() => setting.guarded.stats().requests === 1);
    left.cancel();
    await until(() => setting.guarded.stats().requests === 0);
    expect((await say(client)).text).toBe('served');
    expect(calls()).toBe(1);
  });

  it('an HTTP server’s requests have them too, by the route that fits; whatever that does, the request stays here', async () => {
    const setting = await startGuarded(
      createServer((_, response) => response.end('served')),
      'DISABLE',
    );
    closers.push(() => setting[Symbol.asyncDispose]());
    const fault: FaultPolicy = { abort: { httpStatus: 418, fraction: ALWAYS } };
    setting.side.listen(listenerOf({ routes: inline([stay('/a', fault), route('b', to('/b'))]) }));
    const socket = await plain(setting.port);
    expect(await ask(socket, { path: '/a' })).toMatchObject({ status: 418, text: 'fault filter abort' });
    expect(await ask(socket, { path: '/b' })).toMatchObject({ status: 200, text: 'served' });
    expect(await ask(socket, { path: '/c' })).toMatchObject({ status: 200, text: 'served' });
  });
});
