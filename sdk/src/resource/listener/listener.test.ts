import { fromJson, type JsonValue, toBinary } from '@bufbuild/protobuf';
import { describe, expect, it } from 'vitest';
import { ListenerSchema } from '../../../gen/listener.js';
import { registry } from '../../../gen/registry.js';
import type { Listener } from '../../model/route.ts';
import type { Decoded } from '../resource-type.ts';
import { listenerType } from './listener.ts';

const HCM = 'type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager';
const router = {
  name: 'router',
  typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' },
};
const fault = {
  name: 'fault',
  typedConfig: {
    '@type': 'type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault',
    abort: { grpcStatus: 14, percentage: { numerator: 50 } },
  },
};
const foreign = (extra: Record<string, JsonValue> = {}) => ({
  name: 'rbac',
  typedConfig: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.rbac.v3.RBAC' },
  ...extra,
});
const rds = { rds: { routeConfigName: 'r', configSource: { ads: {} } } };

const decodeJson = (json: JsonValue) =>
  listenerType.decode(toBinary(ListenerSchema, fromJson(ListenerSchema, json, { registry }))) as Decoded<Listener>;
const decode = (manager: Record<string, JsonValue>) =>
  decodeJson({ name: 'a:1', apiListener: { apiListener: { '@type': HCM, httpFilters: [router], ...manager } } });
const errors = (manager: Record<string, JsonValue>) => {
  const decoded = decode(manager);
  return 'errors' in decoded ? decoded.errors.join('\n') : '';
};

describe('listener', () => {
  it('routes by name, with the fault filter and the longest stream', () => {
    const manager = {
      ...rds,
      httpFilters: [fault, router],
      commonHttpProtocolOptions: { maxStreamDuration: '9s' },
      streamIdleTimeout: '0s',
    };
    const decoded = decode(manager);
    expect('ok' in decoded && decoded.ok).toEqual({
      name: 'a:1',
      routes: { kind: 'rds', routeConfigurationName: 'r' },
      maxStreamDurationMs: 9_000,
      idleTimeoutMs: 0,
      fault: { filter: 'fault', abort: { grpcStatus: 14, fraction: { numerator: 50, denominator: 100 } } },
    });
  });

  it('of several fault filters has them all, in their order', () => {
    const decoded = decode({ ...rds, httpFilters: [{ ...fault, name: 'first' }, fault, router] });
    expect('ok' in decoded && decoded.ok.fault).toMatchObject({ filter: 'first', next: { filter: 'fault' } });
  });

  it('routes inline', () => {
    const route = { match: { prefix: '/' }, route: { cluster: 'c' } };
    const decoded = decode({
      routeConfig: { name: 'in', virtualHosts: [{ name: 'v', domains: ['*'], routes: [route] }] },
    });
    expect('ok' in decoded && decoded.ok.routes).toMatchObject({
      kind: 'inline',
      routeConfiguration: { name: 'in', virtualHosts: [{ routes: [{ action: { kind: 'forward' } }] }] },
    });
    expect(errors({ routeConfig: { name: 'in', virtualHosts: [{ name: 'v' }] } })).toContain(
      'api_listener.api_listener.route_config.virtual_hosts[0].domains: empty',
    );
  });

  it.each([
    [{ ...rds, httpFilters: [] }, 'http_filters: empty'],
    [{ ...rds, httpFilters: [fault] }, 'http_filters[0]: "fault" stands last, the router must'],
    [
      { ...rds, httpFilters: [router, fault, { ...router, name: 'again' }] },
      'http_filters[0]: the router filter stands before the end',
    ],
    [{ ...rds, httpFilters: [fault, fault, router] }, 'http_filters[1].name: "fault" stands twice'],
    [
      { ...rds, httpFilters: [foreign(), router] },
      'http_filters[0]: filter envoy.extensions.filters.http.rbac.v3.RBAC is not known',
    ],
    [{ rds: { routeConfigName: '', configSource: { ads: {} } } }, 'rds.route_config_name: empty'],
    [{ rds: { routeConfigName: 'r', configSource: { path: '/x' } } }, 'rds.config_source: path, ads or self allowed'],
    [{}, 'no routes, rds or route_config allowed'],
    [{ ...rds, xffNumTrustedHops: 1 }, 'xff_num_trusted_hops: set, but not supported: gRFC A41'],
  ])('refuses %#, saying where', (manager, expected) => {
    expect(errors(manager)).toContain(`api_listener.api_listener${expected.startsWith('no') ? ': ' : '.'}${expected}`);
  });

  it('an unknown filter that is optional is a warning, a disabled one nothing (gRFC A39)', () => {
    const decoded = decode({
      ...rds,
      httpFilters: [foreign({ isOptional: true }), foreign({ name: 'off', disabled: true }), router],
    });
    expect('ok' in decoded && decoded.warnings.join()).toContain('http_filters[0]: ignored: filter envoy.extensions');
  });

  it('takes API listeners around a connection manager only', () => {
    const name = { name: 'a:1' };
    expect(decodeJson(name)).toEqual({
      name: 'a:1',
      errors: [expect.stringContaining('a client takes API listeners only')],
    });
    const wrong = {
      ...name,
      apiListener: { apiListener: { '@type': 'type.googleapis.com/envoy.extensions.filters.http.router.v3.Router' } },
    };
    expect(decodeJson(wrong)).toMatchObject({ errors: [expect.stringContaining('HttpConnectionManager allowed')] });
  });

  it('garbage is an error', () => {
    expect(listenerType.decode(new Uint8Array([1, 2, 3]))).toMatchObject({
      errors: [expect.stringContaining('cannot be read')],
    });
  });
});
