import { toJson } from '@bufbuild/protobuf';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { RouteConfigurationSchema } from '@inmesh/sdk/internal/gen/route';
import { describe, expect, it } from 'vitest';
import { REVIEWS, REVIEWS_ROUTES, reviewsRule } from '../fixtures/reviews.ts';
import { viewFrom, worldFromYaml } from '../fixtures/world-from-yaml.ts';
import { routeConfiguration } from './route-configuration.ts';

const delegate = (http: string, { namespace = 'default', rest = '' } = {}): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: part, namespace: ${namespace} }
spec:
${rest}
  http:
${http}
`;
const root = (match: string, rest = '', to = '{ name: part }'): string =>
  reviewsRule(`    - name: root
      match: ${match}
      delegate: ${to}
${rest}
    - name: last
      route: [{ destination: { host: reviews } }]`);
const TO_RATINGS = 'route: [{ destination: { host: ratings } }]';

const routes = (...yaml: readonly string[]) =>
  routeConfiguration(worldFromYaml(REVIEWS, ...yaml), viewFrom('default'), REVIEWS_ROUTES)?.routes ?? [];
const json = (...yaml: readonly string[]) => {
  const made = routeConfiguration(worldFromYaml(REVIEWS, ...yaml), viewFrom('default'), REVIEWS_ROUTES);
  return made && toJson(RouteConfigurationSchema, made.configuration, { registry });
};
const names = (...yaml: readonly string[]): readonly (string | undefined)[] =>
  routes(...yaml).map(({ route }) => route.name);

describe('delegates', () => {
  it('stand in the place of the route that names them; names are joined', () => {
    const made = names(
      root('[{ uri: { prefix: /r } }]'),
      delegate(`    - name: a\n      ${TO_RATINGS}\n    - ${TO_RATINGS}`),
    );
    expect(made).toEqual(['root-a', 'root', 'last']);
  });

  it('match what both say: fields of the delegate within those of the root', () => {
    const made = json(
      root('[{ name: r, uri: { prefix: /r }, headers: { x-a: { exact: "1" } } }]'),
      delegate(
        `    - match: [{ name: d, uri: { exact: /r/1 }, headers: { x-b: { exact: "2" } } }]\n      ${TO_RATINGS}`,
      ),
    );
    expect(made).toMatchObject({
      virtualHosts: [
        {
          routes: [
            {
              name: 'root.r-d',
              match: {
                path: '/r/1',
                headers: [
                  { name: 'x-a', stringMatch: { exact: '1' } },
                  { name: 'x-b', stringMatch: { exact: '2' } },
                ],
              },
            },
            { name: 'last' },
          ],
        },
      ],
    });
  });

  it.each([
    ['a prefix outside the root’s', '[{ uri: { prefix: /r } }]', '{ uri: { prefix: /other } }', 0],
    ['a prefix within it', '[{ uri: { prefix: /r } }]', '{ uri: { prefix: /r/1 } }', 1],
    ['a prefix under an exact path', '[{ uri: { exact: /r } }]', '{ uri: { prefix: /r } }', 0],
    ['another method', '[{ method: { exact: GET } }]', '{ method: { exact: PUT } }', 0],
    ['another value of one header', '[{ headers: { a: { exact: "1" } } }]', '{ headers: { a: { exact: "2" } } }', 0],
    ['a regex where the root says something', '[{ uri: { prefix: /r } }]', '{ uri: { regex: "/r.*" } }', 0],
    ['a regex where it says nothing', '[{ method: { exact: GET } }]', '{ uri: { regex: "/r.*" } }', 1],
    ['another port', '[{ port: 9080 }]', '{ port: 80 }', 0],
    [
      'one of two roots that covers it',
      '[{ uri: { exact: /x } }, { uri: { prefix: /r } }]',
      '{ uri: { exact: /r } }',
      1,
    ],
    ['another case rule', '[{ uri: { prefix: /r } }]', '{ uri: { prefix: /r }, ignoreUriCase: true }', 0],
    ['other source labels', '[{ sourceLabels: { a: b } }]', '{ sourceLabels: { a: c } }', 0],
  ])('%s', (_, rootMatch, match, kept) => {
    const made = names(root(rootMatch), delegate(`    - match: [${match}]\n      ${TO_RATINGS}`));
    expect(made.length - 1).toBe(kept);
  });

  it('take from the root what they leave open, and keep what they say', () => {
    const rest = '      timeout: 3s\n      headers: { request: { set: { x: root } } }';
    const made = json(
      root('[{ uri: { prefix: /r } }]', rest),
      delegate(`    - timeout: 1s\n      ${TO_RATINGS}\n    - ${TO_RATINGS}`),
    );
    expect(made).toMatchObject({
      virtualHosts: [
        {
          routes: [
            { route: { timeout: '1s' }, requestHeadersToAdd: [{ header: { key: 'x', value: 'root' } }] },
            { route: { timeout: '3s' } },
            {},
          ],
        },
      ],
    });
  });

  it('short hosts belong to the namespace of whoever wrote them', () => {
    const made = json(
      root('[{ uri: { prefix: /r } }]', '      mirror: { host: ratings }', '{ name: part, namespace: shop }'),
      delegate('    - route: [{ destination: { host: cart, port: { number: 80 } } }]', { namespace: 'shop' }),
    );
    expect(made).toMatchObject({
      virtualHosts: [
        {
          routes: [
            {
              route: {
                cluster: 'outbound|80||cart.shop.svc.cluster.local',
                requestMirrorPolicies: [{ cluster: 'outbound|9080||ratings.default.svc.cluster.local' }],
              },
            },
            {},
          ],
        },
      ],
    });
  });

  it('point at their own lines, and name the root in istio.config', () => {
    const [first] = routes(
      root('[{ uri: { prefix: /r } }]'),
      delegate(`    - match: [{ uri: { prefix: /r/1 } }]\n      ${TO_RATINGS}`),
    );
    expect(first?.origin).toMatchObject({
      resource: 'VirtualService default/part',
      fieldPath: 'spec.http[0].match[0]',
    });
    expect(first?.route.metadata?.filterMetadata?.istio).toEqual({
      config: '/apis/networking.istio.io/v1/namespaces/default/virtual-service/reviews',
    });
  });

  it.each([
    ['missing', ''],
    [
      'with hosts of its own',
      reviewsRule(`    - ${TO_RATINGS}`, { name: 'part' }).replace('hosts: [reviews]', 'hosts: [ratings]'),
    ],
    ['not exported to the root’s namespace', delegate(`    - ${TO_RATINGS}`, { rest: '  exportTo: [bank]' })],
  ])('one that is %s takes only its route with it', (_, other) => {
    expect(names(root('[{ uri: { prefix: /r } }]'), other)).toEqual(['last']);
  });
});
