import {
  type ConnectionLimit,
  ConnectionLimitSchema,
  type Filter,
  HttpConnectionManager_ForwardClientCertDetails as Forward,
  HTTPFaultSchema,
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
  type HttpFilter,
  RouterSchema,
} from '../../../gen/listener.js';
import type { FaultPolicy } from '../../model/action.ts';
import { chainOf } from '../../model/fault-chain.ts';
import type { ForwardClientCertificate, InboundChain, InboundLimits, InboundRequests } from '../../model/inbound.ts';
import type { RouteConfiguration } from '../../model/route.ts';
import { parse, typeNameOf, unpack } from '../any.ts';
import { checkFields } from '../fields.ts';
import { decodeFault } from '../route/fault.ts';
import type { Scope } from '../scope.ts';
import { splitField } from '../split.ts';
import { durationMs, required } from '../values.ts';
import { decodeInline, decodeRouteSource, ROUTE_CONFIG } from './connection-manager.ts';
import { INBOUND_FIELDS } from './inbound.fields.ts';

/** What the filters of one chain say. */
export interface InboundFilters {
  readonly chain: Pick<
    InboundChain,
    'clientCertificate' | 'idleTimeoutMs' | 'maxConcurrentStreams' | 'maxRequestHeadersKb' | 'requests'
  >;
  readonly limits: InboundLimits;
}

const RBAC: ReadonlySet<string> = new Set([
  'envoy.extensions.filters.network.rbac.v3.RBAC',
  'envoy.extensions.filters.http.rbac.v3.RBAC',
]);
/** Who asks for it must not be served as if it had not been asked for. */
const NO_AUTHORIZATION = 'authorization is not enforced here yet: a listener that requires it is refused';

const typeOf = ({ configType }: Filter | HttpFilter): string =>
  configType.case === 'typedConfig' ? typeNameOf(configType.value) : '';

/** FilterChain.filters of a server: limits, then exactly one HttpConnectionManager, which is the last (gRFC A36). */
export function* decodeInboundFilters(
  filters: readonly Filter[],
  at: Scope,
): Generator<undefined, InboundFilters | undefined> {
  let limits: InboundLimits = {};
  let chain: InboundFilters['chain'] | undefined;
  for (const [index, filter] of filters.entries()) {
    const here = at.at(index);
    const type = typeOf(filter);
    const any = filter.configType.case === 'typedConfig' ? filter.configType.value : undefined;
    const inside = here.at('typed_config');
    if (chain !== undefined) here.error('stands behind the HttpConnectionManager, which must be the last');
    if (any !== undefined && type === HttpConnectionManagerSchema.typeName) {
      const found = yield* decodeManager(any.value, inside);
      if (found === undefined) return undefined;
      chain = found.chain;
      limits = { ...limits, ...found.limits };
    } else if (any !== undefined && type === ConnectionLimitSchema.typeName) {
      const message = unpack(any, ConnectionLimitSchema, inside, INBOUND_FIELDS);
      limits = { ...limits, ...(message && decodeConnectionLimit(message, inside)) };
    } else if (RBAC.has(type)) here.error(NO_AUTHORIZATION);
    else {
      const allowed = `${HttpConnectionManagerSchema.typeName}, ${ConnectionLimitSchema.typeName} allowed`;
      here.error(`${type === '' ? 'a filter without typed_config' : `filter ${type}`} is not known, ${allowed}`);
    }
  }
  if (chain === undefined) {
    at.error('no HttpConnectionManager, exactly one required (gRFC A36)');
    return undefined;
  }
  return { chain, limits };
}

function decodeConnectionLimit({ maxConnections }: ConnectionLimit, at: Scope): InboundLimits {
  const most = Number(maxConnections ?? 0n);
  if (most < 1) at.at('max_connections').error(`${most}, at least 1 allowed`);
  return { maxConnections: most };
}

function decodeLimits({ commonHttpProtocolOptions: common }: HttpConnectionManager, at: Scope): InboundLimits {
  const here = at.at('common_http_protocol_options');
  const idleTimeoutMs = durationMs(common?.idleTimeout, here.at('idle_timeout'));
  const maxConnectionDurationMs = durationMs(common?.maxConnectionDuration, here.at('max_connection_duration'));
  const requests = common?.maxRequestsPerConnection;
  return {
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
    ...(maxConnectionDurationMs !== undefined && { maxConnectionDurationMs }),
    // 0 = no limit (Envoy HttpProtocolOptions.max_requests_per_connection).
    ...(requests !== undefined && requests > 0 && { maxRequestsPerConnection: requests }),
  };
}

