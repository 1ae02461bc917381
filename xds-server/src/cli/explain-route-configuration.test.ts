import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { explain } from './explain.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'inmesh-routes-'));
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const ROUTES = `name: shop
virtual_hosts:
- name: shop
  domains: [shop.test, "shop.test:*"]
  virtual_clusters:
  - name: reads
    headers: [{name: ":method", string_match: {exact: GET}}]
  request_headers_to_add: [{header: {key: x-level, value: host}}]
  routes:
  - name: old
    match: {path: /old}
    redirect: {path_redirect: /new, response_code: FOUND}
  - name: closed
    match: {prefix: /closed}
    direct_response: {status: 403, body: {inline_string: closed}}
  - name: beta
    match: {prefix: /, runtime_fraction: {default_value: {numerator: 5}, runtime_key: shop.beta}}
    route: {cluster: beta}
  - name: by-user
    match:
      prefix: /user/
      headers: [{name: x-user, string_match: {exact: ann}}]
      dynamic_metadata: [{filter: auth, path: [{key: role}], value: {string_match: {exact: admin}}}]
    route: {cluster: users, prefix_rewrite: /u/, host_rewrite_literal: users.internal}
    request_headers_to_add: [{header: {key: x-seen, value: "%REQ(x-user)%"}}]
    response_headers_to_add: [{header: {key: x-by, value: mesh}}]
  - name: split
    match: {prefix: /split}
    route: {weighted_clusters: {runtime_key_prefix: w, clusters: [{name: a, weight: 90}, {name: b, weight: 10}]}}
  - name: rest
    match: {prefix: /rest}
    route: {cluster: rest}
`;

interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function run(routes: string, request: unknown, flags: readonly string[] = ['--json']): Promise<Ran> {
  const routeFile = path.join(folder, 'routes.yaml');
  const requestFile = path.join(folder, 'request.json');
  writeFileSync(routeFile, routes);
  writeFileSync(requestFile, typeof request === 'string' ? request : JSON.stringify(request));
  const printed = { out: '', err: '' };
  const kept = (key: 'out' | 'err') => (text: string | Uint8Array) => {
    printed[key] += String(text);
    return true;
  };
  vi.spyOn(process.stdout, 'write').mockImplementation(kept('out'));
  vi.spyOn(process.stderr, 'write').mockImplementation(kept('err'));
  const code = await explain.run(['--route-configuration', routeFile, '--request', requestFile, ...flags]);
  vi.restoreAllMocks();
  return { code, out: printed.out, err: printed.err.replaceAll(`${folder}${path.sep}`, '') };
}

async function answerTo(request: object, routes = ROUTES): Promise<Record<string, unknown>> {
  const { code, out, err } = await run(routes, { authority: 'shop.test', random: 50, ...request });
  expect(err).toBe('');
  expect(code).toBe(0);
  return JSON.parse(out) as Record<string, unknown>;
}

describe('the answer', () => {
  it('says where a request goes and what it looks like there', async () => {
    const metadata = { auth: { role: 'admin' } };
    const headers = { 'X-User': 'ann', 'x-many': ['1', '2'] };
    expect(await answerTo({ path: '/user/7?q=1', headers, metadata })).toEqual({
      virtualHost: 'shop',
      virtualCluster: 'reads',
      route: 'by-user',
      cluster: 'users',
      pathRewrite: '/u/7?q=1',
      hostRewrite: 'users.internal',
      requestHeaders: { 'x-user': 'ann', 'x-many': ['1', '2'], 'x-seen': 'ann', 'x-level': 'host' },
      responseHeaders: { 'x-by': 'mesh' },
      reason: expect.stringContaining('by-user'),
    });
  });

  it('keeps path and host where nothing rewrites them', async () => {
    const found = await answerTo({ method: 'POST', path: '/rest/x?y', authority: 'shop.test:81' });
    expect(found).toMatchObject({ pathRewrite: '/rest/x?y', hostRewrite: 'shop.test:81', virtualCluster: 'other' });
  });

  it('has redirect or directResponse in the place of a cluster', async () => {
    const redirected = await answerTo({ path: '/old?a=1', scheme: 'https' });
    expect(redirected).toMatchObject({ cluster: null, redirect: { location: 'https://shop.test/new?a=1', code: 302 } });
    const closed = await answerTo({ path: '/closed' });
    expect(closed).toMatchObject({ cluster: null, directResponse: { code: 403, body: 'closed' } });
  });

  it('has null where there is nothing, and says why', async () => {
    expect(await answerTo({ path: '/none' })).toMatchObject({ virtualHost: 'shop', route: null, cluster: null });
    const elsewhere = await answerTo({ authority: 'other.test' });
    expect(elsewhere).toMatchObject({ virtualHost: null, reason: '404: no virtual host has this domain' });
  });

  it('is an array for an array, in its order', async () => {
    const { out } = await run(ROUTES, [{ authority: 'shop.test', path: '/closed' }, { authority: 'x' }, {}]);
    const list = JSON.parse(out) as Record<string, unknown>[];
    expect(list.map(({ virtualHost }) => virtualHost)).toEqual(['shop', null, null]);
  });

  it('is a page without --json', async () => {
    const { out } = await run(ROUTES, { authority: 'shop.test', path: '/closed' }, []);
    expect(out).toMatch(/^virtualHost +shop$/m);
  });

  it('takes the authority from a host header where it is not given', async () => {
    const { out } = await run(ROUTES, { path: '/closed', headers: { Host: 'shop.test' } });
    expect(JSON.parse(out)).toMatchObject({ route: 'closed' });
  });
});

