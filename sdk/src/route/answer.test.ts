import { describe, expect, it } from 'vitest';
import type { MeshRequest } from '../model/request.ts';
import type { RouteConfiguration, VirtualHost } from '../model/route.ts';
import { type AnswerOptions, answerOf } from './answer.ts';
import { compileRouteTable } from './compile.ts';
import { configuration, forward, header, path, request, route, setHeader, text, virtualHost } from './route.fixture.ts';

const ask = (config: RouteConfiguration, more: Partial<MeshRequest> = {}, options: Partial<AnswerOptions> = {}) =>
  answerOf(compileRouteTable(config), request({ authority: 'a.test', ...more }), { draw: 0, ...options });

const hostWith = (more: Partial<VirtualHost>) =>
  configuration([virtualHost('v', ['a.test'], [route('r', {}, forward({ a: 1 }))], more)]);

describe('virtual hosts that want TLS (Envoy VirtualHost.require_tls)', () => {
  const location = (requireTls: 'external' | 'all', more: Partial<MeshRequest>) =>
    ask(hostWith({ requireTls }), { path: '/x?y', ...more }).redirect?.location;

  it('send plain requests to https, path and query as they are', () => {
    expect(ask(hostWith({ requireTls: 'all' }), { path: '/x?y' })).toMatchObject({
      redirect: { location: 'https://a.test/x?y', code: 301 },
      route: undefined,
    });
    expect(location('all', { scheme: 'https' })).toBeUndefined();
  });

  it('go by what the caller used, as x-forwarded-proto tells it', () => {
    expect(location('all', { headers: ['x-forwarded-proto', 'https'] })).toBeUndefined();
    expect(location('all', { scheme: 'https', headers: ['x-forwarded-proto', 'http'] })).toBe('https://a.test/x?y');
  });

  it('let internal requests through where only external ones must', () => {
    expect(location('external', { headers: ['x-envoy-internal', 'true'] })).toBeUndefined();
    expect(location('external', {})).toBe('https://a.test/x?y');
    expect(location('all', { headers: ['x-envoy-internal', 'true'] })).toBe('https://a.test/x?y');
  });

  it('put none of their headers on the redirect', () => {
    const responseHeaders = { set: [setHeader('a', 'b')], remove: [] };
    expect(ask(hostWith({ requireTls: 'all', responseHeaders })).responseHeaders).toEqual([]);
  });
});

describe('virtual clusters (Envoy VirtualHost.virtual_clusters)', () => {
  const virtualClusters = [
    { name: 'reads', headers: [header(':method', text('exact', 'GET')), header(':path', text('prefix', '/a'))] },
    { name: 'all-a', headers: [header(':path', text('prefix', '/a'))] },
  ];
  it('are the first whose every header fits, "other" where none does, none where there are none', () => {
    const name = (more: Partial<MeshRequest>) => ask(hostWith({ virtualClusters }), more).virtualCluster;
    expect([name({ path: '/a' }), name({ path: '/a', method: 'PUT' }), name({ path: '/b' })]).toEqual([
      ...['reads', 'all-a', 'other'],
    ]);
    expect(ask(hostWith({})).virtualCluster).toBeUndefined();
  });
});

describe('the virtual host', () => {
  it('is chosen by a header instead of the authority where so configured (Envoy RouteConfiguration.vhost_header)', () => {
    const config = configuration([virtualHost('v', ['x.test'], [route('r')])], { vhostHeader: 'X-Host' });
    expect(ask(config, { headers: ['x-host', 'x.test', 'x-host', 'other'] }).route).toBe('r');
    expect(ask(config, { authority: 'x.test' })).toMatchObject({ virtualHost: undefined, route: undefined });
  });

  it('is chosen with or without the port (Envoy ignore_port_in_host_matching)', () => {
    const config = (ignorePortInHostMatching: boolean) =>
      configuration([virtualHost('v', ['a.test'], [route('r')])], { ignorePortInHostMatching });
    expect(ask(config(true), { authority: 'a.test:81' }).route).toBe('r');
    expect(ask(config(false), { authority: 'a.test:81' }).route).toBeUndefined();
  });
});

it('compares no path parameters where so configured, but in templates (Envoy ignore_path_parameters_in_path_matching)', () => {
  const routes = [
    route('template', { path: { kind: 'template', value: '/t/{x}' } }),
    route('exact', { path: path('exact', '/t/a') }),
  ];
  const config = configuration([virtualHost('v', ['*'], routes)], { ignorePathParameters: true });
  expect(ask(config, { path: '/t;p=1/a;q?r;s' }).route).toBe('exact');
  expect(ask(config, { path: '/t/a;q' }).route).toBe('template');
  const rewriting = forward({ a: 1 }, { pathRewrite: { prefix: '/z' } });
  const rewritten = configuration(
    [virtualHost('v', ['*'], [route('r', { path: path('prefix', '/a/b') }, rewriting)])],
    {
      ignorePathParameters: true,
    },
  );
  expect(['/a/b/c', '/a;p/b/c'].map((asked) => ask(rewritten, { path: asked }).pathRewrite)).toEqual([
    '/z/c',
    '/a;p/b/c',
  ]);
});

describe('the destination', () => {
  it('may be missing: the status that the route has for it, and its headers all the same', () => {
    const action = forward({ gone: 1 }, { clusterNotFoundStatus: 404 });
    const responseHeaders = { set: [setHeader('a', '%UPSTREAM_CLUSTER%|%START_TIME(%Y)%')], remove: [] };
    const config = configuration([virtualHost('v', ['*'], [route('r', {}, action, { responseHeaders })])]);
    expect(ask(config, {}, { isThere: () => false, startTimeMs: 0 })).toMatchObject({
      cluster: undefined,
      clusterNotFound: 404,
      responseHeaders: ['a', '|1970'],
      reason: expect.stringContaining('404: no cluster gone'),
    });
  });

  it('gives its host name to a route that takes it (Envoy RouteAction.auto_host_rewrite)', () => {
    const config = configuration([
      virtualHost('v', ['*'], [route('r', {}, forward({ a: 1 }, { autoHostRewrite: true }))]),
    ]);
    expect(ask(config, {}, { hostname: (name) => `${name}.internal` }).hostRewrite).toBe('a.internal');
    expect(ask(config).hostRewrite).toBe('a.test');
  });

  it('is hashed for as the request goes out', () => {
    const hashPolicies = [
      { kind: 'header', name: 'x', terminal: true },
      { kind: 'cookie', name: 'c', path: '', ttlMs: 0, terminal: false },
    ] as const;
    const withCookie = (remove: string[]) =>
      ask(
        configuration([
          virtualHost(
            'v',
            ['*'],
            [route('r', {}, forward({ a: 1 }, { hashPolicies }), { requestHeaders: { set: [], remove } })],
          ),
        ]),
        { headers: ['x', '1'] },
      ).setCookies;
    expect(withCookie([])).toBeUndefined();
    expect(withCookie(['x'])).toHaveLength(1);
  });
});