function* decodeManager(bytes: Uint8Array, at: Scope): Generator<undefined, InboundFilters | undefined> {
  // The inline route configuration, which may be large, stays bytes until it is taken apart.
  const { parts, rest } = yield* splitField(bytes, ROUTE_CONFIG);
  const message = parse(HttpConnectionManagerSchema, rest, at);
  if (message === undefined) return undefined;
  checkFields(HttpConnectionManagerSchema, message, INBOUND_FIELDS, at);
  const fault = decodeHttpFilters(message.httpFilters, at.at('http_filters'));
  const inline = parts.at(-1);
  const routes = inline ? yield* decodeInline(inline, at.at('route_config')) : decodeRouteSource(message, at);
  if (routes?.kind === 'inline') tellForwarded(routes.routeConfiguration, at.at('route_config'));
  const { maxRequestHeadersKb, http2ProtocolOptions: http2, commonHttpProtocolOptions: common } = message;
  const idleTimeoutMs = durationMs(common?.idleTimeout, at.at('common_http_protocol_options').at('idle_timeout'));
  const chain = {
    clientCertificate: forwardOf(message, at),
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
    ...(http2?.maxConcurrentStreams !== undefined && { maxConcurrentStreams: http2.maxConcurrentStreams }),
    ...(maxRequestHeadersKb !== undefined && { maxRequestHeadersKb }),
    ...(routes && { requests: { routes, ...(fault && { fault }) } satisfies InboundRequests }),
  };
  return { chain, limits: decodeLimits(message, at) };
}

/** gRFC A39: unique names, the router last; what an unknown filter would enforce must not go missing. The faults, where there are some. */
function decodeHttpFilters(filters: readonly HttpFilter[], list: Scope): FaultPolicy | undefined {
  const names = new Set<string>();
  const active = filters.filter(({ disabled }) => !disabled);
  const last = active.at(-1);
  if (last === undefined || typeOf(last) !== RouterSchema.typeName) list.error('the router filter must stand last');
  const faults: FaultPolicy[] = [];
  for (const [index, filter] of filters.entries()) {
    const here = list.at(index);
    required(filter.name, here.at('name'));
    if (names.has(filter.name)) here.at('name').error(`"${filter.name}" stands twice, each name once allowed`);
    names.add(filter.name);
    if (filter.disabled || filter === last) continue;
    const fault = decodeHttpFilter(filter, here);
    if (fault !== undefined) faults.push({ ...fault, filter: filter.name });
  }
  return chainOf(faults);
}

function decodeHttpFilter(filter: HttpFilter, at: Scope): FaultPolicy | undefined {
  const type = typeOf(filter);
  const any = filter.configType.case === 'typedConfig' ? filter.configType.value : undefined;
  if (any !== undefined && type === HTTPFaultSchema.typeName) {
    const message = unpack(any, HTTPFaultSchema, at.at('typed_config'));
    return message && decodeFault(message, at.at('typed_config'));
  }
  // gRPC knows this one and enforces it, optional or not (gRFC A39, A41).
  if (RBAC.has(type)) at.error(NO_AUTHORIZATION);
  else if (filter.isOptional) at.warn(`ignored: filter ${type}, which is not known, is optional`);
  else
    at.error(
      `filter ${type} is not known, ${HTTPFaultSchema.typeName}, ${RouterSchema.typeName} and optional ones allowed`,
    );
  return undefined;
}

/** gRFC A36: the request is the application's own, so each route must leave it where it is. */
function tellForwarded({ virtualHosts }: RouteConfiguration, at: Scope): void {
  for (const [hostIndex, { routes }] of virtualHosts.entries()) {
    for (const [index, { action }] of routes.entries()) {
      if (action.kind === 'refuse' && action.stays !== undefined) continue;
      const route = at.at('virtual_hosts').at(hostIndex).at('routes').at(index);
      route.warn('ignored: a server’s own requests are not forwarded; calls of gRPC that fit are refused (gRFC A36)');
    }
  }
}

const MODES: ReadonlyMap<Forward, ForwardClientCertificate['mode']> = new Map([
  [Forward.SANITIZE, 'SANITIZE'],
  [Forward.FORWARD_ONLY, 'FORWARD_ONLY'],
  [Forward.APPEND_FORWARD, 'APPEND_FORWARD'],
  [Forward.SANITIZE_SET, 'SANITIZE_SET'],
  [Forward.ALWAYS_FORWARD_ONLY, 'ALWAYS_FORWARD_ONLY'],
]);

function forwardOf(message: HttpConnectionManager, at: Scope): ForwardClientCertificate {
  const { forwardClientCertDetails: forward, setCurrentClientCertDetails: set } = message;
  const mode = MODES.get(forward);
  if (mode === undefined) at.at('forward_client_cert_details').error(`${forward}, a value of Envoy's allowed`);
  const parts = new Set<'subject' | 'cert' | 'chain' | 'dns' | 'uri'>();
  if (set?.subject === true) parts.add('subject');
  for (const part of ['cert', 'chain', 'dns', 'uri'] as const) if (set?.[part] === true) parts.add(part);
  return { mode: mode ?? 'SANITIZE', parts };
}
