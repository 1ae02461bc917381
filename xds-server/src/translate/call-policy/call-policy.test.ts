import { toJson } from '@bufbuild/protobuf';
import { ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { RouteConfigurationSchema } from '@inmesh/sdk/internal/gen/route';
import { describe, expect, it } from 'vitest';
import { checkCallPolicy } from '../check/call-policy.ts';
import { cluster } from '../cluster/cluster.ts';
import { objectsOf, viewFrom, worldFromYaml } from '../fixtures/world-from-yaml.ts';
import { routeConfiguration } from '../route/route-configuration.ts';
import type { View } from '../view.ts';

const SERVICE = `
apiVersion: v1
kind: Service
metadata: {name: reviews, namespace: shop}
spec: {ports: [{name: http, port: 80}, {name: grpc, port: 81}], selector: {app: reviews}}
`;
const RULE = `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: reviews, namespace: shop}
spec:
  hosts: [reviews]
  http:
  - {name: read, match: [{method: {exact: GET}}], route: [{destination: {host: reviews}}]}
  - {name: write, route: [{destination: {host: reviews}}]}
`;
let count = 0;
const policy = (targets: string, spec: string, meta = '') => `
apiVersion: inmesh.io/v1alpha1
kind: CallPolicy
metadata: {name: p${count++}, namespace: shop${meta}}
spec: {targetRefs: [${targets}], ${spec}}
`;
const TO_SERVICE = '{kind: Service, name: reviews}';
const TO_RULE = '{kind: VirtualService, name: reviews}';
const TO_READ = '{kind: VirtualService, name: reviews, sectionName: read}';

const NAME = 'outbound|80||reviews.shop.svc.cluster.local';
const routes = (texts: readonly string[], kind: View['kind'] = 'sdk'): readonly Record<string, unknown>[] => {
  const made = routeConfiguration(worldFromYaml(...texts), viewFrom('shop', { kind }), NAME);
  const json = made && toJson(RouteConfigurationSchema, made.configuration, { registry });
  return Object(json).virtualHosts[0].routes;
};
const made = (texts: readonly string[], { kind = 'sdk', port = 80 }: { kind?: View['kind']; port?: number } = {}) => {
  const one = cluster(worldFromYaml(...texts), viewFrom('shop', { kind }), NAME.replace('80', String(port)));
  return Object(one && toJson(ClusterSchema, one, { registry }));
};
const own = (more: object) => ({
  typedFilterMetadata: {
    'inmesh.io/call-policy': { '@type': 'type.googleapis.com/inmesh.v1.CallPolicy', ...more },
  },
});

describe('CallPolicy on routes', () => {
  it.each<[string, string, object]>([
    ['bodyBuffer is Envoy request_body_buffer_limit', 'bodyBuffer: 9', { requestBodyBufferLimit: '9' }],
    [
      'onPerTryTimeout is Envoy hedge_on_per_try_timeout',
      'hedging: {onPerTryTimeout: true}',
      { route: { hedgePolicy: { hedgeOnPerTryTimeout: true } } },
    ],
    [
      'a fixed hedging delay travels beside',
      'hedging: {delay: 50ms, maxHedges: 2}',
      { metadata: own({ hedging: { fixedDelay: '0.050s', maxHedges: 2 } }) },
    ],
    ['p95 too', 'hedging: {delay: p95}', { metadata: own({ hedging: { p95Delay: true } }) }],
    ['faultScope', 'faultScope: attempt', { metadata: own({ faultScope: 'ATTEMPT' }) }],
    [
      'mirror comparison',
      'mirror: {compare: {status: true}}',
      { metadata: own({ mirrorComparison: { status: true } }) },
    ],
    ['retryNonIdempotent', 'retryNonIdempotent: true', { metadata: own({ retryNonIdempotent: true }) }],
  ])('%s', (_, spec, expected) => {
    const texts = [SERVICE, policy(TO_SERVICE, spec)];
    expect(routes(texts)).toMatchObject([expected]);
    // The same of a VirtualService's routes: it is the service that was dialled.
    expect(routes([...texts, RULE])).toMatchObject([expected, expected]);
  });

  it('one field comes from the http route, then its VirtualService, then the service that was dialled', () => {
    const texts = [
      SERVICE,
      RULE,
      policy(TO_SERVICE, 'bodyBuffer: 1, faultScope: attempt'),
      policy(TO_RULE, 'bodyBuffer: 2'),
      policy(TO_READ, 'bodyBuffer: 3'),
    ];
    expect(routes(texts)).toMatchObject([
      { requestBodyBufferLimit: '3', metadata: own({ faultScope: 'ATTEMPT' }) },
      { requestBodyBufferLimit: '2', metadata: own({ faultScope: 'ATTEMPT' }) },
    ]);
  });

  it('the oldest of one target decides a field, the others still set theirs', () => {
    const young = policy(
      TO_SERVICE,
      'bodyBuffer: 1, retryNonIdempotent: true',
      ', creationTimestamp: 2026-02-01T00:00:00Z',
    );
    const old = policy(TO_SERVICE, 'bodyBuffer: 2', ', creationTimestamp: 2026-01-01T00:00:00Z');
    expect(routes([SERVICE, young, old])).toMatchObject([
      { requestBodyBufferLimit: '2', metadata: own({ retryNonIdempotent: true }) },
    ]);
  });

  it('other clients get Envoy fields only, gRPC clients none', () => {
    const texts = [SERVICE, policy(TO_SERVICE, 'bodyBuffer: 9, hedging: {onPerTryTimeout: true, delay: 1s}')];
    const [envoy] = routes(texts, 'envoy');
    expect(envoy).toMatchObject({ requestBodyBufferLimit: '9', route: { hedgePolicy: {} } });
    expect(envoy).not.toHaveProperty('metadata.typedFilterMetadata');
    expect(routes(texts, 'grpc')).toEqual(routes([SERVICE], 'grpc'));
  });

  it('says in explain what it does', () => {
    const world = worldFromYaml(SERVICE, policy(TO_SERVICE, 'hedging: {delay: p95}, bodyBuffer: 9'));
    expect(routeConfiguration(world, viewFrom('shop'), NAME)?.routes[0]?.notes).toContainEqual(
      expect.stringMatching(/^CallPolicy shop\/p\d+: hedged after p95, 1 at most; bodies up to 9 bytes are kept$/),
    );
  });
});

describe('CallPolicy on clusters', () => {
  const check = {
    interval: '10s',
    timeout: '1s',
    unhealthyThreshold: 3,
    healthyThreshold: 1,
    noTrafficInterval: '10s',
  };
  it.each<[string, string, object]>([
    [
      'HTTP',
      'http: {path: /live, expectedStatuses: [200, 204]}',
      {
        ...check,
        httpHealthCheck: {
          host: 'reviews.shop.svc.cluster.local',
          path: '/live',
          expectedStatuses: [
            { start: '200', end: '201' },
            { start: '204', end: '205' },
          ],
        },
      },
    ],
    ['TCP', 'tcp: {}, port: 9', { ...check, altPort: 9, tcpHealthCheck: {} }],
    [
      'gRPC',
      'grpc: {service: s}, interval: 2s, unhealthyThreshold: 1',
      {
        ...check,
        interval: '2s',
        noTrafficInterval: '2s',
        unhealthyThreshold: 1,
        grpcHealthCheck: { serviceName: 's', authority: 'reviews.shop.svc.cluster.local' },
      },
    ],
  ])('%s health checks are Envoy health_checks', (_, spec, expected) => {
    const texts = [SERVICE, policy(TO_SERVICE, `healthCheck: {${spec}}`)];
    expect(made(texts).healthChecks).toEqual([expected]);
    expect(made(texts, { kind: 'envoy' }).healthChecks).toEqual([expected]);
    expect(made(texts, { kind: 'grpc' }).healthChecks).toBeUndefined();
  });

  it('keepAlive is the idle time-out, before that of a DestinationRule, and PING on HTTP/2', () => {
    const texts = [SERVICE, policy(TO_SERVICE, 'keepAlive: {idleTimeout: 3s, http2Ping: {interval: 5s}}')];
    const options = (port: number) => Object.values(made(texts, { port }).typedExtensionProtocolOptions)[0];
    expect(options(80)).toMatchObject({
      commonHttpProtocolOptions: { idleTimeout: '3s' },
      explicitHttpConfig: { httpProtocolOptions: {} },
    });
    expect(options(81)).toMatchObject({
      explicitHttpConfig: {
        http2ProtocolOptions: { connectionKeepalive: { interval: '5s', timeout: '20s' } },
      },
    });
  });
});

describe('checks of CallPolicy', () => {
  const findings = (...texts: readonly string[]) => {
    const world = worldFromYaml(...texts);
    return objectsOf(...texts).flatMap((object) =>
      object.kind === 'CallPolicy'
        ? checkCallPolicy(world, object)
            .filter(({ severity }) => severity !== 'info')
            .map(({ fieldPath, message }) => `${fieldPath}: ${message}`)
        : [],
    );
  };

  it('a target that is not there, and a section that is not', () => {
    expect(findings(policy(TO_SERVICE, 'bodyBuffer: 1'))).toEqual([
      'spec.targetRefs[0]: no effect: there is no Service shop/reviews',
    ]);
    expect(findings(RULE, policy(TO_READ.replace('read', 'nothing'), 'bodyBuffer: 1'))).toEqual([
      'spec.targetRefs[0].sectionName: no effect: VirtualService shop/reviews has no http route named "nothing"',
    ]);
    expect(findings(SERVICE, RULE, policy(`${TO_SERVICE}, ${TO_READ}`, 'bodyBuffer: 1'))).toEqual([]);
  });

  it('what a route cannot have', () => {
    expect(findings(RULE, policy(TO_RULE, 'healthCheck: {tcp: {}}'))).toEqual([
      expect.stringContaining('spec.healthCheck: no effect on a route'),
    ]);
  });

  it('fields that an older policy of the same target sets', () => {
    const first = policy(TO_SERVICE, 'bodyBuffer: 1');
    const name = /name: (p\d+)/.exec(first)?.[1];
    const second = policy(TO_SERVICE, 'bodyBuffer: 2, faultScope: call').replace(/name: p\d+/, 'name: q');
    expect(findings(SERVICE, first, second)).toEqual([
      `spec.bodyBuffer: no effect on Service reviews: CallPolicy ${name} comes first and sets it`,
    ]);
  });
});