describe('random and runtime keys', () => {
  const beta = async (random: number, runtime?: object): Promise<unknown> =>
    (await answerTo({ path: '/rest', random, ...(runtime && { runtime }) })).route;

  it('lets the fraction decide by `random` where its key is not given', async () => {
    expect([await beta(4), await beta(5), await beta(104)]).toEqual(['beta', 'rest', 'beta']);
    expect(await beta(4, { 'shop.other': 0 })).toBe('beta');
  });

  it('lets a given key decide: a percentage, or all and nothing (Envoy SnapshotImpl::featureEnabled)', async () => {
    expect([await beta(49, { 'shop.beta': 50 }), await beta(50, { 'shop.beta': 50 })]).toEqual(['beta', 'rest']);
    expect([await beta(99, { 'shop.beta': true }), await beta(0, { 'shop.beta': false })]).toEqual(['beta', 'rest']);
  });

  it('draws among weighted clusters modulo the sum of their weights', async () => {
    const cluster = async (random: number, runtime: object = {}): Promise<unknown> =>
      (await answerTo({ path: '/split', random, runtime: { 'shop.beta': 0, ...runtime } })).cluster;
    expect([await cluster(89), await cluster(90), await cluster(189)]).toEqual(['a', 'b', 'a']);
    expect([await cluster(89, { 'w.a': 0 }), await cluster(9, { 'w.a': 5 })]).toEqual(['b', 'b']);
  });
});

describe('the shape of the configuration', () => {
  const camel = {
    name: 'n',
    virtualHosts: [
      {
        name: 'h',
        domains: ['*'],
        routes: [{ match: { prefix: '/' }, route: { cluster: 'c', prefixRewrite: '/z', timeout: '1.5s' } }],
      },
    ],
  };
  const TYPE = 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration';
  it.each([
    ['JSON with camelCase names', JSON.stringify(camel)],
    ['@type beside the fields', JSON.stringify({ '@type': TYPE, ...camel })],
    [
      'the resource of a discovery response',
      JSON.stringify({ version_info: '1', resources: [{ '@type': TYPE, ...camel }] }),
    ],
    [
      'a named resource within one',
      JSON.stringify({
        resources: [
          {
            '@type': 'type.googleapis.com/envoy.service.discovery.v3.Resource',
            name: 'n',
            resource: { '@type': TYPE, ...camel },
          },
        ],
      }),
    ],
    ["a connection manager's route_config", JSON.stringify({ stat_prefix: 's', route_config: camel })],
    [
      'YAML with anchors and a duration in parts',
      'virtual_hosts:\n- name: h\n  domains: ["*"]\n  routes:\n  - match: &m {prefix: /}\n    route: {cluster: c, prefix_rewrite: /z, timeout: {seconds: 5}}\n  - match: *m\n    route: {cluster: d}\n',
    ],
  ])('may be %s', async (_, routes) => {
    expect(await answerTo({ path: '/x' }, routes)).toMatchObject({ cluster: 'c', pathRewrite: '/zx' });
  });

  it('may name filters that are not known here', async () => {
    const filters = {
      'envoy.filters.http.lua': {
        '@type': 'type.googleapis.com/envoy.extensions.filters.http.lua.v3.LuaPerRoute',
        disabled: true,
      },
    };
    const { code, err } = await run(JSON.stringify({ ...camel, typed_per_filter_config: filters }), {});
    expect(code).toBe(0);
    expect(err).toContain('routes.yaml: warning: typed_per_filter_config.envoy.filters.http.lua: ');
  });
});

