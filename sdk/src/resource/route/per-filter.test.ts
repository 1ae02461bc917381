import { fromJson, type JsonObject, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { registry } from '../../../gen/registry.js';
import { RouteConfigurationSchema } from '../../../gen/route.js';
import { routeConfigurationType } from './route-configuration.ts';

const any = (name: string, more: JsonObject = {}) => ({ '@type': `type.googleapis.com/${name}`, ...more });
const RBAC = any('envoy.extensions.filters.http.rbac.v3.RBACPerRoute');
const JWT = any('envoy.extensions.filters.http.jwt_authn.v3.PerRouteConfig');
const CORS = any('envoy.extensions.filters.http.cors.v3.CorsPolicy');
const wrapped = (config: JsonObject, more: JsonObject = {}) =>
  any('envoy.config.route.v3.FilterConfig', { config, ...more });

function decode(config: JsonObject) {
  const json = {
    name: 'r',
    virtualHosts: [{ name: 'v', domains: ['*'], typedPerFilterConfig: { filter: config }, routes: [] }],
  };
  return routeConfigurationType.decode(
    toBinary(RouteConfigurationSchema, fromJson(RouteConfigurationSchema, json, { registry })),
  );
}

describe('filters configured per route (gRFC A39)', () => {
  it.each([RBAC, JWT, wrapped(RBAC)])('one that guards requests is refused, never dropped: %#', (config) => {
    expect(decode(config)).toMatchObject({ errors: [expect.stringContaining('requests must not go past it')] });
  });

  it.each([CORS, wrapped(RBAC, { isOptional: true })])(
    'others, and optional ones, are left out with a warning: %#',
    (config) => {
      expect(decode(config)).toMatchObject({
        warnings: [expect.stringContaining('ignored: envoy.extensions.filters.http')],
      });
    },
  );
});
