import { describe, expect, it } from 'vitest';
import type { Action, ForwardAction, HostRewrite, PathRewrite, RedirectAction } from '../model/action.ts';
import type { PathMatch } from '../model/match.ts';
import type { MeshRequest } from '../model/request.ts';
import { compileRouteTable } from './compile.ts';
import { decide } from './decide.ts';
import { outgoingRequest } from './outgoing.ts';
import { redirectLocation } from './redirect.ts';
import { appendForwardedHost, mutationsFor, rewritePath } from './rewrite.ts';
import { configuration, forward, NO_MUTATION, path, request, route, virtualHost } from './route.fixture.ts';
import type { RouteDecision } from './table.ts';

function decisionFor(match: PathMatch, action: Action, asked: MeshRequest): RouteDecision {
  const table = compileRouteTable(configuration([virtualHost('v', ['*'], [route('r', { path: match }, action)])]));
  const decision = decide(table, asked, () => 0);
  if (decision.kind === 'none') throw new Error(decision.reason);
  return decision;
}

describe('rewritePath', () => {
  it.each<[rule: string, match: PathMatch, rewrite: PathRewrite, from: string, to: string]>([
    ['a prefix replaces the prefix', path('prefix', '/api'), { prefix: '/v2' }, '/api/x?y', '/v2/x?y'],
    ['a prefix is replaced to the letter, slashes and all', path('prefix', '/api'), { prefix: '/' }, '/api/x', '//x'],
    ['a prefix with a slash at its end', path('prefix', '/api/'), { prefix: '/' }, '/api/x', '/x'],
    ['the empty prefix is put before', path('prefix', ''), { prefix: '/v2' }, '/x', '/v2/x'],
    ['an exact path is replaced whole', path('exact', '/api'), { prefix: '/v2' }, '/api?y', '/v2?y'],
    ['a segment prefix', path('path-separated-prefix', '/api'), { prefix: '/v2' }, '/api/x', '/v2/x'],
    ['case ignored: the letters go all the same', path('prefix', '/api', false), { prefix: '/v2' }, '/API/x', '/v2/x'],
    ['a regex match is replaced whole', { kind: 'regex', value: '/a.*' }, { prefix: '/v2' }, '/abc?y', '/v2?y'],
    ['an empty rewrite is none', path('prefix', '/api'), { prefix: '' }, '/api', '/api'],
    [
      'a regex rewrite sees the path without its query',
      path('prefix', '/'),
      { regex: { pattern: '/a/([^/]+)', substitution: '/\\1' } },
      '/a/b/a/c?/a/d',
      '/b/c?/a/d',
    ],
    [
      'a regex that does not compile rewrites nothing',
      path('prefix', '/'),
      { regex: { pattern: '(', substitution: '' } },
      '/a',
      '/a',
    ],
    ['a template', { kind: 'template', value: '/{a}/{b=**}' }, { template: '/x/{b}/{a}' }, '/1/2/3?y', '/x/2/3/1?y'],
    ['a template asks for a template match', path('prefix', '/'), { template: '/x' }, '/a', '/a'],
    [
      'a template that does not fit its match rewrites nothing',
      { kind: 'template', value: '/{a}' },
      { template: '/{b}' },
      '/1',
      '/1',
    ],
    ['nothing to do', path('prefix', '/'), {}, '/a?b', '/a?b'],
  ])('%s (Envoy RouteAction)', (_, match, rewrite, from, to) => {
    const decision = decisionFor(match, forward({ a: 1 }, { pathRewrite: rewrite }), request({ path: from }));
    expect(rewritePath(decision, from, { request: request({ path: from }) })).toBe(to);
  });

  it('has nothing to rewrite in a direct response', () => {
    const decision = decisionFor(
      path('prefix', '/'),
      { kind: 'respond', status: 200, body: new Uint8Array() },
      request(),
    );
    expect(rewritePath(decision, '/a', { request: request() })).toBe('/a');
  });
});

