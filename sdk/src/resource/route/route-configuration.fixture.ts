import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { registry } from '../../../gen/registry.js';
import { RouteConfigurationSchema } from '../../../gen/route.js';
import type { Route } from '../../model/route.ts';
import type { Decoded } from '../resource-type.ts';
import { routeConfigurationType } from './route-configuration.ts';

/** Cases are written as Envoy's JSON, the form in which its documentation and its dumps show them. */
export function decode(json: JsonValue) {
  return routeConfigurationType.decode(
    toBinary(RouteConfigurationSchema, fromJson(RouteConfigurationSchema, json, { registry })),
  );
}

export const host = (...routes: JsonValue[]): JsonValue => ({
  name: 'r',
  virtualHosts: [{ name: 'v', domains: ['*'], routes }],
});
export const to = (extra: Record<string, JsonValue> = {}): JsonValue => ({
  match: { prefix: '/' },
  route: { cluster: 'c', ...extra },
});

export function only(decoded: Decoded<{ virtualHosts: readonly { routes: readonly Route[] }[] }>): Route {
  if ('errors' in decoded) throw new Error(decoded.errors.join('\n'));
  const [route] = decoded.ok.virtualHosts[0]?.routes ?? [];
  if (route === undefined) throw new Error('no route');
  return route;
}

export const action = (extra: Record<string, JsonValue>) => only(decode(host(to(extra)))).action;
export const match = (value: JsonValue) => only(decode(host({ match: value, route: { cluster: 'c' } }))).match;
export const errors = (json: JsonValue) => {
  const decoded = decode(json);
  return 'errors' in decoded ? decoded.errors : [];
};
export const warnings = (json: JsonValue) => {
  const decoded = decode(json);
  return 'ok' in decoded ? decoded.warnings : ['refused'];
};
