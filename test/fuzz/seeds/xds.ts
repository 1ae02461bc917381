import type { JsonObject } from '@bufbuild/protobuf';

/** One well-formed set of resources that fills many fields; every mutation starts from it. */
export const TARGET = 'reviews:9080';
export const ROUTES = 'outbound|9080||reviews.default.svc.cluster.local';
export const CLUSTERS = [
  'outbound|9080|v1|reviews.default.svc.cluster.local',
  'outbound|9080|v2|reviews.default.svc.cluster.local',
] as const;

const at = (name: string, more: JsonObject = {}): JsonObject => ({ '@type': `type.googleapis.com/${name}`, ...more });
const HTTP = 'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const [V1, V2] = CLUSTERS;

export const listenerJson: JsonObject = {
  name: TARGET,
  apiListener: {
    apiListener: at(HTTP, {
      rds: { routeConfigName: ROUTES, configSource: { ads: {} } },
      streamIdleTimeout: '300s',
      commonHttpProtocolOptions: { maxStreamDuration: '600s' },
      httpFilters: [
        {
          name: 'fault',
          typedConfig: at('envoy.extensions.filters.http.fault.v3.HTTPFault', {
            abort: { httpStatus: 503, percentage: { numerator: 0 } },
            delay: { fixedDelay: '1s', percentage: { numerator: 0, denominator: 'MILLION' } },
          }),
        },
        { name: 'router', typedConfig: at('envoy.extensions.filters.http.router.v3.Router') },
      ],
    }),
  },
};

export const routesJson: JsonObject = {
  name: ROUTES,
  requestHeadersToAdd: [{ header: { key: 'x-level', value: 'table' }, appendAction: 'ADD_IF_ABSENT' }],
  virtualHosts: [
    {
      name: 'reviews',
      domains: ['reviews', 'reviews:9080', 'reviews.*', '*.local'],
      retryPolicy: { retryOn: '5xx,reset', numRetries: 2, retryBackOff: { baseInterval: '0.025s', maxInterval: '1s' } },
      virtualClusters: [{ name: 'reads', headers: [{ name: ':method', stringMatch: { exact: 'GET' } }] }],
      routes: [
        {
          name: 'regex',
          match: {
            safeRegex: { googleRe2: {}, regex: '/api/v[0-9]+/(a|b)*' },
            headers: [
              { name: 'x-a', stringMatch: { safeRegex: { regex: '[a-z]{1,8}' } } },
              { name: 'x-b', rangeMatch: { start: '1', end: '9' }, invertMatch: true },
              { name: 'x-c', presentMatch: true },
            ],
            queryParameters: [{ name: 'q', stringMatch: { prefix: 'p' } }],
            runtimeFraction: { defaultValue: { numerator: 50, denominator: 'HUNDRED' }, runtimeKey: 'k' },
            dynamicMetadata: [
              {
                filter: 'f',
                path: [{ key: 'a' }],
                value: { orMatch: { valueMatchers: [{ boolMatch: true }, { doubleMatch: { exact: 1 } }] } },
              },
            ],
          },
          route: {
            cluster: V1,
            timeout: '2s',
            hashPolicy: [{ header: { headerName: 'x-user' }, terminal: true }, { cookie: { name: 'c', ttl: '9s' } }],
          },
        },
        {
          name: 'redirect',
          match: { path: '/moved' },
          redirect: { hostRedirect: 'example.com', responseCode: 'FOUND', portRedirect: 8080 },
        },
        {
          name: 'direct',
          match: { pathSeparatedPrefix: '/health' },
          directResponse: { status: 200, body: { inlineString: 'fine' } },
        },
        {
          name: 'split',
          match: { prefix: '/' },
          responseHeadersToAdd: [{ header: { key: 'x-r', value: '%UPSTREAM_REMOTE_ADDRESS%' } }],
          requestHeadersToRemove: ['x-gone'],
          route: {
            weightedClusters: {
              clusters: [
                { name: V1, weight: 90 },
                { name: V2, weight: 10 },
              ],
            },
            prefixRewrite: '/new/',
            requestMirrorPolicies: [{ cluster: V2, runtimeFraction: { defaultValue: { numerator: 5 } } }],
            maxStreamDuration: { maxStreamDuration: '9s' },
          },
        },
      ],
    },
  ],
};

export const clusterJson = (name: string, lbPolicy: string): JsonObject => ({
  name,
  type: 'EDS',
  edsClusterConfig: { edsConfig: { ads: {} }, serviceName: name },
  connectTimeout: '3s',
  lbPolicy,
  ...(lbPolicy === 'RING_HASH' && { ringHashLbConfig: { minimumRingSize: '1024', maximumRingSize: '4096' } }),
  circuitBreakers: { thresholds: [{ maxConnections: 100, maxPendingRequests: 10, maxRequests: 1000, maxRetries: 3 }] },
  outlierDetection: { consecutive5xx: 5, interval: '10s', baseEjectionTime: '30s', maxEjectionPercent: 50 },
  commonLbConfig: { healthyPanicThreshold: { value: 30 } },
  commonHttpProtocolOptions: { idleTimeout: '60s', maxRequestsPerConnection: 1000 },
  metadata: { filterMetadata: { istio: { config: 'x' } } },
});

export const assignmentJson = (name: string): JsonObject => ({
  clusterName: name,
  policy: { overprovisioningFactor: 140 },
  endpoints: [1, 2].map((zone) => ({
    locality: { region: 'r', zone: `z${zone}` },
    priority: zone - 1,
    loadBalancingWeight: zone,
    lbEndpoints: [1, 2, 3].map((last) => ({
      endpoint: {
        address: { socketAddress: { address: `10.0.${zone}.${last}`, portValue: 9080 } },
        hostname: `h${last}`,
      },
      healthStatus: last === 3 ? 'DRAINING' : 'HEALTHY',
      loadBalancingWeight: last,
      metadata: { filterMetadata: { 'envoy.lb': { hash_key: `k${last}` }, istio: { workload: 'w;ns' } } },
    })),
  })),
});
