import { describe, expect, it } from 'vitest';
import { peerAuthentication } from '../fixtures/mutual-tls.ts';
import { REVIEWS, REVIEWS_ROUTES, REVIEWS_SUBSETS, reviewsPolicy } from '../fixtures/reviews.ts';
import { viewFrom, worldFromYaml } from '../fixtures/world-from-yaml.ts';
import type { View } from '../view.ts';
import { loadAssignment } from './load-assignment.ts';

const VIEW = viewFrom('default');

/** `priority locality weight: ports…` of each group. */
const groups = (yaml: readonly string[], view: View = VIEW, name = REVIEWS_ROUTES) =>
  loadAssignment(worldFromYaml(...yaml), view, name)?.endpoints.map(
    ({ priority, locality, loadBalancingWeight, lbEndpoints }) => {
      const ports = lbEndpoints.map(({ hostIdentifier: { value } }) => {
        const address = typeof value === 'object' ? value.address?.address : undefined;
        return address?.case === 'socketAddress' ? address.value.portSpecifier.value : address?.case;
      });
      return `${priority} ${locality?.region}/${locality?.zone}/${locality?.subZone} ${loadBalancingWeight}: ${ports.join(' ')}`;
    },
  );

const entry = (port: number, locality: string, rest = ''): string => `
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: w${port}, namespace: default }
spec: { address: 127.0.0.1, ports: { http: ${port} }, locality: ${locality}, labels: { app: ratings${rest} } }
`;
const RATINGS = 'outbound|9080||ratings.default.svc.cluster.local';
const ratingsPolicy = (text: string): string => reviewsPolicy(text).replace('host: reviews', 'host: ratings');
const PLACES = [entry(1, 'eu/a/1'), entry(2, 'eu/a/2'), entry(3, 'eu/b/1'), entry(4, 'us/a/1'), entry(5, 'asia/a/1')];
const AT = viewFrom('default', { locality: { region: 'eu', zone: 'a', subZone: '1' } });