describe('hostRewrite', () => {
  const sent = (action: ForwardAction, asked: MeshRequest): MeshRequest => {
    const decision = decisionFor(path('prefix', '/'), action, asked);
    if (decision.action.kind !== 'forward') throw new Error(decision.action.kind);
    const cluster = decision.action.clusters[0];
    return cluster === undefined ? asked : outgoingRequest({ decision, action: decision.action, cluster }, asked);
  };
  const own = {
    name: 'a',
    weight: 1,
    hostRewrite: 'cluster',
    requestHeaders: NO_MUTATION,
    responseHeaders: NO_MUTATION,
  };

  it('prefers the route over the weighted cluster (Envoy applies the route last)', () => {
    expect(sent(forward({}, { clusters: [own], hostRewrite: 'route' }), request()).authority).toBe('route');
    expect(sent(forward({}, { clusters: [own], hostRewrite: '' }), request()).authority).toBe('cluster');
    expect(sent(forward(), request({ authority: 'own' })).authority).toBe('own');
  });

  const asked = request({ authority: 'own', path: '/p/q?r=1', headers: ['x-a', 'val'] });

  it.each<[rule: string, from: HostRewrite, host: string]>([
    ['host_rewrite_header', { kind: 'header', name: 'x-a' }, 'val'],
    ['host_rewrite_header that is absent', { kind: 'header', name: 'x-b' }, 'own'],
    [
      'host_rewrite_path_regex, without the query',
      { kind: 'path-regex', regex: { pattern: '^/(.+)/.+$', substitution: '\\1' } },
      'p',
    ],
    ['host_rewrite', { kind: 'format', format: 'h.%REQ(x-a)%' }, 'h.val'],
    ['host_rewrite, where a dash stands for what is absent', { kind: 'format', format: 'h.%REQ(x-b)%' }, 'h.-'],
  ])('%s (Envoy RouteAction)', (_, hostRewriteFrom, host) => {
    expect(sent(forward({ a: 1 }, { hostRewriteFrom }), asked).authority).toBe(host);
  });

  it.each<[format: string, headers: string[], sentPath: string]>([
    ['/n/%REQ(x-a)%', ['x-a', 'val'], '/n/val?r=1'],
    ['/n/%REQ(x-a)%', [], '/n/?r=1'],
    ['%REQ(x-a)%', [], '/p/q?r=1'],
  ])('path_rewrite %s with %j makes %s (Envoy RouteAction)', (format, headers, sentPath) => {
    const action = forward({ a: 1 }, { pathRewrite: { format } });
    expect(sent(action, { ...asked, headers }).path).toBe(sentPath);
  });

  it.each([
    [[], ['x-forwarded-host', 'old']],
    [
      ['x-forwarded-host', 'first'],
      ['x-forwarded-host', 'first,old'],
    ],
    [
      ['x-forwarded-host', 'first,old'],
      ['x-forwarded-host', 'first,old'],
    ],
    [
      ['x-forwarded-host', '', 'a', 'b'],
      ['a', 'b', 'x-forwarded-host', 'old'],
    ],
  ])('appends the old host to %j (Envoy append_x_forwarded_host)', (headers, expected) => {
    expect(appendForwardedHost(headers, 'old')).toEqual(expected);
  });

  it('appends nothing where the route does not rewrite or does not ask', () => {
    expect(sent(forward({ a: 1 }, { hostRewrite: 'new' }), asked).headers).toEqual(asked.headers);
    expect(sent(forward({ a: 1 }, { appendXForwardedHost: true }), asked).headers).toEqual(asked.headers);
    expect(appendForwardedHost([], '')).toEqual([]);
  });
});

describe('mutationsFor', () => {
  it('puts a weighted cluster’s mutations first (Envoy WeightedClusterEntry)', () => {
    const own = { set: [], remove: ['a'] };
    const others = [{ set: [], remove: ['b'] }];
    expect(mutationsFor(own, others)).toEqual([own, ...others]);
    expect(mutationsFor(NO_MUTATION, others)).toBe(others);
  });
});

describe('redirectLocation (Envoy RedirectAction)', () => {
  it.each<[rule: string, action: Partial<RedirectAction>, asked: Partial<MeshRequest>, expected: string]>([
    ['another host', { host: 'new' }, { authority: 'old:8080', path: '/a?b' }, 'http://new/a?b'],
    [
      'another scheme keeps host and port',
      { scheme: 'https' },
      { authority: 'old:8080', path: '/a' },
      'https://old:8080/a',
    ],
    ['another scheme drops the old default port', { scheme: 'https' }, { authority: 'old:80' }, 'https://old/'],
    ['from https, 443 is the default', { scheme: 'http' }, { scheme: 'https', authority: 'old:443' }, 'http://old/'],
    ['the same scheme keeps a default port', { path: '/x' }, { authority: 'old:80' }, 'http://old:80/x'],
    ['another port replaces the old one', { port: 8443 }, { authority: 'old:80' }, 'http://old:8443/'],
    ['port 0 is none', { port: 0, path: '/x' }, { authority: 'old:81' }, 'http://old:81/x'],
    ['IPv6 with a port', { port: 1 }, { authority: '[::1]:80' }, 'http://[::1]:1/'],
    ['IPv6 without a port', { port: 1 }, { authority: '[::1]' }, 'http://[::1]:1/'],
    ['a path keeps the query', { path: '/new' }, { path: '/a?b=c' }, 'http://old/new?b=c'],
    ['a path with a query replaces it', { path: '/new?x=1' }, { path: '/a?b=c' }, 'http://old/new?x=1'],
    [
      'a path with a query is never stripped',
      { path: '/new?x=1', stripQuery: true },
      { path: '/a?b' },
      'http://old/new?x=1',
    ],
    ['strip_query', { path: '/new', stripQuery: true }, { path: '/a?b' }, 'http://old/new'],
    ['strip_query with nothing to strip', { host: 'new', stripQuery: true }, { path: '/a' }, 'http://new/a'],
    ['a path without a slash gets one', { path: 'new' }, { path: '/a' }, 'http://old/new'],
    ['a prefix', { prefix: '/v2' }, { path: '/a/b?c' }, 'http://old/v2/b?c'],
    [
      'a regex',
      { regex: { pattern: '^/(\\w+)/(\\w+)$', substitution: '/\\2/\\1' } },
      { path: '/a/b?c' },
      'http://old/b/a?c',
    ],
    [
      'a regex, query stripped',
      { regex: { pattern: 'a', substitution: 'b' }, stripQuery: true },
      { path: '/a?a' },
      'http://old/b',
    ],
    ['everything at once', { scheme: 'https', host: 'h', port: 1, path: '/p' }, { path: '/a?b' }, 'https://h:1/p?b'],
    ['empty fields are unset', { scheme: '', host: '', path: '' }, { path: '/a' }, 'http://old/a'],
  ])('%s', (_, more, askedFor, expected) => {
    const action: RedirectAction = { kind: 'redirect', code: 301, stripQuery: false, ...more };
    const asked = request({ authority: 'old', ...askedFor });
    expect(
      redirectLocation(action, decisionFor(path('prefix', asked.path === '/' ? '/' : '/a'), action, asked), asked),
    ).toBe(expected);
  });
});
