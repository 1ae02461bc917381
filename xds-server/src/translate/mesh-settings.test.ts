import { fromBinary, toJson } from '@bufbuild/protobuf';
import { ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { HttpConnectionManagerSchema } from '@inmesh/sdk/internal/gen/listener';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { describe, expect, it } from 'vitest';
import { cluster } from './cluster/cluster.ts';
import { REVIEWS, REVIEWS_ROUTES, reviewsPolicy, reviewsRule } from './fixtures/reviews.ts';
import { viewFrom, worldFromYaml } from './fixtures/world-from-yaml.ts';
import { listener } from './listener.ts';
import { selectorMatches } from './mesh-settings.ts';
import { routeConfiguration } from './route/route-configuration.ts';

const mesh = (config: string): string => `
apiVersion: v1
kind: ConfigMap
metadata: { name: istio, namespace: istio-system }
data:
  mesh: |
    ${config}
`;
const clusterJson = (...yaml: readonly string[]) => {
  const made = cluster(worldFromYaml(REVIEWS, ...yaml), viewFrom('default'), REVIEWS_ROUTES);
  return made && toJson(ClusterSchema, made, { registry });
};

describe('MeshConfig', () => {
  it('connectTimeout and tcpKeepalive where a DestinationRule says nothing', () => {
    const config = mesh('{ connectTimeout: 3s, tcpKeepalive: { time: 60s } }');
    expect(clusterJson(config)).toMatchObject({
      connectTimeout: '3s',
      upstreamConnectionOptions: { tcpKeepalive: { keepaliveTime: 60 } },
    });
    expect(clusterJson(config, reviewsPolicy('{ connectionPool: { tcp: { connectTimeout: 1s } } }'))).toMatchObject({
      connectTimeout: '1s',
    });
  });

  it('defaultHttpRetryPolicy replaces Istio’s own, a route’s own replaces that', () => {
    const retries = (...yaml: readonly string[]): unknown => {
      const made = routeConfiguration(worldFromYaml(REVIEWS, ...yaml), viewFrom('default'), REVIEWS_ROUTES);
      const action = made?.routes[0]?.route.action;
      return action?.case === 'route' ? (action.value.retryPolicy?.numRetries ?? 'off') : undefined;
    };
    const config = mesh('{ defaultHttpRetryPolicy: { attempts: 5 } }');
    const own = reviewsRule('    - route: [{ destination: { host: reviews } }]\n      retries: { attempts: 1 }');
    expect(retries()).toBe(2);
    expect(retries(config)).toBe(5);
    expect(retries(config, own)).toBe(1);
    expect(retries(mesh('{ defaultHttpRetryPolicy: { attempts: 0 } }'))).toBe('off');
  });

  it('dnsRefreshRate of DNS clusters', () => {
    const api = `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: api, namespace: default }
spec: { hosts: [api.example.com], resolution: DNS, ports: [{ number: 443, name: https, protocol: HTTPS }] }`;
    const world = worldFromYaml(api, mesh('dnsRefreshRate: 7s'));
    const made = cluster(world, viewFrom('default'), 'outbound|443||api.example.com');
    expect(made?.dnsRefreshRate?.seconds).toBe(7n);
  });

  it('rootNamespace holds the DestinationRules of last resort', () => {
    const rule = reviewsPolicy('{ loadBalancer: { simple: RANDOM } }')
      .replace('namespace: default', 'namespace: admin')
      .replace('host: reviews', 'host: reviews.default.svc.cluster.local');
    expect(clusterJson(rule)).toMatchObject({ lbPolicy: 'LEAST_REQUEST' });
    expect(clusterJson(rule, mesh('rootNamespace: admin'))).toMatchObject({ lbPolicy: 'RANDOM' });
  });

  it.each([
    ['defaultServiceExportTo', false],
    ['defaultVirtualServiceExportTo', true],
  ])('%s stands for exportTo that is not written', (field, exists) => {
    const rule = reviewsRule('    - name: ruled\n      route: [{ destination: { host: reviews } }]');
    const world = worldFromYaml(REVIEWS, rule, mesh(`${field}: ["."]`));
    const routes = (namespace: string) =>
      routeConfiguration(world, viewFrom(namespace), REVIEWS_ROUTES)?.routes[0]?.route.name;
    expect(routes('default')).toBe('ruled');
    expect(routes('shop')).toBe(exists ? 'default' : undefined);
  });

  it('defaultDestinationRuleExportTo too', () => {
    const rule = reviewsPolicy('{ loadBalancer: { simple: RANDOM } }');
    const policy = (namespace: string, ...yaml: readonly string[]) =>
      cluster(worldFromYaml(REVIEWS, rule, ...yaml), viewFrom(namespace), REVIEWS_ROUTES)?.lbPolicy;
    expect(policy('shop')).toBe(policy('default'));
    expect(policy('shop', mesh('defaultDestinationRuleExportTo: ["."]'))).not.toBe(policy('default'));
  });

  it('localityLbSetting for rules without one, and off for all who do not switch it on', () => {
    const outlier = reviewsPolicy('{ outlierDetection: {} }');
    const weighted = (...yaml: readonly string[]): boolean =>
      JSON.stringify(clusterJson(...yaml)).includes('localityWeightedLbConfig');
    expect(weighted(outlier)).toBe(true);
    expect(weighted(outlier, mesh('localityLbSetting: { enabled: false }'))).toBe(false);
    expect(weighted(mesh('localityLbSetting: { distribute: [{ from: a, to: { a: 100 } }] }'))).toBe(true);
    const own = reviewsPolicy('{ outlierDetection: {}, loadBalancer: { localityLbSetting: { enabled: true } } }');
    expect(weighted(own, mesh('localityLbSetting: { enabled: false }'))).toBe(true);
  });

  it('trustDomain and its aliases are in the names of ISTIO_MUTUAL peers', () => {
    const pod = `
apiVersion: v1
kind: Pod
metadata: { name: r, namespace: default, labels: { app: reviews } }
spec: { serviceAccountName: bookinfo-reviews, containers: [] }
status: { podIP: 10.0.0.1 }
`;
    const config = mesh('{ trustDomain: corp, trustDomainAliases: [old] }');
    const made = clusterJson(pod, config, reviewsPolicy('{ tls: { mode: ISTIO_MUTUAL } }'));
    expect(JSON.stringify(made)).toContain(
      '"matchSubjectAltNames":[{"exact":"spiffe://corp/ns/default/sa/bookinfo-reviews"},{"exact":"spiffe://old/ns/default/sa/bookinfo-reviews"}]',
    );
  });

  it.each([
    ['DEFAULT', {}],
    ['BASE', { normalizePath: true }],
    ['MERGE_SLASHES', { normalizePath: true, mergeSlashes: true }],
    [
      'DECODE_AND_MERGE_SLASHES',
      { normalizePath: true, mergeSlashes: true, pathWithEscapedSlashesAction: 'UNESCAPE_AND_FORWARD' },
    ],
  ])('pathNormalization %s', (normalization, expected) => {
    const world = worldFromYaml(REVIEWS, mesh(`pathNormalization: { normalization: ${normalization} }`));
    const any = listener(world, viewFrom('default'), 'reviews:9080')?.apiListener?.apiListener;
    const made = fromBinary(HttpConnectionManagerSchema, any?.value ?? new Uint8Array());
    const { rds: _r, httpFilters: _f, ...rest } = Object(toJson(HttpConnectionManagerSchema, made, { registry }));
    expect(rest).toEqual(expected);
  });
});

describe('label selectors', () => {
  const labels = new Map([['env', 'prod']]);
  const expression = (operator: 'In' | 'NotIn' | 'Exists' | 'DoesNotExist', key: string, values: readonly string[]) =>
    selectorMatches({ matchLabels: new Map(), matchExpressions: [{ key, operator, values }] }, labels);

  it('Kubernetes’ operators', () => {
    expect(expression('In', 'env', ['prod'])).toBe(true);
    expect(expression('In', 'team', ['a'])).toBe(false);
    expect(expression('NotIn', 'team', ['a'])).toBe(true);
    expect(expression('NotIn', 'env', ['prod'])).toBe(false);
    expect(expression('Exists', 'env', [])).toBe(true);
    expect(expression('DoesNotExist', 'env', [])).toBe(false);
  });

  it('all of it must hold', () => {
    const selector = {
      matchLabels: new Map([['env', 'prod']]),
      matchExpressions: [{ key: 'team', operator: 'Exists' as const, values: [] }],
    };
    expect(selectorMatches(selector, labels)).toBe(false);
    expect(selectorMatches(selector, new Map([...labels, ['team', 'x']]))).toBe(true);
  });
});