describe('what is wrong', () => {
  const ofRoute = (route: string): string => `virtual_hosts:\n- name: h\n  domains: ["*"]\n  routes:\n  - ${route}\n`;
  const at = 'routes.yaml: virtual_hosts[0].routes[0]';
  it.each([
    ['{match: {prefix: 5}, route: {cluster: c}}', `${at}.match.prefix: expected string, got 5`],
    ['{match: {prefixx: /}, route: {cluster: c}}', `${at}.match.prefixx: unknown, one of `],
    [
      '{match: {prefix: /}, redirect: {response_code: GONE}}',
      `${at}.redirect.response_code: got "GONE", one of MOVED_PERMANENTLY`,
    ],
    [
      '{match: {prefix: /}, route: {cluster: c, timeout: soon}}',
      `${at}.route.timeout: got "soon", a duration such as "1.5s" is expected`,
    ],
    [
      '{match: {path_match_policy: {name: t, typed_config: {"@type": t/x.Y}}}, route: {cluster: c}}',
      `${at}.match.path_match_policy.typed_config: @type: got "t/x.Y"`,
    ],
    [
      '{match: {prefix: /}, route: {cluster: c, cluster_header: h}}',
      `${at}.route: oneof set multiple times by cluster and cluster_header`,
    ],
    ['{match: {safe_regex: {regex: "("}}, route: {cluster: c}}', `${at}.match.safe_regex.regex: `],
  ])('of a route %s: named with its place, exit code 1', async (route, message) => {
    const { code, out, err } = await run(ofRoute(route), {});
    expect({ code, out }).toEqual({ code: 1, out: '' });
    expect(err).toContain(message);
  });

  it.each([
    ['', 'one RouteConfiguration is expected'],
    ['a: [', 'line 1'],
    ['- a', 'got a list'],
    ['resources: []', 'resources: 0 of them'],
    [
      '{"@type": type.googleapis.com/envoy.config.cluster.v3.Cluster, name: x}',
      '@type: got "type.googleapis.com/envoy.config.cluster.v3.Cluster"',
    ],
    ['name: a\n---\nname: b', '2 documents'],
    ['resources: [{virtual_hosts: 5}]', 'resources[0].virtual_hosts: expected Array, got 5'],
  ])('of a file %j', async (routes, message) => {
    const { code, err } = await run(routes, {});
    expect(code).toBe(1);
    expect(err).toMatch(/^routes\.yaml: /);
    expect(err).toContain(message);
  });

  it.each([
    ['{', 'request.json: no JSON: '],
    ['5', 'request.json: got 5, an object is expected'],
    [{ verb: 'GET' }, 'request.json: verb: unknown, one of method, scheme, '],
    [[{}, { method: 1 }], 'request.json: [1]: method: got 1, a string is expected'],
    [{ scheme: 'ftp' }, 'request.json: scheme: got "ftp", http or https is expected'],
    [{ random: -1 }, 'request.json: random: got -1, an integer from 0 to 9007199254740991 is expected'],
    [{ headers: { 'x-a': ['b', 1] } }, 'request.json: headers.x-a: got 1, one line of text'],
    [{ headers: { 'x-a': 'b\r\nc: d' } }, 'request.json: headers.x-a: got "b\\r\\nc: d", one line of text'],
    [{ headers: { ':path': '/' } }, 'request.json: headers.:path: got "/", the name of a header'],
    [{ authority: 'a', headers: { host: 'b' } }, 'request.json: headers.host: got "b", it is the authority'],
    [{ runtime: { k: 'on' } }, 'request.json: runtime.k: got "on", true, false or a number is expected'],
    [{ metadata: { ns: 'x' } }, 'request.json: metadata.ns: got "x", an object is expected'],
  ])('of a request %j: exit code 2', async (request, message) => {
    const { code, out, err } = await run(ROUTES, request);
    expect({ code, out }).toEqual({ code: 2, out: '' });
    expect(err).toContain(message);
  });

  it('says which file is not there', async () => {
    vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    const missing = path.join(folder, 'none.yaml');
    expect(await explain.run(['--route-configuration', missing, '--request', missing])).toBe(2);
  });

  it('warns of what has no effect here', async () => {
    const { code, err } = await run(
      ofRoute('{match: {prefix: /}, route: {cluster: c, max_internal_redirects: 3}}'),
      {},
    );
    expect(code).toBe(0);
    expect(err).toContain('routes.yaml: warning: ');
  });
});
