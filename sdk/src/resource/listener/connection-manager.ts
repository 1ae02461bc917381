import type { ConfigSource } from '../../../gen/core.js';
import { type HttpConnectionManager, HttpConnectionManagerSchema } from '../../../gen/listener.js';
import type { Listener } from '../../model/route.ts';
import { parse } from '../any.ts';
import { FIELDS } from '../field-table.ts';
import { checkFields } from '../fields.ts';
import { decodeRouteConfigurationBytes } from '../route/route-configuration.ts';
import type { Scope } from '../scope.ts';
import { sharedName } from '../shared.ts';
import { splitField } from '../split.ts';
import { durationMs, required } from '../values.ts';
import { decodeHttpFilters } from './http-filters.ts';

export const CONNECTION_MANAGER = HttpConnectionManagerSchema.typeName;

/** HttpConnectionManager.route_config in http_connection_manager.proto. */
export const ROUTE_CONFIG = 4;

/** What a client takes from an HttpConnectionManager: where the routes are, its filters, the longest stream. */
export function* decodeConnectionManager(
  name: string,
  bytes: Uint8Array,
  at: Scope,
): Generator<undefined, Listener | undefined> {
  // The inline route configuration, which may be large, stays bytes until it is taken apart.
  const { parts, rest } = yield* splitField(bytes, ROUTE_CONFIG);
  const message = parse(HttpConnectionManagerSchema, rest, at);
  if (message === undefined) return undefined;
  checkFields(HttpConnectionManagerSchema, message, FIELDS, at);
  const inline = parts.at(-1);
  const routes = inline ? yield* decodeInline(inline, at.at('route_config')) : decodeRouteSource(message, at);
  const filters = decodeHttpFilters(message.httpFilters, at);
  const common = message.commonHttpProtocolOptions;
  const stream = at.at('common_http_protocol_options').at('max_stream_duration');
  const maxStreamDurationMs = durationMs(common?.maxStreamDuration, stream);
  const idleTimeoutMs = durationMs(message.streamIdleTimeout, at.at('stream_idle_timeout'));
  return (
    routes && {
      name,
      routes,
      ...(maxStreamDurationMs !== undefined && { maxStreamDurationMs }),
      ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
      ...filters,
    }
  );
}

export function* decodeInline(bytes: Uint8Array, at: Scope): Generator<undefined, Listener['routes'] | undefined> {
  const routeConfiguration = yield* decodeRouteConfigurationBytes(bytes, at, true);
  return routeConfiguration && { kind: 'inline', routeConfiguration };
}

export function decodeRouteSource(
  { routeSpecifier }: HttpConnectionManager,
  at: Scope,
): Listener['routes'] | undefined {
  if (routeSpecifier.case !== 'rds') {
    at.error(`${routeSpecifier.case ?? 'no routes'}, rds or route_config allowed`);
    return undefined;
  }
  const { configSource, routeConfigName } = routeSpecifier.value;
  requireAds(configSource, at.at('rds').at('config_source'));
  return {
    kind: 'rds',
    routeConfigurationName: sharedName(required(routeConfigName, at.at('rds').at('route_config_name'))),
  };
}

/** One stream for all types (gRFC A27): no other source is ever asked. */
export function requireAds(source: ConfigSource | undefined, at: Scope): void {
  const kind = source?.configSourceSpecifier.case;
  if (kind !== 'ads' && kind !== 'self') at.error(`${kind ?? 'missing'}, ads or self allowed`);
}
