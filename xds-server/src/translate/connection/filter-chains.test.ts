import { toJson } from '@bufbuild/protobuf';
import { ListenerSchema } from '@inmesh/sdk/internal/gen/listener';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { describe, expect, it } from 'vitest';
import { viewFrom, worldFromYaml } from '../fixtures/world-from-yaml.ts';
import { listener } from '../listener.ts';
import type { View } from '../view.ts';

const SERVICES = `
apiVersion: v1
kind: Service
metadata: { name: db, namespace: shop }
spec: { clusterIP: 10.96.0.5, selector: { app: db }, ports: [{ name: tcp-db, port: 5432 }, { name: http-admin, port: 80 }] }
---
apiVersion: v1
kind: Service
metadata: { name: tunnel, namespace: shop }
spec: { clusterIP: 10.96.0.6, selector: { app: tunnel }, ports: [{ name: tls, port: 443 }, { name: plain, port: 9000 }] }
---
apiVersion: v1
kind: Service
metadata: { name: egress, namespace: shop }
spec: { clusterIP: 10.96.0.7, selector: { app: egress }, ports: [{ name: tls, port: 8443 }] }
---
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: partner, namespace: shop }
spec:
  hosts: [api.partner.example, '*.wild.example']
  location: MESH_EXTERNAL
  resolution: NONE
  ports: [{ number: 443, name: tls, protocol: TLS }, { number: 27017, name: mongo, protocol: MONGO }]
---
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: db, namespace: shop }
spec: { host: db, subsets: [{ name: v1, labels: { version: v1 } }, { name: v2, labels: { version: v2 } }] }
`;

