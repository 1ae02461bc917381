import { describe, expect, it } from 'vitest';
import { REVIEWS, REVIEWS_SUBSETS, reviewsPolicy, reviewsRule } from '../fixtures/reviews.ts';
import { objectsOf, worldFromObjects } from '../fixtures/world-from-yaml.ts';
import { checkDestinationRule } from './destination-rule.ts';
import { checkVirtualService } from './virtual-service.ts';

/** `severity path: message` of every rule, in the order written. */
const findings = (...yaml: readonly string[]): readonly string[] => {
  const objects = objectsOf(REVIEWS, ...yaml);
  const world = worldFromObjects(objects);
  return objects.flatMap((object) => {
    const found =
      object.kind === 'VirtualService'
        ? checkVirtualService(world, object)
        : object.kind === 'DestinationRule'
          ? checkDestinationRule(world, object)
          : [];
    return found.map(({ severity, fieldPath, message }) => `${severity} ${fieldPath}: ${message}`);
  });
};

const route = (destination: string): string => reviewsRule(`    - route: [{ destination: ${destination} }]`);

describe('check VirtualService', () => {
  it('finds nothing in a rule that does what it says', () => {
    expect(findings(REVIEWS_SUBSETS, route('{ host: reviews, subset: v1 }'))).toEqual([]);
  });

  it('a subset nobody defines is an error, and says which ones there are', () => {
    expect(findings(REVIEWS_SUBSETS, route('{ host: reviews, subset: v9 }'))).toEqual([
      'error spec.http[0].route[0].destination: subset "v9" is not defined in DestinationRule default/reviews (it has: v1, v2, v3); calls answer 503',
    ]);
  });

  it('a host that no service has is a warning: a process may still register under it', () => {
    expect(findings(route('{ host: nobody }'))).toEqual([
      'warning spec.http[0].route[0].destination: no service has the host nobody.default.svc.cluster.local; calls answer 503',
    ]);
    expect(findings(route('{ host: reviews.default }'))[0]).toContain('no service has the host reviews.default;');
  });

  it('a port the service has not is an error', () => {
    expect(findings(route('{ host: reviews, port: { number: 81 } }'))[0]).toContain(
      'error spec.http[0].route[0].destination: reviews.default.svc.cluster.local has no port 81',
    );
  });

  it('mirrors are destinations too', () => {
    const rule = reviewsRule(`    - route: [{ destination: { host: reviews } }]
      mirror: { host: reviews, subset: shadow }`);
    expect(findings(rule)).toEqual([
      'error spec.http[0].mirror: subset "shadow" is not defined: no DestinationRule for reviews.default.svc.cluster.local; nothing is mirrored to it',
    ]);
  });

  it('what no client enforces yet says so', () => {
    const rule = reviewsRule(`    - route: [{ destination: { host: reviews } }]
      retries: { attempts: 3 }
      fault: { abort: { httpStatus: 500, percentage: { value: 1 } } }
      mirror: { host: reviews }
      corsPolicy: { allowOrigins: [{ exact: a }] }`);
    expect(findings(rule)).toEqual([
      'warning spec.http[0].corsPolicy: corsPolicy: not yet enforced, it is for the side that answers, and nothing here answers for a service yet',
    ]);
  });

  it('faults without a percentage hit nobody', () => {
    const rule = reviewsRule(`    - route: [{ destination: { host: reviews } }]
      fault: { abort: { httpStatus: 500 }, delay: { fixedDelay: 1s } }`);
    expect(findings(rule)).toEqual([
      'warning spec.http[0].fault.delay: percentage is not written and so 0: nothing is delayed',
      'warning spec.http[0].fault.abort: percentage is not written and so 0: nothing is aborted',
    ]);
  });

  it.each([
    ['attempts: 3, perTryTimeout: 2s', '10s', ['a try that is late is not retried, it ends the call']],
    ['attempts: 3, perTryTimeout: 2s, retryOn: "503,unavailable"', '10s', ['a try that is late is not retried']],
    ['attempts: 3, perTryTimeout: 2s, retryOn: reset', '8s', []],
    ['attempts: 3, perTryTimeout: 2s, retryOn: 5xx', '7s', ['2s × 4 calls is 8s, more than the timeout of 7s']],
    ['attempts: 3, perTryTimeout: 2s, retryOn: gateway-error', undefined, []],
    ['retryOn: 5xx', undefined, ['not written is 0: nothing is retried']],
    ['attempts: 0', undefined, []],
  ])('retries {%s} with timeout %s: %j', (retries, timeout, expected) => {
    const rule = reviewsRule(`    - route: [{ destination: { host: reviews } }]
      retries: {${retries}}${timeout === undefined ? '' : `\n      timeout: ${timeout}`}`);
    expect(findings(rule)).toEqual(expected.map((text) => expect.stringContaining(text)));
  });

  it('a rule after one that takes everything is never reached', () => {
    const rule = reviewsRule(`    - route: [{ destination: { host: reviews } }]
    - route: [{ destination: { host: reviews } }]`);
    expect(findings(rule)).toEqual(['warning spec.http[1]: never reached: spec.http[0] matches everything']);
  });

  it('of two rules for one host the second has no effect', () => {
    const second = route('{ host: reviews }').replace('name: reviews,', 'name: zz,');
    expect(findings(route('{ host: reviews }'), second)).toEqual([
      'warning spec.hosts[0]: no effect: VirtualService default/reviews comes first and owns reviews.default.svc.cluster.local, two are not merged',
    ]);
  });

  it('of two rules for other audiences each has its effect, and one for nobody has none', () => {
    const exported = (name: string, to: string): string =>
      reviewsRule('    - route: [{ destination: { host: reviews } }]', { rest: `  exportTo: [${to}]` }).replace(
        'name: reviews,',
        `name: ${name},`,
      );
    const everybody = route('{ host: reviews }');
    expect(findings(everybody, exported('to-shop', 'shop'))).toEqual([]);
    expect(findings(everybody, exported('own', '"."'))).toEqual([
      'warning spec.hosts[0]: no effect for clients of namespace default: VirtualService default/own comes first and owns reviews.default.svc.cluster.local, two are not merged',
    ]);
    expect(findings(everybody, exported('hidden', '"~"'))).toEqual([
      'warning spec.exportTo: no effect: it is exported to no namespace',
    ]);
  });

  it('a delegate that nobody delegates to has no effect', () => {
    const delegate = route('{ host: reviews }')
      .replace('name: reviews,', 'name: books,')
      .replace('hosts: [reviews]', '');
    expect(findings(delegate)).toEqual([
      'warning spec: no effect: it has no hosts, and no VirtualService delegates to it',
    ]);
    expect(findings(delegate, reviewsRule('    - delegate: { name: books }'))).toEqual([]);
  });

  it('a rule for gateways alone is not served yet', () => {
    expect(
      findings(reviewsRule('    - route: [{ destination: { host: reviews } }]', { rest: '  gateways: [public]' })),
    ).toEqual(['info spec.gateways: no "mesh" among the gateways: gateways are not yet served']);
  });

  it('a host that no service has is routed on port 80 alone', () => {
    const rule = route('{ host: reviews }').replace('hosts: [reviews]', 'hosts: [www.example.com]');
    expect(findings(rule)).toEqual([
      'warning spec.hosts[0]: no service has the host www.example.com: only www.example.com:80 is routed by this rule',
    ]);
  });
});

