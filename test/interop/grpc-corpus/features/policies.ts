import { expect } from 'vitest';
import { ALL, callPolicy, type Feature, MANY, policy, type Told, workloadEntry } from './feature.ts';

/** Every endpoint is still called. */
const harmless = (name: string, trafficPolicy: string): Feature => ({
  name,
  yaml: policy(trafficPolicy),
  asks: [{ want: ALL, count: MANY }],
});

/** Where one answers, all others of the same key do. */
const one = (told: readonly Told[]): void => {
  expect(new Set(told.map(({ status, seen }) => seen?.backend ?? status)).size).toBe(1);
  expect(told[0]?.status).toBe('OK');
};

const sticky = (name: string, consistentHash: string): Feature => ({
  name,
  yaml: policy(`loadBalancer: {consistentHash: {${consistentHash}}}`),
  asks: ['a', 'b', 'c'].map((user) => ({ headers: { 'x-user': user }, count: 15, want: one })),
});

const hashed = (name: string, consistentHash: string): Feature => ({
  name,
  yaml: policy(`loadBalancer: {consistentHash: {${consistentHash}}}`),
  asks: [
    {
      headers: { 'x-user': 'a' },
      count: 10,
      want: (told) => expect(told.filter(({ status }) => status !== 'OK')).toEqual([]),
    },
  ],
});

export const POLICIES: readonly Feature[] = [
  ...['ROUND_ROBIN', 'LEAST_REQUEST', 'LEAST_CONN', 'RANDOM', 'UNSPECIFIED'].map((simple) =>
    harmless(`loadBalancer.simple ${simple}`, `loadBalancer: {simple: ${simple}}`),
  ),
  harmless(
    'loadBalancer.warmup',
    'loadBalancer: {simple: ROUND_ROBIN, warmup: {duration: 1s, aggression: 1, minimumPercent: 10}}',
  ),
  harmless('loadBalancer.warmupDurationSecs', 'loadBalancer: {simple: LEAST_REQUEST, warmupDurationSecs: 1s}'),
  ...[
    '{}',
    '{outOfBandPeriod: 10s, blackoutPeriod: 0s, weightUpdatePeriod: 100ms, utilizationMetrics: [named_metrics.q]}',
  ].map(
    (settings): Feature => ({
      name: `CallPolicy weightedByLoad: ${settings}`,
      yaml: callPolicy(`targetRefs: [{kind: Service, name: echo}], weightedByLoad: ${settings}`),
      asks: [{ want: ALL, count: MANY }],
    }),
  ),
  ...['persistent-session: host', 'persistent-session-header: x-host'].map(
    (label): Feature => ({
      name: `label istio.io/${label}`,
      isBare: true,
      yaml:
        `apiVersion: v1\nkind: Service\nmetadata: {name: echo, namespace: NS, labels: {istio.io/${label}}}\n` +
        'spec: {ports: [{name: grpc, port: 7070}], selector: {app: echo}}\n---\n' +
        [1, 2]
          .map((n) => workloadEntry(`address: 127.0.0.1, ports: {grpc: PORT${n}}, labels: {app: echo}`, `echo-${n}`))
          .join(''),
      asks: [{ want: 'v1|v2', count: MANY }],
    }),
  ),
  sticky('consistentHash.httpHeaderName', 'httpHeaderName: x-user'),
  sticky('consistentHash.ringHash.minimumRingSize', 'httpHeaderName: x-user, ringHash: {minimumRingSize: 2048}'),
  sticky('consistentHash.minimumRingSize', 'httpHeaderName: x-user, minimumRingSize: 16'),
  sticky('consistentHash, a ring as large as can be', 'httpHeaderName: x-user, ringHash: {minimumRingSize: 8388608}'),
  sticky('consistentHash.maglev', 'httpHeaderName: x-user, maglev: {tableSize: 1009}'),
  hashed('consistentHash.httpCookie', 'httpCookie: {name: user, ttl: 10s}'),
  hashed('consistentHash.useSourceIp', 'useSourceIp: true'),
  hashed('consistentHash.httpQueryParameterName', 'httpQueryParameterName: user'),
  harmless(
    'connectionPool',
    'connectionPool: {tcp: {maxConnections: 100, connectTimeout: 2s, maxConnectionDuration: 1h, idleTimeout: 1m, ' +
      'tcpKeepalive: {probes: 3, time: 60s, interval: 10s}}, http: {http1MaxPendingRequests: 100, http2MaxRequests: 1000, ' +
      'maxRequestsPerConnection: 10, maxRetries: 3, idleTimeout: 30s, h2UpgradePolicy: UPGRADE, maxConcurrentStreams: 100}}',
  ),
  {
    name: 'connectionPool.http.http2MaxRequests',
    yaml: policy('connectionPool: {http: {http2MaxRequests: 1}}'),
    asks: [
      { want: ALL, count: MANY },
      { count: 8, parallel: 8, headers: { 'x-delay': '1500' }, deadlineMs: 30_000, want: mostly },
    ],
  },
  harmless(
    'outlierDetection',
    'outlierDetection: {consecutive5xxErrors: 5, consecutiveGatewayErrors: 3, interval: 5s, baseEjectionTime: 10s, ' +
      'maxEjectionPercent: 50, minHealthPercent: 30, splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 4}',
  ),
  harmless('outlierDetection of nothing', 'outlierDetection: {}'),
  harmless(
    'outlierDetection.consecutiveErrors, as it once was',
    'outlierDetection: {consecutive5xxErrors: 0, interval: 1s}',
  ),
  harmless('tls DISABLE', 'tls: {mode: DISABLE}'),
  harmless(
    'portLevelSettings',
    'portLevelSettings: [{port: {number: 7070}, loadBalancer: {simple: ROUND_ROBIN}, connectionPool: {http: {http2MaxRequests: 50}}}]',
  ),
  harmless('localityLbSetting.enabled false', 'loadBalancer: {localityLbSetting: {enabled: false}}'),
  harmless('retryBudget', 'retryBudget: {percent: 20, minRetryConcurrency: 3}'),
];

/** One at a time passes, what is too much is refused at once. */
function mostly(told: readonly Told[]): void {
  const statuses = new Set(told.map(({ status }) => status));
  expect(statuses).toContain('OK');
  expect([...statuses].filter((status) => status !== 'OK' && status !== 'UNAVAILABLE')).toEqual([]);
}
