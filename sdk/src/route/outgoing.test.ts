import { describe, expect, it } from 'vitest';
import type { ForwardAction } from '../model/action.ts';
import type { MeshRequest } from '../model/request.ts';
import type { Route } from '../model/route.ts';
import { compileRouteTable } from './compile.ts';
import { decide } from './decide.ts';
import { incomingHeaders, outgoingRequest } from './outgoing.ts';
import { configuration, forward, NO_MUTATION, request, route, setHeader, virtualHost } from './route.fixture.ts';
import type { CompiledForward, RouteDecision } from './table.ts';

const cluster = { name: 'a', weight: 1, requestHeaders: NO_MUTATION, responseHeaders: NO_MUTATION };

function decided(
  action: Partial<ForwardAction>,
  more: Partial<Route> = {},
): RouteDecision & { readonly action: CompiledForward } {
  const table = compileRouteTable(
    configuration([virtualHost('v', ['*'], [route('r', {}, forward({}, action), more)])]),
  );
  const decision = decide(table, request(), () => 0);
  if (decision.kind === 'none' || decision.action.kind !== 'forward') throw new Error('no forward');
  return { ...decision, action: decision.action };
}

function sent(action: Partial<ForwardAction>, more: Partial<Route>, asked: MeshRequest): MeshRequest {
  const decision = decided({ clusters: [cluster], ...action }, more);
  return outgoingRequest({ decision, action: decision.action, cluster: decision.action.clusters[0] ?? cluster }, asked);
}

describe('outgoingRequest (Envoy finalizeRequestHeaders)', () => {
  it('returns the request itself when nothing changes', () => {
    const asked = request();
    expect(sent({}, {}, asked)).toBe(asked);
  });

  it('takes the picked endpoint as host last of all (Envoy RouteAction.auto_host_rewrite)', () => {
    const decision = decided({
      clusters: [{ ...cluster, hostRewrite: 'c.host' }],
      autoHostRewrite: true,
      appendXForwardedHost: true,
    });
    const way = { decision, action: decision.action, cluster: decision.action.clusters[0] ?? cluster };
    expect(outgoingRequest({ ...way, hostname: 'e.host' }, request())).toMatchObject({
      authority: 'e.host',
      headers: ['x-forwarded-host', 'c.host'],
    });
    expect(outgoingRequest(way, request()).authority).toBe('c.host');
  });

  it('counts attempts where the virtual host asks for it, in the place of what the caller wrote', () => {
    const decision = { ...decided({ clusters: [cluster] }), attemptCount: { inRequest: true, inResponse: true } };
    const way = { decision, action: decision.action, cluster };
    const asked = request({ headers: ['x-envoy-attempt-count', '7', 'a', 'b'] });
    expect(outgoingRequest(way, asked).headers).toEqual(['a', 'b', 'x-envoy-attempt-count', '1']);
    expect(outgoingRequest({ ...way, attempt: 3 }, asked).headers).toEqual(['a', 'b', 'x-envoy-attempt-count', '3']);
    const about = { request: asked, status: 200, attempt: 2 };
    expect(incomingHeaders(decision, cluster, ['c', 'd'], about)).toEqual(['c', 'd', 'x-envoy-attempt-count', '2']);
    expect(incomingHeaders(decision, cluster, ['c', 'd'], { request: asked })).toEqual(['c', 'd']);
  });

  it('lets the route see what the weighted cluster did to headers and host', () => {
    const own = { set: [setHeader('x', 'cluster:%REQ(:authority)%', 'overwrite-or-add')], remove: [] };
    const ofRoute = { set: [setHeader('y', '%REQ(x)% route:%REQ(:authority)%', 'overwrite-or-add')], remove: [] };
    const out = sent(
      { clusters: [{ ...cluster, hostRewrite: 'c.host', requestHeaders: own }] },
      { requestHeaders: ofRoute },
      request(),
    );
    expect(out.headers).toEqual(['x', 'cluster:reviews:9080', 'y', 'cluster:reviews:9080 route:c.host']);
    expect(out.authority).toBe('c.host');
  });

  it('replaces the host after the mutations and remembers the one before where asked', () => {
    const clusters = [{ ...cluster, hostRewrite: 'c.host' }];
    expect(sent({ clusters, hostRewrite: 'r.host', appendXForwardedHost: true }, {}, request())).toMatchObject({
      authority: 'r.host',
      headers: ['x-forwarded-host', 'c.host'],
    });
  });

  it('rewrites the path last: mutations see the one that came', () => {
    const requestHeaders = { set: [setHeader('x-path', '%REQ(:path)%')], remove: [] };
    expect(sent({ pathRewrite: { prefix: '/v2/' } }, { requestHeaders }, request({ path: '/a?b' }))).toMatchObject({
      path: '/v2/a?b',
      headers: ['x-path', '/a?b'],
    });
  });

  it('knows when the call began', () => {
    const decision = decided(
      { clusters: [cluster] },
      { requestHeaders: { set: [setHeader('t', '%START_TIME%')], remove: [] } },
    );
    expect(outgoingRequest({ decision, action: decision.action, cluster }, request(), 0).headers).toEqual([
      't',
      '1970-01-01T00:00:00.000Z',
    ]);
  });
});

describe('incomingHeaders (Envoy finalizeResponseHeaders)', () => {
  it('returns the list itself when nothing changes', () => {
    const headers = ['a', '1'];
    expect(incomingHeaders(decided({}), cluster, headers, { request: request() })).toBe(headers);
    expect(incomingHeaders(decided({}), undefined, headers, { request: request() })).toBe(headers);
  });

  it('applies the cluster’s mutations first', () => {
    const responseHeaders = { set: [setHeader('a', 'route', 'overwrite-or-add')], remove: [] };
    const own = { ...cluster, responseHeaders: { set: [setHeader('a', 'cluster', 'overwrite-or-add')], remove: [] } };
    expect(incomingHeaders(decided({}, { responseHeaders }), own, [], { request: request() })).toEqual(['a', 'route']);
  });
});
