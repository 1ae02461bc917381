import { ENDPOINTS } from './upstreams.ts';

const endpoints = (app: string, ports: ReadonlyMap<string, number>, edit: number): string =>
  (ENDPOINTS[app] ?? [])
    // One endpoint of each host comes and goes.
    .filter((name) => edit % 2 === 0 || !name.endsWith('-b'))
    .map(
      (name) => `apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: ${name} }
spec: { address: 127.0.0.1, ports: { http: ${ports.get(name)} }, labels: { app: ${app} } }
`,
    )
    .join('---\n');

const service = (app: string): string => `apiVersion: v1
kind: Service
metadata: { name: ${app} }
spec: { ports: [{ name: http, port: 80 }], selector: { app: ${app} } }
`;

const policy = (app: string, http: string, edit: number): string => `apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ${app} }
spec:
  host: ${app}
  trafficPolicy:
    loadBalancer: { simple: ${edit % 3 === 0 ? 'LEAST_REQUEST' : 'ROUND_ROBIN'} }
    connectionPool:
      tcp: { maxConnections: 60, connectTimeout: 1s }
      http: { http1MaxPendingRequests: 60, http2MaxRequests: 120, idleTimeout: 5s${http} }
    outlierDetection: { consecutive5xxErrors: 8, interval: 1s, baseEjectionTime: 2s, maxEjectionPercent: 50 }
`;

const RETRIES = (retries: number): string =>
  `retries: { attempts: ${retries}, perTryTimeout: 500ms, retryOn: '5xx,reset,connect-failure,refused-stream', backoff: 5ms }`;

const virtualService = (app: string, edit: number): string => `apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${app} }
spec:
  hosts: [${app}]
  http:
    - name: retry
      match: [{ uri: { prefix: /retry } }]
      timeout: ${2 + (edit % 3)}s
      ${RETRIES(1 + (edit % 3))}
      route: [{ destination: { host: ${app} } }]
    - name: hedge
      match: [{ uri: { prefix: /hedge } }]
      timeout: 2s
      ${RETRIES(2)}
      route: [{ destination: { host: ${app} } }]
    - name: mirror
      match: [{ uri: { prefix: /mirror } }]
      timeout: 2s
      mirror: { host: copies }
      mirrorPercentage: { value: ${20 + (edit % 60)} }
      route: [{ destination: { host: ${app} } }]
    - name: fault
      match: [{ uri: { prefix: /fault } }]
      timeout: 2s
      fault:
        delay: { percentage: { value: 20 }, fixedDelay: 100ms }
        abort: { percentage: { value: 20 }, httpStatus: 503 }
      ${RETRIES(1)}
      route: [{ destination: { host: ${app} } }]
    - name: plain-${edit}
      timeout: 2s
      route: [{ destination: { host: ${app} } }]
`;

const hedging = (app: string): string => `apiVersion: inmesh.io/v1alpha1
kind: CallPolicy
metadata: { name: ${app}-hedge }
spec:
  targetRefs: [{ group: networking.istio.io, kind: VirtualService, name: ${app}, sectionName: hedge }]
  hedging: { delay: 30ms, maxHedges: 2 }
`;

/** The whole configuration; each edit changes endpoints, routes and clusters a little. */
export function rules(ports: ReadonlyMap<string, number>, edit: number): string {
  return [
    ...['one', 'two', 'copies'].map(service),
    ...['one', 'two', 'copies'].map((app) => endpoints(app, ports, app === 'copies' ? 0 : edit)),
    policy('one', `, maxRequestsPerConnection: ${20 + (edit % 50)}`, edit),
    policy('two', ', h2UpgradePolicy: UPGRADE', edit),
    ...['one', 'two'].flatMap((app) => [virtualService(app, edit), hedging(app)]),
  ].join('---\n');
}

/** What an edit takes away. */
export const removed = (edit: number): readonly string[] =>
  edit % 2 === 0 ? [] : ['WorkloadEntry/default/one-b', 'WorkloadEntry/default/two-b'];
