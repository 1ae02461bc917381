import { describe, expect, it } from 'vitest';
import { parseText } from './parse.ts';
import { formatProblem } from './problem.ts';
import type { DestinationRuleSpec } from './spec/destination-rule.ts';

const parse = (spec: string): { spec: DestinationRuleSpec | undefined; problems: string[] } => {
  const text = `apiVersion: networking.istio.io/v1\nkind: DestinationRule\nmetadata: {name: reviews}\nspec:\n  host: reviews\n${spec.replace(/^/gm, '  ')}`;
  const { objects, problems } = parseText(text, 'dr.yaml');
  const [object] = objects;
  return {
    spec: object?.kind === 'DestinationRule' ? object.spec : undefined,
    problems: problems.map((problem) =>
      formatProblem(problem).replace(/^dr\.yaml:\d+: DestinationRule default\/reviews: /, ''),
    ),
  };
};

const enforced = (problems: readonly string[]): string[] =>
  problems.filter((line) => !/not yet enforced|ignored/.test(line));

const policy = (text: string): string => `trafficPolicy: {${text}}`;
const hash = (text: string): string => policy(`loadBalancer: {consistentHash: {${text}}}`);

describe('DestinationRule', () => {
  it('reads a whole traffic policy', () => {
    const { spec, problems } = parse(`
exportTo: ["*"]
trafficPolicy:
  loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 30s, minimumPercent: 10, aggression: 1.5}}
  connectionPool:
    tcp: {maxConnections: 100, connectTimeout: 30ms, idleTimeout: 0s, tcpKeepalive: {probes: 3, time: 7200s, interval: 75s}}
    http: {http1MaxPendingRequests: 1, http2MaxRequests: 2, maxRequestsPerConnection: 3, maxRetries: 4, idleTimeout: 1m, h2UpgradePolicy: UPGRADE}
  outlierDetection: {consecutive5xxErrors: 0, interval: 5m, baseEjectionTime: 15m, maxEjectionPercent: 50, minHealthPercent: 10}
  tls: {mode: MUTUAL, clientCertificate: /a, privateKey: /b, subjectAltNames: [x], sni: y}
  portLevelSettings:
  - port: {number: 80}
    loadBalancer: {simple: LEAST_REQUEST}
subsets:
- name: v1
  labels: {version: v1}
  trafficPolicy: {loadBalancer: {consistentHash: {httpCookie: {name: user, ttl: 0s}, ringHash: {}}}}
`);
    expect(enforced(problems)).toEqual([]);
    expect(spec?.trafficPolicy).toMatchObject({
      loadBalancer: { simple: 'ROUND_ROBIN' },
      connectionPool: {
        tcp: { maxConnections: 100, connectTimeout: 30, idleTimeout: 0 },
        http: { idleTimeout: 60_000 },
      },
      outlierDetection: { consecutive5xxErrors: 0, interval: 300_000 },
      tls: { mode: 'MUTUAL', subjectAltNames: ['x'] },
      portLevelSettings: [{ port: { number: 80 }, loadBalancer: { simple: 'LEAST_REQUEST' } }],
    });
    expect(spec?.subsets[0]?.trafficPolicy?.loadBalancer?.consistentHash).toEqual({
      httpCookie: { name: 'user', ttl: 0, attributes: [] },
      ringHash: {},
    });
  });

  it.each([
    ['httpHeaderName: x-user', { httpHeaderName: 'x-user' }],
    ['useSourceIp: true', { useSourceIp: true }],
    [
      'httpQueryParameterName: q, maglev: {tableSize: 65537}',
      { httpQueryParameterName: 'q', maglev: { tableSize: 65537 } },
    ],
    [
      'httpHeaderName: x, ringHash: {minimumRingSize: 4096}',
      { httpHeaderName: 'x', ringHash: { minimumRingSize: 4096 } },
    ],
  ])('reads consistentHash {%s}', (text, expected) => {
    const { spec, problems } = parse(hash(text));
    expect(problems).toEqual([]);
    expect(spec?.trafficPolicy?.loadBalancer?.consistentHash).toEqual(expected);
  });

  it('says what is understood and not yet enforced, unless translation does', () => {
    const pool =
      'connectionPool: {tcp: {maxConnections: 1, tcpKeepalive: {probes: 1}}, http: {useClientProtocol: true}}';
    expect(parse(policy(pool)).problems).toEqual([
      'spec.trafficPolicy.connectionPool.tcp.tcpKeepalive.probes: ignored: Node sets the time before the first probe, the others are the operating system’s',
      'spec.trafficPolicy.connectionPool.http.useClientProtocol: not yet enforced',
    ]);
    expect(parse(policy('connectionPool: {http: {h2UpgradePolicy: UPGRADE}}')).problems).toEqual([]);
  });

  it('takes consistentHashLB as consistentHash, with a warning where it is written', () => {
    const text = `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: reviews}
spec:
  host: reviews
  trafficPolicy:
    loadBalancer:
      consistentHashLB:
        httpHeaderName: x-user
`;
    const { objects, problems } = parseText(text, 'dr.yaml');
    expect(objects[0]?.spec).toMatchObject({
      trafficPolicy: { loadBalancer: { consistentHash: { httpHeaderName: 'x-user' } } },
    });
    expect(problems.map((problem) => `${problem.severity} ${formatProblem(problem)}`)).toEqual([
      'warning dr.yaml:8: DestinationRule default/reviews: spec.trafficPolicy.loadBalancer.consistentHashLB: taken as consistentHash: Istio has no field consistentHashLB',
    ]);
  });

  it.each([
    [hash('ringHash: {}'), 'consistentHash: nothing to hash, want exactly one of httpHeaderName'],
    [hash('httpHeaderName: a, useSourceIp: true'), 'consistentHash.useSourceIp: httpHeaderName is set too'],
    [hash('useSourceIp: true, ringHash: {}, maglev: {}'), 'maglev: ringHash is set too'],
    [hash('useSourceIp: true, maglev: {tableSize: 10}'), 'maglev.tableSize: got 10, want a prime number up to 5000011'],
    [
      hash('useSourceIp: true, ringHash: {minimumRingSize: 9000000}'),
      'minimumRingSize is 9000000, want at most 8388608',
    ],
    [hash('httpCookie: {ttl: 1s}'), 'consistentHash.httpCookie: name is missing'],
    [
      policy('loadBalancer: {simple: RANDOM, consistentHash: {useSourceIp: true}}'),
      'loadBalancer.consistentHash: only one of simple, consistentHash',
    ],
    [policy('loadBalancer: {simple: FASTEST}'), 'loadBalancer.simple: got "FASTEST" (string), want one of UNSPECIFIED'],
    [
      policy('loadBalancer: {warmup: {duration: 1s, aggression: 0.3}}'),
      'warmup.aggression: got 0.3 (number), want a number 1 or more',
    ],
    [
      policy('loadBalancer: {localityLbSetting: {distribute: [{from: a, to: {b: 90}}]}}'),
      'distribute[0].to: the shares add up to 90, want 100',
    ],
    ['trafficPolicy: {}', 'trafficPolicy: want at least one of loadBalancer'],
    [policy('portLevelSettings: [{port: {number: 80}}]'), 'portLevelSettings[0]: want at least one of loadBalancer'],
    [policy('portLevelSettings: [{loadBalancer: {simple: RANDOM}}]'), 'portLevelSettings[0]: port is missing'],
    [policy('connectionPool: {http: {maxRetries: -1}}'), 'maxRetries: got -1 (number), want an integer 0'],
    [
      policy('outlierDetection: {maxEjectionPercent: 101}'),
      'maxEjectionPercent: got 101 (number), want an integer 0–100',
    ],
    [policy('outlierDetection: {interval: 0s}'), 'interval: got "0s" (string), want a duration of at least 1ms'],
    [policy('tls: {mode: MUTUAL, clientCertificate: /a}'), 'tls: privateKey is missing, mode MUTUAL wants it'],
    [
      policy('tls: {mode: SIMPLE, credentialName: a, caCertificates: /a}'),
      'tls.caCertificates: not allowed beside cred',
    ],
    [
      policy('tls: {mode: SIMPLE, insecureSkipVerify: true, subjectAltNames: [a]}'),
      'tls.subjectAltNames: not allowed b',
    ],
    [
      policy('tls: {mode: SIMPLE, insecureSkipVerify: true, credentialName: a}'),
      'tls.credentialName: not allowed beside',
    ],
    [policy('tls: {mode: ISTIO_MUTUAL, privateKey: /a}'), 'tls.privateKey: not allowed with mode ISTIO_MUTUAL'],
    ['subsets: [{name: v1}, {name: v1}]', 'subsets[1].name: v1 is defined twice'],
    ['subsets: [{name: V_1}]', 'subsets[0].name: got "V_1" (string), want a DNS label'],
    ['subsets: [{labels: {version: v1}}]', 'subsets[0]: name is missing'],
    [
      'subsets: [{name: v1, labels: {version: 1}}]',
      'subsets[0].labels.version: got 1 (number), want a label value (up to 63 of A–Z, a–z, 0–9, "-", "_", ".", or empty): write "1"',
    ],
  ])('refuses %j', (text, message) => {
    const problems = enforced(parse(text).problems);
    expect(problems.join('\n')).toContain(message);
    expect(problems).toHaveLength(1);
  });
});
