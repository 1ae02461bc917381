import {
  type ConnectionLimit,
  ConnectionLimitSchema,
  type Filter,
  HttpConnectionManager_ForwardClientCertDetails as Forward,
  type HttpConnectionManager,
  HttpConnectionManagerSchema,
  type HttpFilter,
  RouterSchema,
} from '../../../gen/listener.js';
import type { ForwardClientCertificate, InboundChain, InboundLimits } from '../../model/inbound.ts';
import { typeNameOf, unpack } from '../any.ts';
import type { Scope } from '../scope.ts';
import { durationMs, required } from '../values.ts';
import { INBOUND_FIELDS } from './inbound.fields.ts';

/** What the filters of one chain say. */
export interface InboundFilters {
  readonly chain: Omit<InboundChain, 'name' | 'transport' | 'applicationProtocols' | 'tls'>;
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
export function decodeInboundFilters(filters: readonly Filter[], at: Scope): InboundFilters | undefined {
  let limits: InboundLimits = {};
  let manager: HttpConnectionManager | undefined;
  for (const [index, filter] of filters.entries()) {
    const here = at.at(index);
    const type = typeOf(filter);
    const any = filter.configType.case === 'typedConfig' ? filter.configType.value : undefined;
    const inside = here.at('typed_config');
    if (manager !== undefined) here.error('stands behind the HttpConnectionManager, which must be the last');
    if (any !== undefined && type === HttpConnectionManagerSchema.typeName) {
      manager = unpack(any, HttpConnectionManagerSchema, inside, INBOUND_FIELDS);
      if (manager === undefined) return undefined;
      limits = { ...limits, ...decodeLimits(manager, inside) };
    } else if (any !== undefined && type === ConnectionLimitSchema.typeName) {
      const message = unpack(any, ConnectionLimitSchema, inside, INBOUND_FIELDS);
      limits = { ...limits, ...(message && decodeConnectionLimit(message, inside)) };
    } else if (RBAC.has(type)) here.error(NO_AUTHORIZATION);
    else {
      const allowed = `${HttpConnectionManagerSchema.typeName}, ${ConnectionLimitSchema.typeName} allowed`;
      here.error(`${type === '' ? 'a filter without typed_config' : `filter ${type}`} is not known, ${allowed}`);
    }
  }
  if (manager === undefined) {
    at.error('no HttpConnectionManager, exactly one required (gRFC A36)');
    return undefined;
  }
  return { chain: decodeManager(manager, at.at(filters.length - 1).at('typed_config')), limits };
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

function decodeManager(message: HttpConnectionManager, at: Scope): InboundFilters['chain'] {
  checkHttpFilters(message.httpFilters, at.at('http_filters'));
  checkRoutes(message, at);
  const { maxRequestHeadersKb, http2ProtocolOptions: http2, commonHttpProtocolOptions: common } = message;
  const idleTimeoutMs = durationMs(common?.idleTimeout, at.at('common_http_protocol_options').at('idle_timeout'));
  return {
    clientCertificate: forwardOf(message, at),
    ...(idleTimeoutMs !== undefined && { idleTimeoutMs }),
    ...(http2?.maxConcurrentStreams !== undefined && { maxConcurrentStreams: http2.maxConcurrentStreams }),
    ...(maxRequestHeadersKb !== undefined && { maxRequestHeadersKb }),
  };
}

/** gRFC A39: unique names, the router last; what an unknown filter would enforce must not go missing. */
function checkHttpFilters(filters: readonly HttpFilter[], list: Scope): void {
  const names = new Set<string>();
  const active = filters.filter(({ disabled }) => !disabled);
  const last = active.at(-1);
  if (last === undefined || typeOf(last) !== RouterSchema.typeName) list.error('the router filter must stand last');
  for (const [index, filter] of filters.entries()) {
    const here = list.at(index);
    const type = typeOf(filter);
    required(filter.name, here.at('name'));
    if (names.has(filter.name)) here.at('name').error(`"${filter.name}" stands twice, each name once allowed`);
    names.add(filter.name);
    if (filter.disabled || filter === last) continue;
    if (RBAC.has(type)) here.error(NO_AUTHORIZATION);
    else if (filter.isOptional) here.warn(`ignored: filter ${type}, which is not known, is optional`);
    else here.error(`filter ${type} is not known, ${RouterSchema.typeName} and optional ones allowed`);
  }
}

/** gRFC A36: the request is the application's own, so each route must leave it where it is. */
function checkRoutes({ routeSpecifier }: HttpConnectionManager, at: Scope): void {
  if (routeSpecifier.case !== 'routeConfig') {
    if (routeSpecifier.case !== 'rds') at.error(`${routeSpecifier.case ?? 'no routes'}, rds or route_config allowed`);
    return;
  }
  for (const [hostIndex, { routes }] of routeSpecifier.value.virtualHosts.entries()) {
    for (const [index, { action }] of routes.entries()) {
      if (action.case === 'nonForwardingAction') continue;
      const route = at.at('route_config').at('virtual_hosts').at(hostIndex).at('routes').at(index);
      route.warn(`ignored: ${action.case ?? 'no action'}, a server's own requests are not forwarded (gRFC A36)`);
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
