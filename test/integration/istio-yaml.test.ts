import { readdirSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { client, problemsOf } from './istio-yaml.fixture.ts';

const FILES = readdirSync(path.join(import.meta.dirname, '..', 'fixtures', 'istio')).sort();

const CATALOG = 'catalog:9080';
const to = (subset: string, host = 'catalog'): string => `outbound|9080|${subset}|${host}.default.svc.cluster.local`;
const PARTNER = 'outbound|443||pay.partner.example';

describe('YAML as people write it for Istio', () => {
  it.each(FILES)('%s loads without an error', (file) => {
    expect(problemsOf(file).filter((line) => !/: (warning|info): /.test(line))).toEqual([]);
  });

  it('two versions of three, half of the calls each', () => {
    const app = client(['01-two-of-three-versions.yaml']);
    expect([0, 49, 50, 99].map((draw) => app.cluster(CATALOG, { draw }))).toEqual([
      to('one'),
      to('one'),
      to('three'),
      to('three'),
    ]);
    expect(app.clusterConfig(to('two'))).toMatchObject({ discovery: { kind: 'eds' } });
  });

  it('two services, half of the calls each', () => {
    const app = client(['services.yaml', '02-two-services.yaml']);
    expect([49, 50].map((draw) => app.cluster(CATALOG, { draw }))).toEqual([
      to('', 'catalog-one'),
      to('', 'catalog-three'),
    ]);
  });

  it('every call late by four seconds', () => {
    const { fault } = client(['services.yaml', '04-every-call-late.yaml']).action('stock:9080');
    expect(fault).toMatchObject({ delay: { ms: 4_000, fraction: { numerator: 1_000_000, denominator: 1_000_000 } } });
  });

  it('one user sees the next version; everyone else is split, retried and limited in time', () => {
    const app = client(['services.yaml', '05-one-user-sees-the-next-version.yaml', '06-limits-and-ejection.yaml']);
    const headers = ['x-tester', 'amira'];
    expect([0, 95].map((draw) => app.cluster(CATALOG, { headers, draw }))).toEqual([to('two'), to('two')]);
    expect([89, 90].map((draw) => app.cluster(CATALOG, { draw }))).toEqual([to('one'), to('three')]);
    expect(app.cluster(CATALOG, { headers: ['x-tester', 'amir'] })).toBe(to('one'));
    expect(app.action(CATALOG)).toMatchObject({ timeoutMs: 10_000, retry: { numRetries: 3, perTryTimeoutMs: 2_000 } });
    expect(app.action(CATALOG, { headers }).timeoutMs ?? 0).toBe(0);
  });

  it('limits and ejection, for every version', () => {
    const app = client(['services.yaml', '06-limits-and-ejection.yaml']);
    for (const subset of ['', 'one', 'two', 'three']) {
      expect(app.clusterConfig(to(subset))).toMatchObject({
        outlierDetection: {
          consecutive5xx: 5,
          intervalMs: 30_000,
          baseEjectionTimeMs: 30_000,
          maxEjectionPercent: 50,
        },
        loadBalancer: { kind: 'round-robin' },
        maxRequestsPerConnection: 1,
        circuitBreakers: { default: { maxConnections: 100 } },
      });
    }
  });

  it('a partner outside the mesh, by DNS; its http routes hold although the port says HTTPS', () => {
    const target = 'pay.partner.example:443';
    const plain = client(['10-partner.yaml']);
    expect(plain.cluster(target)).toBe(PARTNER);
    expect(plain.clusterConfig(PARTNER)?.discovery.kind).toBe('dns');
    expect(plain.connection(target, 'pay.partner.example')).toBe(PARTNER);
    const app = client(['10-partner.yaml', '11-partner-policy.yaml']);
    expect(app.action(target)).toMatchObject({ timeoutMs: 5_000, retry: { numRetries: 2, perTryTimeoutMs: 2_000 } });
    expect(app.clusterConfig(PARTNER)).toMatchObject({ outlierDetection: { consecutive5xx: 3 }, tls: {} });
  });

  it('a Sidecar says what its workloads see, and only they', () => {
    const files = ['10-partner.yaml', 'services.yaml', '12-sidecar.yaml'];
    const catalog = client(files, { namespace: 'shop', labels: new Map([['app', 'catalog']]) });
    const other = client(files, { namespace: 'shop', labels: new Map([['app', 'web']]) });
    expect(other.knows('catalog.default:9080')).toBe(true);
    expect(catalog.knows('catalog.default:9080')).toBe(false);
    expect(catalog.knows('istio-egressgateway.istio-system:443')).toBe(true);
    // The host is imported of the namespace `partners` only.
    expect(catalog.knows('pay.partner.example:443')).toBe(false);
  });

  it('TLS to the partner goes through the egress gateway; the gateway’s own match is not for clients', () => {
    const app = client(['services.yaml', '13-way-out.yaml']);
    const target = 'pay.partner.example:443';
    expect(app.connection(target, 'pay.partner.example')).toBe(
      'outbound|443||istio-egressgateway.istio-system.svc.cluster.local',
    );
    expect(app.connection(target, 'other.example')).toBe('none');
  });

  it('limits of a breaker', () => {
    expect(client(['services.yaml', '14-breaker.yaml']).clusterConfig(to(''))).toMatchObject({
      circuitBreakers: {
        default: { maxConnections: 100, maxPendingRequests: 100, maxRequests: 1_000, maxRetries: 3 },
      },
      maxRequestsPerConnection: 10,
      outlierDetection: { consecutive5xx: 5 },
    });
  });

  it('one call in ten late, one in a thousand failed', () => {
    const app = client(['services.yaml', '15-some-calls-fail.yaml']);
    expect(app.action('stock:9080').fault).toMatchObject({
      delay: { ms: 5_000, fraction: { numerator: 100_000, denominator: 1_000_000 } },
      abort: { httpStatus: 500, fraction: { numerator: 1_000, denominator: 1_000_000 } },
    });
    expect(app.cluster('stock:9080')).toBe(to('one', 'stock'));
  });

  it.each([
    ['03-http-route.yaml', ['2: warning: HTTPRoute default/catalog-between-services']],
    ['07-edge-gateway.yaml', ['2: warning: Gateway default/front-door', '13: warning: another object begins here']],
    [
      '08-gateway-api.yaml',
      [
        '2: warning: GatewayClass',
        '7: warning: another object begins here',
        '7: warning: Gateway edge/front-door',
        '20: warning: another object begins here',
        '20: warning: HTTPRoute shop/shop',
      ],
    ],
    ['09-waypoint.yaml', ['2: warning: Gateway shop/shop-waypoint']],
  ])('%s: what is not served yet is accepted and said at its line', (file, said) => {
    const problems = problemsOf(file);
    expect(problems.map((line) => line.slice(file.length + 1))).toEqual(
      said.map((start) => expect.stringMatching(new RegExp(`^${start}`))),
    );
    for (const line of problems) expect(line).toMatch(/without effect|want a line "---"/);
  });

  it('who proves who they are: mesh, namespace, port; and callers that say so', () => {
    const files = ['services.yaml', '10-partner.yaml', '16-who-proves-who-they-are.yaml'];
    const ways = (namespace: string, port: number, labels: readonly [string, string][] = []) =>
      client(files, { namespace, labels: new Map(labels) })
        .inbound(port)
        ?.chains.map(({ transport, tls }) => `${transport ?? 'either'}${tls === undefined ? '' : ' mTLS'}`);
    expect(ways('shop', 8080)).toEqual(['either mTLS']);
    expect(ways('legacy', 8080)).toEqual(['tls mTLS', 'tls', 'raw_buffer']);
    expect(ways('shop', 8081, [['app', 'catalog']])).toEqual(['either']);
    expect(ways('shop', 8080, [['app', 'catalog']])).toEqual(['either mTLS']);
    const app = client(files);
    expect(app.clusterConfig(to(''))?.tls).toMatchObject({
      certificate: { kind: 'identity' },
      roots: { kind: 'mesh' },
      sni: 'outbound_.9080_._.catalog.default.svc.cluster.local',
    });
    expect(app.clusterConfig(PARTNER)?.tls).toMatchObject({
      certificate: { kind: 'secret', name: 'kubernetes://bank-client' },
      roots: { kind: 'secret', name: 'kubernetes://bank-client-cacert' },
      subjectAltNames: [{ kind: 'exact', value: 'pay.partner.example' }],
      sni: 'pay.partner.example',
    });
  });

  it('a Sidecar’s ingress is the port the application itself listens on', () => {
    const app = client(['12-sidecar.yaml'], { namespace: 'shop', labels: new Map([['app', 'catalog']]) });
    expect(app.inbound(8080)).toMatchObject({ address: '0.0.0.0', port: 8080, limits: {} });
  });
});