describe('loadAssignment', () => {
  it('holds the endpoints of the whole service, of a subset those with its labels', () => {
    expect(groups([REVIEWS])).toEqual(['0 // 3: 9081 9082 9083']);
    expect(groups([REVIEWS, REVIEWS_SUBSETS], VIEW, 'outbound|9080|v2|reviews.default.svc.cluster.local')).toEqual([
      '0 // 1: 9082',
    ]);
  });

  it('is there and empty for a service without endpoints (503 UH), absent for no service (503 NC)', () => {
    expect(groups([REVIEWS], VIEW, RATINGS)).toEqual([]);
    expect(groups([REVIEWS], VIEW, 'outbound|80||nobody.default.svc.cluster.local')).toBeUndefined();
  });

  it('weights beyond 32 bits in sum are scaled down together (Envoy LocalityLbEndpoints.load_balancing_weight)', () => {
    const heavy = [1, 2, 3].map((port) => entry(port, 'eu/a').replace('spec: {', 'spec: { weight: 4294967295,'));
    expect(groups([REVIEWS, ...heavy], VIEW, RATINGS)).toEqual(['0 eu/a/ 4294967292: 1 2 3']);
  });

  it('tells who each endpoint is: name;namespace;app;version;cluster', () => {
    const made = loadAssignment(worldFromYaml(REVIEWS), VIEW, REVIEWS_ROUTES);
    expect(made?.endpoints[0]?.lbEndpoints[0]?.metadata?.filterMetadata.istio).toEqual({
      workload: 'reviews-v1;default;reviews;v1;Kubernetes',
    });
  });

  it.each([
    ['istio', { tlsMode: 'istio' }],
    ['disabled', undefined],
  ])('security.istio.io/tlsMode: %s says which transport socket the peer understands', (mode, match) => {
    const made = loadAssignment(
      worldFromYaml(REVIEWS, entry(1, 'eu/a', `, security.istio.io/tlsMode: ${mode}`)),
      VIEW,
      RATINGS,
    );
    const { filterMetadata = {} } = made?.endpoints[0]?.lbEndpoints[0]?.metadata ?? {};
    expect(filterMetadata['envoy.transport_socket_match']).toEqual(match);
  });

  it.each([
    ['DISABLE', undefined],
    ['PERMISSIVE', { tlsMode: 'istio' }],
    ['STRICT', { tlsMode: 'istio' }],
  ])('PeerAuthentication %s of its port: only DISABLE keeps callers from TLS (Istio mtlsChecker)', (mode, match) => {
    const policy = peerAuthentication(
      `{ selector: { matchLabels: { app: ratings } }, portLevelMtls: { 1: { mode: ${mode} }, 2: { mode: DISABLE } } }`,
    );
    const world = worldFromYaml(REVIEWS, policy, entry(1, 'eu/a', ', security.istio.io/tlsMode: istio'));
    const { filterMetadata = {} } = loadAssignment(world, VIEW, RATINGS)?.endpoints[0]?.lbEndpoints[0]?.metadata ?? {};
    expect(filterMetadata['envoy.transport_socket_match']).toEqual(match);
  });

  it('networking.istio.io/tunnel: http is a peer that speaks HBONE', () => {
    const world = worldFromYaml(REVIEWS, entry(1, 'eu/a', ', networking.istio.io/tunnel: http'));
    const made = loadAssignment(world, VIEW, RATINGS);
    expect(made?.endpoints[0]?.lbEndpoints[0]?.metadata?.filterMetadata).toEqual({
      'envoy.transport_socket_match': { tunnel: 'http' },
      istio: { workload: 'w1;default;ratings;;Kubernetes' },
    });
  });

  it('without outlier detection every locality has the first priority: nothing would ever fail over', () => {
    expect(groups([REVIEWS, ...PLACES], AT, RATINGS)?.every((group) => group.startsWith('0 '))).toBe(true);
  });

  it('with outlier detection: 0 sub-zone, 1 zone, 2 region, 3 elsewhere', () => {
    expect(groups([REVIEWS, ...PLACES, ratingsPolicy('{ outlierDetection: {} }')], AT, RATINGS)).toEqual([
      '3 asia/a/1 1: 5',
      '0 eu/a/1 1: 1',
      '1 eu/a/2 1: 2',
      '2 eu/b/1 1: 3',
      '3 us/a/1 1: 4',
    ]);
  });

  it('priorities have no gaps, and a client that knows no place has no neighbours', () => {
    const policy = ratingsPolicy('{ outlierDetection: {} }');
    expect(groups([REVIEWS, ...PLACES.slice(2), policy], AT, RATINGS)).toEqual([
      '1 asia/a/1 1: 5',
      '0 eu/b/1 1: 3',
      '1 us/a/1 1: 4',
    ]);
    expect(groups([REVIEWS, ...PLACES, policy], VIEW, RATINGS)?.every((group) => group.startsWith('0 '))).toBe(true);
  });

  it('failover names the region to go to: every other is last', () => {
    const policy = ratingsPolicy(
      '{ outlierDetection: {}, loadBalancer: { localityLbSetting: { failover: [{ from: eu, to: us }] } } }',
    );
    expect(groups([REVIEWS, ...PLACES, policy], AT, RATINGS)).toEqual([
      '4 asia/a/1 1: 5',
      '0 eu/a/1 1: 1',
      '1 eu/a/2 1: 2',
      '2 eu/b/1 1: 3',
      '3 us/a/1 1: 4',
    ]);
  });

  it('distribute shares percentages over localities; one it does not name gets nothing', () => {
    const policy = ratingsPolicy(
      '{ loadBalancer: { localityLbSetting: { distribute: [{ from: eu/a/*, to: { eu/a/*: 80, us/*: 20 } }] } } }',
    );
    expect(groups([REVIEWS, ...PLACES, policy], AT, RATINGS)).toEqual([
      '0 eu/a/1 40: 1',
      '0 eu/a/2 40: 2',
      '0 us/a/1 20: 4',
    ]);
  });

  it('failoverPriority ranks by leading labels, a value written for one stands for the client’s', () => {
    const yaml = [
      entry(1, 'eu/a/1', ', rack: r1, disk: ssd'),
      entry(2, 'eu/a/1', ', rack: r1, disk: hdd'),
      entry(3, 'eu/a/1', ', rack: r2, disk: ssd'),
    ];
    const policy = ratingsPolicy(
      '{ outlierDetection: {}, loadBalancer: { localityLbSetting: { failoverPriority: [rack, disk=ssd] } } }',
    );
    const client = viewFrom('default', { labels: new Map([['rack', 'r1']]) });
    expect(groups([REVIEWS, ...yaml, policy], client, RATINGS)).toEqual([
      '0 eu/a/1 1: 1',
      '1 eu/a/1 1: 2',
      '2 eu/a/1 1: 3',
    ]);
  });

  it('failoverPriority knows region, zone and sub-zone of both without their being written as labels (Istio AugmentLabels)', () => {
    const priorities = '[topology.kubernetes.io/region, topology.kubernetes.io/zone, topology.istio.io/subzone]';
    const policy = ratingsPolicy(
      `{ outlierDetection: {}, loadBalancer: { localityLbSetting: { failoverPriority: ${priorities} } } }`,
    );
    expect(groups([REVIEWS, ...PLACES, policy], AT, RATINGS)).toEqual([
      '3 asia/a/1 1: 5',
      '0 eu/a/1 1: 1',
      '1 eu/a/2 1: 2',
      '2 eu/b/1 1: 3',
      '3 us/a/1 1: 4',
    ]);
  });

  it('a subset may name a place by the topology labels', () => {
    const subsets = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: ratings, namespace: default }
spec: { host: ratings, subsets: [{ name: eu, labels: { topology.kubernetes.io/region: eu } }] }
`;
    const name = 'outbound|9080|eu|ratings.default.svc.cluster.local';
    expect(groups([REVIEWS, ...PLACES, subsets], VIEW, name)).toEqual([
      '0 eu/a/1 1: 1',
      '0 eu/a/2 1: 2',
      '0 eu/b/1 1: 3',
    ]);
  });

  it.each(['PreferClose', 'PreferSameZone', 'PreferSameNode', 'preferclose'])(
    'a Service with trafficDistribution %s: the zone, then the region, then elsewhere, without outlier detection',
    (distribution) => {
      const near = REVIEWS.replaceAll(
        'selector: { app: ratings }',
        `trafficDistribution: ${distribution}\n  selector: { app: ratings }`,
      );
      expect(groups([near, ...PLACES], AT, RATINGS)?.map((group) => group.split(' ').slice(0, 2).join(' '))).toEqual([
        '2 asia/a/1',
        '0 eu/a/1',
        '0 eu/a/2',
        '1 eu/b/1',
        '2 us/a/1',
      ]);
      const off = ratingsPolicy('{ loadBalancer: { localityLbSetting: { enabled: false } } }');
      expect(groups([near, ...PLACES, off], AT, RATINGS)?.every((group) => group.startsWith('0 '))).toBe(true);
    },
  );

  it('enabled: false switches all of it off', () => {
    const policy = ratingsPolicy('{ outlierDetection: {}, loadBalancer: { localityLbSetting: { enabled: false } } }');
    expect(groups([REVIEWS, ...PLACES, policy], AT, RATINGS)?.every((group) => group.startsWith('0 '))).toBe(true);
  });
});
