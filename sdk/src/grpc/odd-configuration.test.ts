import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { anyOf } from '../../../test/harness/scripted-ads.ts';
import { listener, type RouteInit, routes } from '../../../test/harness/xds-resources.ts';
import { HttpConnectionManagerSchema, ListenerSchema, RouterSchema } from '../../gen/listener.js';
import { END_HEADERS, END_STREAM, FRAME, fields, frame, head, MESSAGE, serveByHand } from './frames.fixture.ts';
import { told } from './peer.fixture.ts';
import { HELLO, named, route, type Stage, startStage, unary } from './policy.fixture.ts';

/** Configurations that a gRPC call cannot follow, and calls at the edge of what there is: each ends with a status. */

let stage: Stage;
const ends: { close(): void }[] = [];
beforeEach(async () => {
  stage = await startStage();
});
afterEach(async () => {
  await stage.close();
  for (const one of ends.splice(0)) one.close();
});

const { status } = grpc;

const match = { pathSpecifier: { case: 'prefix', value: '/' } } as const;

/** A filter nobody here knows, in front of the router. */
const RBAC = anyOf(HttpConnectionManagerSchema, {});
const chain = (isOptional: boolean) => [
  {
    name: 'rbac',
    isOptional,
    configType: { case: 'typedConfig', value: { ...RBAC, typeUrl: 'type.googleapis.com/test.Unknown' } },
  } as const,
  { name: 'router', configType: { case: 'typedConfig', value: anyOf(RouterSchema, {}) } } as const,
];

describe('a listener', () => {
  it('without an HTTP connection manager is UNAVAILABLE, and the call says what is wrong', async () => {
    stage.test.ads.set('echo:80', anyOf(ListenerSchema, { name: 'echo:80' }));
    const { status: end } = await unary(stage.client());
    expect(end.code).toBe(status.UNAVAILABLE);
    expect(end.details).toContain('api_listener');
  });

  it('with a filter nobody knows is UNAVAILABLE where that is required, and used where it is optional', async () => {
    const peer = await stage.peer(named('a'));
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } } });
    stage.test.ads.set('echo:80', listener('echo:80', 'echo:80', { httpFilters: chain(false) }));
    expect((await unary(stage.client())).status).toMatchObject({
      code: status.UNAVAILABLE,
      details: expect.stringContaining('test.Unknown'),
    });
  });

  it('with a filter nobody knows that is optional is used', async () => {
    const peer = await stage.peer(named('a'));
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } } });
    stage.test.ads.set('echo:80', listener('echo:80', 'echo:80', { httpFilters: chain(true) }));
    expect((await unary(stage.client())).status.code).toBe(status.OK);
  });
});

describe('a route', () => {
  const routed = async (one: RouteInit) => {
    const peer = await stage.peer(named('a'));
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } }, routes: [one] });
    return unary(stage.client());
  };

  it.each<[string, RouteInit, number]>([
    [
      'that answers itself',
      { match, action: { case: 'directResponse', value: { status: 403 } } },
      status.PERMISSION_DENIED,
    ],
    ['that answers 200 itself', { match, action: { case: 'directResponse', value: { status: 200 } } }, status.UNKNOWN],
    ['that redirects', { match, action: { case: 'redirect', value: {} } }, status.UNKNOWN],
    ['that forwards nothing', { match, action: { case: 'nonForwardingAction', value: {} } }, status.UNAVAILABLE],
    ['to a cluster that is not there', route('gone', {}), status.UNAVAILABLE],
    [
      'for another path',
      route('a', {}, { match: { pathSpecifier: { case: 'path', value: '/other' } } }),
      status.UNAVAILABLE,
    ],
  ])('%s is a status', async (_, one, code) => {
    expect((await routed(one)).status.code).toBe(code);
  });
});

describe('a call that waits for somebody', () => {
  it('whose cluster has gone waits until there is another', async () => {
    const peer = await stage.peer(named('a'));
    stage.test.ads.set('echo:80', listener('echo:80', 'echo:80'));
    stage.test.ads.set('echo:80', routes('echo:80', route('gone', {})));
    const client = stage.client();
    const options = { deadline: Date.now() + 20_000 };
    const waiting = told((done) => client.unary(HELLO, new grpc.Metadata({ waitForReady: true }), options, done));
    expect((await unary(client)).status.code).toBe(status.UNAVAILABLE);
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } } });
    expect(String((await waiting).value)).toBe('a');
  });
});

describe('metadata', () => {
  it('of 64 KiB reach a server that takes them, and end the call with a status at one that does not', async () => {
    const large = 'x'.repeat(65_536);
    const peer = await stage.peer(named('a'));
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } } });
    const client = stage.client();
    const { status: end } = await unary(client, { 'x-large': large });
    expect(Object.values(status)).toContain(end.code);
    expect((await unary(client)).status.code).toBe(status.OK);
  });

  it('of a server whose base64 is none, or that have a name twice, do not keep its status from the caller', async () => {
    const byHand = await serveByHand((socket, id) => {
      const list = fields(['a-bin', '!no base64!'], ['a-bin', 'AAE'], ['b', '1'], ['b', '2'], ['grpc-status', '7']);
      const end = frame(FRAME.headers, END_HEADERS | END_STREAM, id, list);
      socket.write(Buffer.concat([head(id), frame(FRAME.data, 0, id, MESSAGE), end]));
    });
    ends.push(byHand);
    stage.set({ clusters: { a: { groups: [{ peers: [byHand] }] } } });
    const { status: end } = await unary(stage.client());
    expect(end.code).toBe(status.PERMISSION_DENIED);
    expect(end.metadata.get('b')).toEqual(['1', '2']);
  });

  it('called like what every object has are metadata like any other', async () => {
    let heard: unknown;
    const peer = await stage.peer({
      unary: (call: grpc.ServerUnaryCall<Buffer, Buffer>, done: grpc.sendUnaryData<Buffer>) => {
        heard = call.metadata.get('constructor');
        const trailer = new grpc.Metadata();
        trailer.set('__proto__', 'polluted');
        trailer.set('tostring', 'x');
        done(null, call.request, trailer);
      },
    });
    stage.set({ clusters: { a: { groups: [{ peers: [peer] }] } } });
    const { status: end } = await unary(stage.client(), { constructor: 'mine' });
    expect(heard).toEqual(['mine']);
    expect(end.code).toBe(status.OK);
    expect(end.metadata.get('tostring')).toEqual(['x']);
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false);
  });
});