const rule = (spec: string, name = 'rule', namespace = 'shop'): string => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: ${name}, namespace: ${namespace} }
spec: ${spec}
`;

interface ChainJson {
  readonly filterChainMatch?: unknown;
  readonly filters: readonly {
    readonly typedConfig: { readonly cluster?: string; readonly weightedClusters?: unknown };
  }[];
}

const listenerJson = (
  target: string,
  rules: readonly string[],
  view: View,
): { filterChains?: readonly ChainJson[] } => {
  const made = listener(worldFromYaml(SERVICES, ...rules), view, target);
  if (made === undefined) throw new Error(`no listener ${target}`);
  return toJson(ListenerSchema, made, { registry }) as { filterChains?: readonly ChainJson[] };
};

/** Match and destination of each chain. */
const chains = (target: string, rules: readonly string[] = [], view: View = viewFrom('shop')) =>
  (listenerJson(target, rules, view).filterChains ?? []).map(({ filterChainMatch, filters }) => {
    const [filter] = filters;
    const to = filter?.typedConfig.cluster ?? filter?.typedConfig.weightedClusters;
    return filterChainMatch === undefined ? to : [filterChainMatch, to];
  });

const DB = (subset = ''): string => `outbound|5432|${subset}|db.shop.svc.cluster.local`;
const TUNNEL = 'outbound|443||tunnel.shop.svc.cluster.local';
const EGRESS = 'outbound|8443||egress.shop.svc.cluster.local';
const to = (subset: string): string => `[{ destination: { host: db, subset: ${subset} } }]`;

describe('filter chains, without a rule', () => {
  it('a port of plain TCP or TLS goes to its service, one of HTTP has requests only', () => {
    expect(chains('db:5432')).toEqual([DB()]);
    expect(chains('tunnel:443')).toEqual([TUNNEL]);
    expect(chains('tunnel:9000')).toEqual(['outbound|9000||tunnel.shop.svc.cluster.local']);
    expect(chains('api.partner.example:27017')).toEqual(['outbound|27017||api.partner.example']);
    expect(chains('any.wild.example:443')).toEqual(['outbound|443||*.wild.example']);
    expect(chains('db:80')).toEqual([]);
  });

  it('the API listener stays beside them, and is all that a gRPC client gets', () => {
    expect(listenerJson('db:5432', [], viewFrom('shop'))).toHaveProperty('apiListener');
    expect(chains('db:5432', [], viewFrom('shop', { kind: 'grpc' }))).toEqual([]);
  });
});

describe('filter chains of tcp routes', () => {
  it('split by weight over subsets; a single destination takes all, weight 0 none', () => {
    const split = `[{ destination: { host: db, subset: v1 }, weight: 90 }, { destination: { host: db, subset: v2 }, weight: 10 }, { destination: { host: db }, weight: 0 }]`;
    expect(chains('db:5432', [rule(`{ hosts: [db], tcp: [{ route: ${split} }] }`)])).toEqual([
      {
        clusters: [
          { name: DB('v1'), weight: 90 },
          { name: DB('v2'), weight: 10 },
        ],
      },
    ]);
    expect(chains('db:5432', [rule(`{ hosts: [db], tcp: [{ route: ${to('v1')} }] }`)])).toEqual([DB('v1')]);
  });

  it('match port, source labels, source namespace and gateways, all together; what does not fit falls to the service', () => {
    const only = (match: string) =>
      rule(`{ hosts: [db], gateways: [mesh, edge], tcp: [{ match: [${match}], route: ${to('v1')} }] }`);
    expect(chains('db:5432', [only('{ port: 5432 }')])).toEqual([DB('v1')]);
    expect(chains('db:5432', [only('{ port: 5433 }')])).toEqual([DB()]);
    expect(chains('db:5432', [only('{ gateways: [edge] }')])).toEqual([DB()]);
    expect(chains('db:5432', [only('{ gateways: [mesh, edge] }')])).toEqual([DB('v1')]);
    expect(chains('db:5432', [only('{ sourceNamespace: other }')])).toEqual([DB()]);
    const red = viewFrom('shop', { labels: new Map([['team', 'red']]) });
    expect(chains('db:5432', [only('{ sourceLabels: { team: red } }')], red)).toEqual([DB('v1')]);
    expect(chains('db:5432', [only('{ gateways: [mesh], sourceLabels: { team: red } }')])).toEqual([DB()]);
  });

  it('only the first that takes everything counts', () => {
    const two = rule(`{ hosts: [db], tcp: [{ route: ${to('v1')} }, { route: ${to('v2')} }] }`);
    expect(chains('db:5432', [two])).toEqual([DB('v1')]);
  });

  it('subnets: compared here where the address is known, the longest range first; else left to the client', () => {
    const subnets = (host: string) =>
      rule(`{ hosts: [${host}], tcp: [
        { match: [{ destinationSubnets: [10.0.0.0/8] }], route: ${to('v1')} },
        { match: [{ destinationSubnets: [10.96.0.0/16, 192.0.2.1] }], route: ${to('v2')} }] }`);
    expect(chains('db:5432', [subnets('db')])).toEqual([DB('v2')]);
    expect(chains('10.96.0.5:5432', [subnets('db')])).toEqual([DB('v2')]);
    const range = (addressPrefix: string, prefixLen: number) => ({ addressPrefix, prefixLen });
    expect(chains('api.partner.example:27017', [subnets('api.partner.example')])).toEqual([
      [{ prefixRanges: [range('10.0.0.0', 8)] }, 'outbound|27017|v1|db.shop.svc.cluster.local'],
      [
        { prefixRanges: [range('10.96.0.0', 16), range('192.0.2.1', 32)] },
        'outbound|27017|v2|db.shop.svc.cluster.local',
      ],
      'outbound|27017||api.partner.example',
    ]);
  });

  it('idle time-out and the hash by source address are those of the destination’s DestinationRule', () => {
    const policy = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: egress, namespace: shop }
spec:
  host: egress
  trafficPolicy: { connectionPool: { tcp: { idleTimeout: 7s } }, loadBalancer: { consistentHash: { useSourceIp: true } } }
`;
    const made = listenerJson('egress:8443', [policy], viewFrom('shop'));
    expect(made.filterChains?.[0]?.filters[0]).toMatchObject({
      name: 'envoy.filters.network.tcp_proxy',
      typedConfig: { cluster: EGRESS, idleTimeout: '7s', hashPolicy: [{ sourceIp: {} }] },
    });
  });
});

