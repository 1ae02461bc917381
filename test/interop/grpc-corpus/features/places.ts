import { expect } from 'vitest';
import {
  type Ask,
  destinationRule,
  type Feature,
  http,
  MANY,
  policy,
  service,
  serviceEntry,
  split,
  type Told,
  workloadEntry,
} from './feature.ts';

/** Where endpoints come from, and which of them are meant. The clients are in eu/a. */

const at = (name: string, port: number, more: string): string =>
  workloadEntry(`address: 127.0.0.1, ports: {grpc: PORT${port}}, ${more}`, name);

const ECHO = service('ports: [{name: grpc, port: 7070}], selector: {app: echo}');

const spread = (...places: readonly string[]): string =>
  ECHO +
  places
    .map((locality, index) =>
      at(`echo-${index + 1}`, index + 1, `labels: {app: echo, version: v${index + 1}}, locality: ${locality}`),
    )
    .join('');

/** Fails at once: nobody is there. */
const NOBODY = { want: '!UNAVAILABLE', deadlineMs: 20_000 } as const;
/** grpc-js-xds holds calls back while it has no configuration it can use, or no address. */
const UNKNOWN: Pick<Ask, 'want' | 'except' | 'deadlineMs'> = {
  want: '!UNAVAILABLE',
  except: { 'grpc-js-xds': '!DEADLINE_EXCEEDED' },
  deadlineMs: 5_000,
};

/** What share of the calls v1 got. */
const share = (low: number, high: number) => (told: readonly Told[]) => {
  expect(told.filter(({ status }) => status !== 'OK')).toEqual([]);
  const first = told.filter(({ seen }) => seen?.backend === 'v1').length / told.length;
  expect(first).toBeGreaterThan(low);
  expect(first).toBeLessThan(high);
};

const entry = (name: string, spec: string, asks: Feature['asks'], more = ''): Feature => ({
  name: `ServiceEntry ${name}`,
  isBare: true,
  yaml: serviceEntry(spec) + more,
  asks,
});

const GRPC = 'ports: [{number: 7070, name: grpc, protocol: GRPC}]';
const OUTLIERS = 'outlierDetection: {consecutive5xxErrors: 100}';