describe('check DestinationRule', () => {
  it('a host that no service has', () => {
    expect(
      findings(reviewsPolicy('{ loadBalancer: { simple: RANDOM } }').replace('host: reviews', 'host: nobody')),
    ).toEqual(['warning spec.host: no effect: no service has the host nobody.default.svc.cluster.local']);
  });

  it('requests that wait for a limited number of connections without a limit of their own', () => {
    const pool = (more: string) => reviewsPolicy(`{ connectionPool: { tcp: { maxConnections: 1 }${more} } }`);
    expect(findings(pool(''))).toEqual([
      'warning spec.trafficPolicy.connectionPool.tcp.maxConnections: http1MaxPendingRequests is not set: any number of requests waits for a connection, none is turned away',
    ]);
    expect(findings(pool(', http: { http1MaxPendingRequests: 1 }'))).toEqual([]);
  });

  it.each([
    ['{ simple: RANDOM, warmup: { duration: 10s } }', ['warmup: no effect with RANDOM']],
    ['{ consistentHash: { httpHeaderName: x }, warmupDurationSecs: 10s }', ['warmupDurationSecs: no effect with cons']],
    ['{ warmup: { duration: 10s } }', []],
  ])('loadBalancer %s: only round robin and least request warm up', (loadBalancer, expected) => {
    const found = findings(reviewsPolicy(`{ loadBalancer: ${loadBalancer} }`));
    expect(found).toHaveLength(expected.length);
    for (const [index, part] of expected.entries()) expect(found[index]).toContain(`loadBalancer.${part}`);
  });

  it('tls SIMPLE with the platform’s roots or those of a file, and DISABLE, do what they say', () => {
    for (const mode of ['SIMPLE', 'SIMPLE, caCertificates: /ca.pem', 'DISABLE'])
      expect(findings(reviewsPolicy(`{ tls: { mode: ${mode} } }`))).toEqual([]);
  });

  it('a second rule for the host adds subsets, not a policy', () => {
    const second = reviewsPolicy(
      '{ loadBalancer: { simple: RANDOM } }',
      '  subsets: [{ name: v1, labels: { version: v1 } }]',
    ).replace('name: reviews,', 'name: zz,');
    const first = reviewsPolicy(
      '{ loadBalancer: { simple: RANDOM } }',
      '  subsets: [{ name: v1, labels: { version: v1 } }]',
    );
    expect(findings(first, second)).toEqual([
      'warning spec.trafficPolicy: no effect: DestinationRule reviews comes first for the same host',
      'warning spec.subsets[0]: no effect: DestinationRule reviews defines subset "v1" already',
    ]);
  });
});