describe('filter chains of tls routes', () => {
  const toEgress = '[{ destination: { host: egress, port: { number: 8443 } } }]';

  it('by server name, exact and wildcard; the rest of the names goes nowhere, as in a sidecar', () => {
    const sni = rule(`{ hosts: [api.partner.example, '*.wild.example'], tls: [
      { match: [{ port: 443, sniHosts: [api.partner.example] }], route: ${toEgress} },
      { match: [{ port: 443, sniHosts: ['*.wild.example', 'A.wild.example'] }], route: ${toEgress} }] }`);
    const expected = [
      [{ serverNames: ['api.partner.example'] }, EGRESS],
      [{ serverNames: ['*.wild.example', 'a.wild.example'] }, EGRESS],
    ];
    expect(chains('api.partner.example:443', [sni])).toEqual(expected);
    expect(chains('b.wild.example:443', [sni])).toEqual(expected);
  });

  it('the classic way out: the mesh goes to the egress gateway, the gateway’s own match is not for clients', () => {
    const out = rule(`{ hosts: [api.partner.example], gateways: [mesh, edge], tls: [
      { match: [{ gateways: [mesh], port: 443, sniHosts: [api.partner.example] }], route: ${toEgress} },
      { match: [{ gateways: [edge], port: 443, sniHosts: [api.partner.example] }], route: [{ destination: { host: api.partner.example } }] }] }`);
    expect(chains('api.partner.example:443', [out])).toEqual([[{ serverNames: ['api.partner.example'] }, EGRESS]]);
  });

  it('without one that fits, the service takes every name; a tcp route says nothing of a TLS port', () => {
    const elsewhere = `{ match: [{ port: 444, sniHosts: [tunnel] }], route: ${toEgress} }`;
    expect(
      chains('tunnel:443', [rule(`{ hosts: [tunnel], tls: [${elsewhere}], tcp: [{ route: ${toEgress} }] }`)]),
    ).toEqual([TUNNEL]);
  });

  it('a name that an earlier match has taken is not sent twice: Envoy would refuse the listener', () => {
    const host = 'api.partner.example';
    const match = (names: string, rest = '') => `{ match: [{ sniHosts: [${names}] ${rest} }], route: `;
    const twice = rule(`{ hosts: [${host}, '*.wild.example'], tls: [
      ${match(host)} ${toEgress} },
      ${match(`${host}, a.wild.example`)} ${to('v1')} },
      ${match(host, ', sourceNamespace: shop')} ${to('v2')} }] }`);
    expect(chains(`${host}:443`, [twice])).toEqual([
      [{ serverNames: [host] }, EGRESS],
      [{ serverNames: ['a.wild.example'] }, 'outbound|443|v1|db.shop.svc.cluster.local'],
    ]);
  });

  it('"*" in a rule for a wildcard host is any name', () => {
    const any = rule(
      `{ hosts: ['*.wild.example'], tls: [{ match: [{ sniHosts: ['*.wild.example'] }], route: ${toEgress} }] }`,
    );
    expect(chains('x.wild.example:443', [any])).toEqual([[{ serverNames: ['*.wild.example'] }, EGRESS]]);
  });
});

describe('filter chains of several rules', () => {
  const one = (name: string, subset: string, rest = '', namespace = 'shop') =>
    rule(
      `{ hosts: [db.shop.svc.cluster.local] ${rest}, tcp: [{ match: [{ port: 5432 }], route: [{ destination: { host: db.shop.svc.cluster.local, subset: ${subset} } }] }] }`,
      name,
      namespace,
    );

  it('are joined in the order of visibility and age (Istio joins these, unlike http)', () => {
    expect(chains('db:5432', [one('b', 'v2'), one('a', 'v1')])).toEqual([DB('v1')]);
    expect(chains('db:5432', [one('b', 'v2', ", exportTo: ['.']"), one('a', 'v1')])).toEqual([DB('v2')]);
    const other = rule(
      `{ hosts: ['*.shop.svc.cluster.local'], tcp: [{ match: [{ port: 1 }], route: ${to('v1')} }] }`,
      'a',
    );
    expect(chains('db:5432', [other, one('b', 'v2')])).toEqual([DB('v2')]);
  });

  it('are not seen where they are not exported', () => {
    expect(chains('db.shop:5432', [one('a', 'v1', ", exportTo: ['.']")], viewFrom('bank'))).toEqual([DB()]);
  });
});