export const PLACES: readonly Feature[] = [
  {
    // Round robin of gRPC does not look at them.
    name: 'weights of endpoints',
    isBare: true,
    yaml: ECHO + at('a', 1, 'labels: {app: echo}, weight: 90') + at('b', 2, 'labels: {app: echo}, weight: 10'),
    asks: [{ want: 'v1|v2', count: 40 }],
  },
  {
    name: 'locality failover: the own region, while it lives',
    isBare: true,
    yaml:
      spread('eu/a', 'us/a', 'asia/a') +
      policy(`loadBalancer: {localityLbSetting: {enabled: true, failover: [{from: eu, to: us}]}}, ${OUTLIERS}`),
    asks: [{ want: 'v1', count: 20 }],
  },
  {
    name: 'locality failover: elsewhere, where nobody is near',
    isBare: true,
    yaml:
      spread('asia/b', 'us/a', 'asia/a') +
      policy(`loadBalancer: {localityLbSetting: {enabled: true, failover: [{from: eu, to: us}]}}, ${OUTLIERS}`),
    asks: [{ want: 'v2', count: 20 }],
  },
  {
    name: 'locality distribute',
    isBare: true,
    yaml:
      spread('eu/a', 'us/a', 'asia/a') +
      policy(
        `loadBalancer: {localityLbSetting: {enabled: true, distribute: [{from: eu/*, to: {"eu/a": 80, "us/*": 20}}]}}, ${OUTLIERS}`,
      ),
    asks: [{ count: 300, parallel: 10, want: share(0.65, 0.93) }],
  },
  {
    name: 'locality distribute leaves one place out',
    isBare: true,
    yaml:
      spread('eu/a', 'us/a', 'asia/a') +
      policy(
        `loadBalancer: {localityLbSetting: {enabled: true, distribute: [{from: eu/*, to: {"asia/*": 50, "us/*": 50}}]}}, ${OUTLIERS}`,
      ),
    asks: [{ want: 'v2|v3', count: MANY }],
  },
  {
    name: 'failoverPriority',
    isBare: true,
    yaml:
      spread('eu/a', 'us/a', 'asia/a') +
      policy(
        `loadBalancer: {localityLbSetting: {enabled: true, failoverPriority: ["topology.kubernetes.io/region"]}}, ${OUTLIERS}`,
      ),
    asks: [{ want: 'v1', count: 20 }],
  },
  {
    name: 'localities without preference: all of them',
    isBare: true,
    yaml: spread('eu/a', 'us/a', 'asia/a'),
    asks: [{ want: 'v1|v2|v3', count: MANY }],
  },
  { name: 'nobody serves it', isBare: true, yaml: ECHO, asks: [NOBODY] },
  {
    name: 'a subset nobody is in',
    yaml:
      destinationRule(
        'host: echo, subsets: [{name: v7, labels: {version: v7}}, {name: v1, labels: {version: v1}}]',
        'echo',
      ) + http(`{${split(['v7', 100])}}`),
    asks: [NOBODY],
  },
  {
    name: 'the policy of a subset',
    yaml:
      destinationRule(
        'host: echo, trafficPolicy: {loadBalancer: {simple: RANDOM}}, subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {loadBalancer: {consistentHash: {httpHeaderName: x-user}}}}, {name: v2, labels: {version: v2}}]',
        'echo',
      ) + http(`{${split(['v1', 50], ['v2', 50])}}`),
    asks: [{ want: 'v1|v2', count: MANY }],
  },
  {
    name: 'a Service of several ports',
    isBare: true,
    yaml:
      service(
        'ports: [{name: grpc, port: 7070}, {name: grpc-more, port: 7071}, {name: http, port: 80}], selector: {app: echo}',
      ) +
      workloadEntry(
        'address: 127.0.0.1, ports: {grpc: PORT1, grpc-more: PORT2, http: PORT3}, labels: {app: echo}',
        'a',
      ),
    asks: [{ want: 'v1' }, { target: 'echo.NS:7071', want: 'v2' }, { target: 'echo.NS:80', want: 'v3' }],
  },
  {
    name: 'a port of raw TCP',
    isBare: true,
    yaml:
      service('ports: [{name: tcp, port: 7070}], selector: {app: echo}') +
      workloadEntry('address: 127.0.0.1, ports: {tcp: PORT1}, labels: {app: echo}', 'a'),
    asks: [{ want: 'v1' }],
  },
  {
    name: 'a port without a protocol',
    isBare: true,
    yaml:
      service('ports: [{name: thing, port: 7070}], selector: {app: echo}') +
      workloadEntry('address: 127.0.0.1, ports: {thing: PORT1}, labels: {app: echo}', 'a'),
    asks: [{ want: 'v1' }],
  },
  {
    name: 'appProtocol grpc',
    isBare: true,
    yaml:
      service('ports: [{name: main, port: 7070, appProtocol: grpc}], selector: {app: echo}') +
      workloadEntry('address: 127.0.0.1, ports: {main: PORT2}, labels: {app: echo}', 'a'),
    asks: [{ want: 'v2' }],
  },
  {
    name: 'a headless Service',
    isBare: true,
    yaml:
      service('clusterIP: None, ports: [{name: grpc, port: 7070}], selector: {app: echo}') +
      at('a', 1, 'labels: {app: echo}') +
      at('b', 2, 'labels: {app: echo}'),
    asks: [{ want: 'v1|v2', count: 40 }],
  },
  {
    name: 'an ExternalName that is a service',
    yaml: service(
      'type: ExternalName, externalName: echo.NS.svc.cluster.local, ports: [{name: grpc, port: 7070}]',
      'alias',
    ),
    asks: [{ target: 'alias.NS:7070', want: 'v1|v2|v3', count: MANY }],
  },
  {
    name: 'trafficDistribution',
    isBare: true,
    yaml: spread('eu/a', 'us/a').replace(
      'selector: {app: echo}',
      'selector: {app: echo}, trafficDistribution: PreferClose',
    ),
    asks: [{ want: 'v1', count: 20 }],
  },
  {
    name: 'EndpointSlices',
    isBare: true,
    yaml: `${service('clusterIP: 10.96.7.7, ports: [{name: grpc, port: 7070, targetPort: PORT3}], selector: {app: echo}')}
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: {name: echo-1, namespace: NS, labels: {kubernetes.io/service-name: echo}}
addressType: IPv4
ports: [{name: grpc, port: PORT3}]
endpoints: [{addresses: [127.0.0.1], conditions: {ready: true}}, {addresses: [127.0.0.2], conditions: {ready: false}}]
---
`,
    asks: [{ want: 'v3', count: 10 }],
  },
  entry(
    'STATIC',
    `hosts: [echo.NS.example], ${GRPC}, resolution: STATIC, location: MESH_INTERNAL, endpoints: [{address: 127.0.0.1, ports: {grpc: PORT1}}, {address: 127.0.0.1, ports: {grpc: PORT2}}]`,
    [{ target: 'echo.NS.example:7070', want: 'v1|v2', count: 40 }],
  ),
  entry(
    'STATIC with localities and weights',
    `hosts: [echo.NS.example], ${GRPC}, resolution: STATIC, endpoints: [{address: 127.0.0.1, ports: {grpc: PORT1}, locality: eu/a, weight: 3}, {address: 127.0.0.1, ports: {grpc: PORT2}, locality: eu/b, weight: 1}]`,
    [{ target: 'echo.NS.example:7070', want: 'v1|v2', count: MANY }],
  ),
  entry(
    'STATIC with a workloadSelector',
    `hosts: [echo.NS.example], ${GRPC}, resolution: STATIC, workloadSelector: {labels: {app: echo}}`,
    [{ target: 'echo.NS.example:7070', want: 'v1' }],
    at('a', 1, 'labels: {app: echo}'),
  ),
  entry(
    'STATIC with an address',
    `hosts: [echo.NS.example], addresses: [240.1.1.1], ${GRPC}, resolution: STATIC, endpoints: [{address: 127.0.0.1, ports: {grpc: PORT1}}]`,
    [
      { target: 'echo.NS.example:7070', want: 'v1' },
      { target: '240.1.1.1:7070', want: 'v1' },
    ],
  ),
  entry('STATIC without endpoints', `hosts: [echo.NS.example], ${GRPC}, resolution: STATIC`, [
    { target: 'echo.NS.example:7070', ...NOBODY },
  ]),
  entry(
    'DNS, one name',
    `hosts: [echo.NS.example], ${GRPC}, resolution: DNS, endpoints: [{address: localhost, ports: {grpc: PORT1}}]`,
    [{ target: 'echo.NS.example:7070', want: 'v1', count: 5 }],
  ),
  entry(
    'DNS, several names',
    `hosts: [echo.NS.example], ${GRPC}, resolution: DNS, endpoints: [{address: localhost, ports: {grpc: PORT1}}, {address: 127.0.0.1, ports: {grpc: PORT2}}]`,
    [{ target: 'echo.NS.example:7070', want: answered, count: 10 }],
  ),
  entry(
    'DNS, in two places',
    `hosts: [echo.NS.example], ${GRPC}, resolution: DNS, endpoints: [{address: localhost, locality: eu/a, ports: {grpc: PORT1}}, {address: localhost, locality: us/a, ports: {grpc: PORT2}}]`,
    [{ target: 'echo.NS.example:7070', want: answered, count: 10 }],
  ),
  entry(
    'DNS, one name, with calls shared out to other places',
    `hosts: [echo.NS.example], ${GRPC}, resolution: DNS, endpoints: [{address: localhost, ports: {grpc: PORT1}}]`,
    [{ target: 'echo.NS.example:7070', want: 'v1', count: 5 }],
    destinationRule(
      'host: echo.NS.example, trafficPolicy: {loadBalancer: {localityLbSetting: {distribute: [{from: "*", to: {us/a: 100}}]}}}',
    ),
  ),
  entry('DNS of a host nobody knows', `hosts: [echo.NS.invalid], ${GRPC}, resolution: DNS`, [
    { target: 'echo.NS.invalid:7070', ...UNKNOWN },
  ]),
  entry(
    'DNS_ROUND_ROBIN',
    `hosts: [echo.NS.example], ${GRPC}, resolution: DNS_ROUND_ROBIN, endpoints: [{address: localhost, ports: {grpc: PORT2}}]`,
    [{ target: 'echo.NS.example:7070', want: 'v2', count: 5 }],
  ),
  entry('NONE: gRPC has no word for it', `hosts: [echo.NS.example], ${GRPC}, resolution: NONE`, [
    { target: 'echo.NS.example:7070', ...UNKNOWN },
  ]),
  entry('of a wildcard, NONE', `hosts: ["*.NS.example"], ${GRPC}, resolution: NONE`, [
    { target: 'any.NS.example:7070', ...NOBODY },
  ]),
  entry(
    'of a wildcard, STATIC',
    `hosts: ["*.NS.example"], ${GRPC}, resolution: STATIC, endpoints: [{address: 127.0.0.1, ports: {grpc: PORT3}}]`,
    [{ target: 'any.NS.example:7070', want: 'v3' }],
  ),
  entry(
    'of HTTP/2 with subsets',
    `hosts: [echo.NS.example], ports: [{number: 7070, name: http2, protocol: HTTP2}], resolution: STATIC, endpoints: [{address: 127.0.0.1, ports: {http2: PORT1}, labels: {version: v1}}, {address: 127.0.0.1, ports: {http2: PORT2}, labels: {version: v2}}]`,
    [{ target: 'echo.NS.example:7070', want: 'v2', count: 5 }],
    destinationRule('host: echo.NS.example, subsets: [{name: v2, labels: {version: v2}}]') +
      `apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: {name: out, namespace: NS}\nspec: {hosts: [echo.NS.example], http: [{route: [{destination: {host: echo.NS.example, subset: v2}}]}]}\n---\n`,
  ),
];

/** By whichever of them. */
function answered(told: readonly Told[]): void {
  expect(told.filter(({ status }) => status !== 'OK')).toEqual([]);
}
