import { toJson } from '@bufbuild/protobuf';
import { ListenerSchema } from '@inmesh/sdk/internal/gen/listener';
import { registry } from '@inmesh/sdk/internal/gen/registry';
import { RouteConfigurationSchema } from '@inmesh/sdk/internal/gen/route';
import { describe, expect, it } from 'vitest';
import { viewFrom, worldFromYaml } from '../fixtures/world-from-yaml.ts';
import { listener } from '../listener.ts';
import type { View } from '../view.ts';
import { routeConfiguration } from './route-configuration.ts';

const service = (name: string, labels: string) => `
apiVersion: v1
kind: Service
metadata: {name: ${name}, namespace: shop, labels: {${labels}}}
spec: {ports: [{name: http, port: 80}], selector: {app: ${name}}}
`;
const COOKIE = 'istio.io/persistent-session: cart-host';
const HEADER = 'istio.io/persistent-session-header: x-host';
const split = (...hosts: readonly string[]) => `
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: cart, namespace: shop}
spec: {hosts: [cart], http: [{route: [${hosts.map((host) => `{destination: {host: ${host}}, weight: 1}`).join()}]}]}
`;
const filters = (texts: readonly string[], kind: View['kind'] = 'sdk') => {
  const made = routeConfiguration(
    worldFromYaml(...texts),
    viewFrom('shop', { kind }),
    'outbound|80||cart.shop.svc.cluster.local',
  );
  const json = made && toJson(RouteConfigurationSchema, made.configuration, { registry });
  return Object(json).virtualHosts[0].routes[0].typedPerFilterConfig;
};
const sessionBy = (kind: string) => ({
  'envoy.filters.http.stateful_session': {
    statefulSession: { sessionState: { name: `envoy.http.stateful_session.${kind}` } },
  },
});

describe('stateful sessions (Istio persistent-session labels)', () => {
  it('a cookie for all paths, or a header, on every route to the service', () => {
    expect(filters([service('cart', COOKIE)])).toMatchObject({
      'envoy.filters.http.stateful_session': {
        statefulSession: { sessionState: { typedConfig: { cookie: { name: 'cart-host', path: '/', ttl: '0s' } } } },
      },
    });
    expect(filters([service('cart', HEADER)])).toMatchObject(sessionBy('header'));
    expect(filters([service('cart', COOKIE), split('cart', 'cart')])).toMatchObject(sessionBy('cookie'));
    expect(filters([service('cart', 'app: cart')])).toBeUndefined();
  });

  it('not where destinations ask for different ones', () => {
    expect(filters([service('cart', COOKIE), service('other', HEADER), split('cart', 'other')])).toBeUndefined();
  });

  it('brings the filter onto the listener, for gRPC clients one that is optional, as not all of them know it', () => {
    const listed = (kind: View['kind'], label = COOKIE) => {
      const made = listener(worldFromYaml(service('cart', label)), viewFrom('shop', { kind }), 'cart:80');
      const json = made && toJson(ListenerSchema, made, { registry });
      const all: { readonly name: string; readonly isOptional?: boolean }[] =
        Object(json).apiListener.apiListener.httpFilters;
      return all.map(({ name, isOptional }) => `${name.split('.').at(-1)}${isOptional ? '?' : ''}`);
    };
    expect(listed('sdk')).toEqual(['stateful_session', 'router']);
    expect(listed('grpc')).toEqual(['stateful_session?', 'router']);
    const cookie = {
      config: { statefulSession: { sessionState: { typedConfig: { cookie: { name: 'cart-host' } } } } },
    };
    expect(filters([service('cart', COOKIE)], 'grpc')).toMatchObject({
      'envoy.filters.http.stateful_session': { isOptional: true, ...cookie },
    });
    expect(filters([service('cart', HEADER)], 'grpc')).toBeUndefined();
    expect(listed('grpc', HEADER)).toEqual(['router']);
  });
});
