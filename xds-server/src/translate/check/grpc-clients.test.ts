import { describe, expect, it } from 'vitest';
import { objectsOf, worldFromYaml } from '../fixtures/world-from-yaml.ts';
import { checkCallPolicy } from './call-policy.ts';
import { checkDestinationRule } from './destination-rule.ts';
import { checkVirtualService } from './virtual-service.ts';

const service = (port: string): string => `
apiVersion: v1
kind: Service
metadata: { name: cart, namespace: default }
spec: { ports: [{ name: ${port}, port: 7000 }] }
`;
const HOST = 'cart.default.svc.cluster.local';

const routes = (http: string, port = 'grpc'): readonly string[] => {
  const world = worldFromYaml(
    service(port),
    `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: cart, namespace: default }
spec: { hosts: [cart], http: [${http}] }
`,
  );
  return world
    .virtualServices(HOST)
    .flatMap((rule) => checkVirtualService(world, rule))
    .filter(({ severity }) => severity === 'info')
    .map(({ fieldPath, message }) => `${fieldPath}: ${message}`);
};

const policy = (trafficPolicy: string, port = 'grpc', rest = ''): readonly string[] => {
  const world = worldFromYaml(
    service(port),
    `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: cart, namespace: default }
spec: { host: cart, trafficPolicy: ${trafficPolicy}${rest} }
`,
  );
  return world
    .destinationRules(HOST)
    .flatMap((rule) => checkDestinationRule(world, rule))
    .filter(({ severity }) => severity === 'info')
    .map(({ fieldPath, message }) => `${fieldPath}: ${message}`);
};

const TO = 'route: [{ destination: { host: cart } }]';
const ALL = 'gRPC clients (Go, C-core, Java, grpc-js-xds) do not honour';

describe('what gRPC clients do not honour, of a VirtualService', () => {
  it('is one line for all of them', () => {
    const http = `{ mirror: { host: cart }, headers: { request: { set: { a: b } } }, ${TO} }`;
    expect(routes(http)).toEqual([
      `spec.http: ${ALL} http[0].headers (headers are not changed on the way); http[0].mirror (nothing is mirrored)`,
    ]);
  });

  it('and one for those that can less', () => {
    expect(routes(`{ retries: { attempts: 7, perTryTimeout: 1s, retryOn: "5xx,409" }, ${TO} }`)).toEqual([
      `spec.http: ${ALL} http[0].retries.perTryTimeout (retries are those of gRFC A44); http[0].retries.retryOn (409: not among the words of gRFC A44; retried is unavailable)`,
      'spec.http: gRPC clients (C-core, grpc-js-xds) do not honour http[0].retries.attempts (sent as itself; five attempts are the most it makes)',
    ]);
  });

  it('names routes that they are not given', () => {
    const lost = `{ match: [{ queryParams: { a: { exact: b } } }], ${TO} }, { redirect: { uri: /x } }`;
    expect(routes(lost)).toEqual([
      `spec.http: ${ALL} http[0].match[0] left out: a gRPC call has no query parameters; http[1] gRPC follows no redirect: calls fail UNAVAILABLE`,
    ]);
  });

  it('is nothing for a service that speaks no gRPC, and for what all of them do', () => {
    expect(routes(`{ mirror: { host: cart }, ${TO} }`, 'http')).toEqual([]);
    expect(routes(`{ timeout: 1s, retries: { attempts: 2, retryOn: unavailable }, ${TO} }`)).toEqual([]);
  });
});

describe('what gRPC clients do not honour, of a DestinationRule', () => {
  it.each([
    ['{ connectionPool: { http: { http2MaxRequests: 7 } } }', []],
    [
      '{ connectionPool: { tcp: { maxConnections: 7 }, http: { http1MaxPendingRequests: 1 } } }',
      [
        `spec: ${ALL} connectionPool.tcp.maxConnections (only max_requests is counted (A32)); connectionPool.http.http1MaxPendingRequests (only max_requests is counted (A32))`,
      ],
    ],
    [
      '{ loadBalancer: { simple: LEAST_REQUEST } }',
      [
        'spec: gRPC clients (C-core, grpc-js-xds) do not honour loadBalancer.simple: LEAST_REQUEST (sent as the next of the list, round robin)',
      ],
    ],
    [
      '{ outlierDetection: { consecutive5xxErrors: 3 } }',
      [`spec: ${ALL} outlierDetection (sent as itself and the fields of failure_percentage)`],
    ],
    [
      '{ tls: { mode: SIMPLE } }',
      [
        'spec: gRPC clients (Go, C-core, grpc-js-xds) do not honour tls.mode: SIMPLE (it cannot be told of such TLS: calls fail UNAVAILABLE)',
      ],
    ],
    [
      '{ loadBalancer: { consistentHash: { httpCookie: { name: a } } } }',
      [
        `spec: ${ALL} loadBalancer.consistentHash.httpCookie (gRPC hashes a header or the channel (A42): the hash is a random one)`,
      ],
    ],
  ])('%s', (written, expected) => {
    expect(policy(written)).toEqual(expected);
    expect(policy(written, 'http')).toEqual([]);
  });

  it('names weights of endpoints, which only a ring looks at', () => {
    const entry = (name: string, weight: number) => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name}, namespace: default }
spec: { address: 10.0.0.${weight}, weight: ${weight}, labels: { app: cart } }
`;
    const behind = [1, 5].map((weight) => entry(`cart-${weight}`, weight)).join('---');
    const selecting = service('grpc').replace('spec: {', 'spec: { selector: { app: cart },');
    const told = (loadBalancer: string) => {
      const rule = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: cart, namespace: default }
spec: { host: cart, trafficPolicy: { loadBalancer: { ${loadBalancer} } } }
`;
      const world = worldFromYaml(selecting, behind, rule);
      return world.destinationRules(HOST).flatMap((one) => checkDestinationRule(world, one));
    };
    expect(told('simple: ROUND_ROBIN').map(({ message }) => message)).toEqual([
      `${ALL} endpoints.weight (within a locality all get as many calls; localities and a consistent hash have weights)`,
    ]);
    expect(told('consistentHash: { httpHeaderName: user }')).toEqual([]);
  });

  it('looks at subsets too, and says a thing once', () => {
    const subsets = ', subsets: [{ name: v1, trafficPolicy: { loadBalancer: { simple: RANDOM } } }]';
    expect(policy('{ loadBalancer: { simple: RANDOM } }', 'grpc', subsets)).toEqual([
      `spec: ${ALL} loadBalancer.simple: RANDOM (round robin takes its place)`,
    ]);
  });
});

describe('what gRPC clients do not honour, of a CallPolicy', () => {
  const lines = (spec: string, port = 'grpc'): readonly string[] => {
    const policy = `
apiVersion: inmesh.io/v1alpha1
kind: CallPolicy
metadata: { name: cart, namespace: default }
spec: { targetRefs: [{ kind: Service, name: cart }], ${spec} }
`;
    const world = worldFromYaml(service(port), policy);
    return objectsOf(policy).flatMap((one) =>
      one.kind === 'CallPolicy' ? checkCallPolicy(world, one).map(({ message }) => message) : [],
    );
  };

  it('is all but the balancing', () => {
    expect(lines('bodyBuffer: 1, weightedByLoad: {}')).toEqual([
      'gRPC clients of other makers do not honour bodyBuffer: weightedByLoad is all they have of a CallPolicy',
    ]);
    expect(lines('weightedByLoad: {}')).toEqual([]);
    expect(lines('bodyBuffer: 1', 'http')).toEqual([]);
  });
});
