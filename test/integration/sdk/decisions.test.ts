import { type CallStory, createMesh } from '@inmesh/sdk';
import { createTestMesh } from '@inmesh/xds-server/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Origin, rules, service, startOrigin, world } from './world.ts';

let v1: Origin;
let v2: Origin;
beforeAll(async () => {
  v1 = await startOrigin((_request, response) => response.setHeader('x-from', 'v1').end('v1'));
  v2 = await startOrigin((_request, response) => response.setHeader('x-from', 'v2').end('v2'));
});
afterAll(async () => {
  await v1.close();
  await v2.close();
});

const reviews = () => service('reviews', { v1: v1.port, v2: v2.port });
const to = (subset: string) => `route: [{ destination: { host: reviews, subset: ${subset} } }]`;

describe('every decision of Istio YAML is seen through meshFetch', () => {
  it.each<[string, string, string, RequestInit, string]>([
    ['exact path', `- match: [{ uri: { exact: /a } }]\n  ${to('v2')}\n- ${to('v1')}`, '/a', {}, 'v2'],
    ['exact path, another', `- match: [{ uri: { exact: /a } }]\n  ${to('v2')}\n- ${to('v1')}`, '/ab', {}, 'v1'],
    ['prefix', `- match: [{ uri: { prefix: /a } }]\n  ${to('v2')}\n- ${to('v1')}`, '/ab?x', {}, 'v2'],
    ['regex', `- match: [{ uri: { regex: "/a[0-9]+" } }]\n  ${to('v2')}\n- ${to('v1')}`, '/a17?q', {}, 'v2'],
    ['regex is a full match', `- match: [{ uri: { regex: "/a" } }]\n  ${to('v2')}\n- ${to('v1')}`, '/a1', {}, 'v1'],
    [
      'ignoreUriCase',
      `- match: [{ uri: { prefix: /A }, ignoreUriCase: true }]\n  ${to('v2')}\n- ${to('v1')}`,
      '/aB',
      {},
      'v2',
    ],
    ['method', `- match: [{ method: { exact: POST } }]\n  ${to('v2')}\n- ${to('v1')}`, '/', { method: 'post' }, 'v2'],
    [
      'header exact',
      `- match: [{ headers: { end-user: { exact: jason } } }]\n  ${to('v2')}\n- ${to('v1')}`,
      '/',
      { headers: { 'End-User': 'jason' } },
      'v2',
    ],
    [
      'header prefix',
      `- match: [{ headers: { end-user: { prefix: ja } } }]\n  ${to('v2')}\n- ${to('v1')}`,
      '/',
      { headers: { 'end-user': 'jason' } },
      'v2',
    ],
    [
      'header regex',
      `- match: [{ headers: { user-agent: { regex: ".*Firefox.*" } } }]\n  ${to('v2')}\n- ${to('v1')}`,
      '/',
      { headers: { 'user-agent': 'a Firefox b' } },
      'v2',
    ],
    [
      'header present',
      `- match: [{ headers: { x-any: {} } }]\n  ${to('v2')}\n- ${to('v1')}`,
      '/',
      { headers: { 'x-any': '' } },
      'v2',
    ],
    ['withoutHeaders', `- match: [{ withoutHeaders: { x-any: {} } }]\n  ${to('v2')}\n- ${to('v1')}`, '/', {}, 'v2'],
    [
      'query exact',
      `- match: [{ queryParams: { user: { exact: jason } } }]\n  ${to('v2')}\n- ${to('v1')}`,
      '/?a=1&user=jason',
      {},
      'v2',
    ],
    [
      'query prefix',
      `- match: [{ queryParams: { user: { prefix: ja } } }]\n  ${to('v2')}\n- ${to('v1')}`,
      '/?user=jack',
      {},
      'v2',
    ],
    [
      'query regex',
      `- match: [{ queryParams: { n: { regex: "[0-9]+" } } }]\n  ${to('v2')}\n- ${to('v1')}`,
      '/?n=12',
      {},
      'v2',
    ],
    [
      'query, no match',
      `- match: [{ queryParams: { n: { regex: "[0-9]+" } } }]\n  ${to('v2')}\n- ${to('v1')}`,
      '/?n=1a',
      {},
      'v1',
    ],
    ['port', `- match: [{ port: 80 }]\n  ${to('v2')}\n- ${to('v1')}`, '/', {}, 'v2'],
    ['another port', `- match: [{ port: 81 }]\n  ${to('v2')}\n- ${to('v1')}`, '/', {}, 'v1'],
    ['sourceLabels', `- match: [{ sourceLabels: { app: web } }]\n  ${to('v2')}\n- ${to('v1')}`, '/', {}, 'v2'],
    ['other sourceLabels', `- match: [{ sourceLabels: { app: shop } }]\n  ${to('v2')}\n- ${to('v1')}`, '/', {}, 'v1'],
    ['sourceNamespace', `- match: [{ sourceNamespace: default }]\n  ${to('v2')}\n- ${to('v1')}`, '/', {}, 'v2'],
    ['another sourceNamespace', `- match: [{ sourceNamespace: prod }]\n  ${to('v2')}\n- ${to('v1')}`, '/', {}, 'v1'],
    ['gateways: [mesh]', `- match: [{ gateways: [mesh] }]\n  ${to('v2')}\n- ${to('v1')}`, '/', {}, 'v2'],
    ['gateways of others', `- match: [{ gateways: [edge] }]\n  ${to('v2')}\n- ${to('v1')}`, '/', {}, 'v1'],
    [
      'AND within a match',
      `- match: [{ uri: { prefix: /a }, method: { exact: PUT } }]\n  ${to('v2')}\n- ${to('v1')}`,
      '/a',
      {},
      'v1',
    ],
    [
      'OR between matches',
      `- match: [{ uri: { prefix: /b } }, { uri: { prefix: /a } }]\n  ${to('v2')}\n- ${to('v1')}`,
      '/a',
      {},
      'v2',
    ],
    ['first match wins', `- ${to('v1')}\n- match: [{ uri: { prefix: /a } }]\n  ${to('v2')}`, '/a', {}, 'v1'],
    [
      'authority: the host header',
      `- match: [{ authority: { exact: other.example } }]\n  ${to('v2')}\n- ${to('v1')}`,
      '/',
      { headers: { host: 'other.example' } },
      'v2',
    ],
    [
      'weight 0 and 100',
      `- route: [{ destination: { host: reviews, subset: v1 }, weight: 0 }, { destination: { host: reviews, subset: v2 }, weight: 100 }]`,
      '/',
      {},
      'v2',
    ],
  ])('%s', async (_what, http, path, init, expected) => {
    await using at = await world(reviews() + rules('reviews', http), { labels: { app: 'web' } });
    const response = await at.mesh.fetch(`http://reviews${path}`, init);
    expect([response.status, await response.text()]).toEqual([200, expected]);
    expect(response.mesh?.cluster).toBe(`outbound|80|${expected}|reviews.default.svc.cluster.local`);
  });

  it('404 when no rule matches', async () => {
    await using at = await world(reviews() + rules('reviews', `- match: [{ uri: { exact: /a } }]\n  ${to('v1')}`));
    const response = await at.mesh.fetch('http://reviews/b');
    expect([response.status, await response.text(), response.mesh?.flag]).toEqual([404, '', 'NR']);
  });

  it('weights split as they say', async () => {
    const http =
      '- route: [{ destination: { host: reviews, subset: v1 }, weight: 80 }, { destination: { host: reviews, subset: v2 }, weight: 20 }]';
    await using at = await world(reviews() + rules('reviews', http));
    let second = 0;
    for (let call = 0; call < 400; call++)
      second += (await (await at.mesh.fetch('http://reviews/')).text()) === 'v2' ? 1 : 0;
    // 1 in 10⁶ binomial bounds of 400 × 0.2
    expect(second).toBeGreaterThan(41);
    expect(second).toBeLessThan(123);
  });

  it('rewrite of path and authority', async () => {
    const http = `- match: [{ uri: { prefix: /old/ } }]\n  rewrite: { uri: /new/, authority: inner.example }\n  ${to('v1')}`;
    await using at = await world(reviews() + rules('reviews', http));
    await (await at.mesh.fetch('http://reviews/old/x?q=1#frag')).text();
    expect(v1.received.at(-1)).toMatchObject({ url: '/new/x?q=1', headers: { host: 'inner.example' } });
  });

  it('rewrite by regular expression', async () => {
    const http = `- rewrite: { uriRegexRewrite: { match: "^/book/([0-9]+)$", rewrite: '/b/\\1/all' } }\n  ${to('v1')}`;
    await using at = await world(reviews() + rules('reviews', http));
    await (await at.mesh.fetch('http://reviews/book/12')).text();
    expect(v1.received.at(-1)?.url).toBe('/b/12/all');
  });

  it('redirect: followed into routing, or given out', async () => {
    const http = `- match: [{ uri: { exact: /old } }]\n  redirect: { uri: /new, redirectCode: 308 }\n- ${to('v2')}`;
    await using at = await world(reviews() + rules('reviews', http));
    const followed = await at.mesh.fetch('http://reviews/old', { method: 'POST', body: 'again' });
    expect([await followed.text(), followed.redirected, followed.url]).toEqual(['v2', true, 'http://reviews/new']);
    expect(v2.received.at(-1)).toMatchObject({ method: 'POST', url: '/new', body: 'again' });
    const given = await at.mesh.fetch('http://reviews/old', { redirect: 'manual' });
    expect([given.status, given.headers.get('location'), given.mesh?.local]).toEqual([308, 'http://reviews/new', true]);
  });

  it('directResponse', async () => {
    const http =
      '- directResponse: { status: 418, body: { string: "a teapot" } }\n  headers: { response: { set: { x-pot: "yes" } } }';
    await using at = await world(reviews() + rules('reviews', http));
    const response = await at.mesh.fetch('http://reviews/');
    expect([response.status, await response.text(), response.headers.get('x-pot')]).toEqual([418, 'a teapot', 'yes']);
    expect(response.mesh).toMatchObject({ local: true, flag: undefined, attempts: [] });
  });

  it('header operations of route and destination, both ways', async () => {
    const http = `- headers:
    request: { set: { x-set: "1" }, add: { x-add: b }, remove: [x-gone] }
    response: { set: { x-answer: "2" }, remove: [x-from] }
  route:
    - destination: { host: reviews, subset: v1 }
      headers: { request: { set: { x-dest: "3" } }, response: { add: { x-answer: more } } }`;
    await using at = await world(reviews() + rules('reviews', http));
    const headers = { 'x-set': 'mine', 'x-add': 'a', 'x-gone': 'x' };
    const response = await at.mesh.fetch('http://reviews/', { headers });
    const sent = v1.received.at(-1)?.headers ?? {};
    expect(sent).toMatchObject({ 'x-set': '1', 'x-add': 'a, b', 'x-dest': '3' });
    expect(sent['x-gone']).toBeUndefined();
    expect(response.headers.get('x-from')).toBeNull();
    expect(response.headers.get('x-answer')?.split(', ').sort()).toEqual(['2', 'more']);
  });

  it('timeout: 504 with Envoy’s text', async () => {
    await using slow = await startOrigin(() => {});
    const yaml =
      service('slow', { v1: slow.port }) + rules('slow', '- timeout: 50ms\n  route: [{ destination: { host: slow } }]');
    await using at = await world(yaml);
    const response = await at.mesh.fetch('http://slow/');
    expect([response.status, await response.text()]).toEqual([504, 'upstream request timeout']);
    expect(response.mesh).toMatchObject({ flag: 'UT', local: true, attempts: [{ flag: 'UT' }] });
  });

  it('hosts: short, FQDN, wildcard, another case and a trailing dot', async () => {
    const wild = rules('"*.default.svc.cluster.local"', `- ${to('v2')}`).replace('name: "*', 'name: wild');
    await using at = await world(reviews() + wild);
    const dialled = ['reviews', 'reviews.default', 'reviews.default.svc', 'reviews.default.svc.cluster.local'];
    for (const host of [...dialled, 'REVIEWS.Default', 'reviews.default.svc.cluster.local.', 'reviews.'])
      expect([host, await (await at.mesh.fetch(`http://${host}/`)).text()]).toEqual([host, 'v2']);
  });
});

it('a ServiceEntry whose host has no dot is called by that name', async () => {
  await using at = await world(`
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: legacy }
spec:
  hosts: [legacy]
  resolution: STATIC
  ports: [{ number: 80, name: http, protocol: HTTP }]
  endpoints: [{ address: 127.0.0.1, ports: { http: ${v1.port} } }]
`);
  const response = await at.mesh.fetch('http://legacy/');
  expect([await response.text(), response.mesh?.cluster]).toEqual(['v1', 'outbound|80||legacy']);
});

describe('configuration joined and swapped', () => {
  it('calls under way keep the rule they began with; later ones have the new one', async () => {
    let release = () => {};
    await using held = await startOrigin((_request, response) => {
      release = () => response.end('held');
    });
    const entry = service('shop', { old: held.port, fresh: v2.port });
    const send = (subset: string, name: string) =>
      rules('shop', `- name: ${name}\n  route: [{ destination: { host: shop, subset: ${subset} } }]`);
    await using at = await world(entry + send('old', 'first'));
    const begun = at.mesh.fetch('http://shop/');
    while (held.received.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await at.test.apply(send('fresh', 'second'));
    const later = await at.mesh.fetch('http://shop/');
    expect([await later.text(), later.mesh?.route]).toEqual(['v2', 'second']);
    release();
    const first = await begun;
    expect([await first.text(), (first.mesh as CallStory).route]).toEqual(['held', 'first']);
  });

  it.each(['delta', 'sotw'] as const)('over a real socket by %s: first answer, edit, deletion', async (protocol) => {
    await using test = await createTestMesh({ yaml: reviews() + rules('reviews', `- ${to('v1')}`) });
    const { xds } = await test.server.listen({ xds: '127.0.0.1:0' });
    await using mesh = createMesh({ xds, protocol, workload: 'far' }, { env: {} });
    const seen: string[] = [];
    mesh.on((event) => event.kind === 'xds-connected' && seen.push(event.protocol));
    const call = async () => (await mesh.fetch('http://reviews/')).text();
    expect(await call()).toBe('v1');
    await test.apply(rules('reviews', `- ${to('v2')}`));
    expect(await call()).toBe('v2');
    await test.delete('VirtualService/default/reviews');
    expect(['v1', 'v2']).toContain(await call());
    expect(seen).toEqual([protocol]);
    const client = test.server.clients().find(({ workload }) => workload === 'far');
    expect(client).toBeDefined();
    const away = await mesh.fetch('http://reviews:81/').catch((error: unknown) => error);
    expect(away).toBeInstanceOf(TypeError);
  });
});
