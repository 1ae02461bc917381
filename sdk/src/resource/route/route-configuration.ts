import {
  type RouteConfiguration as Message,
  RouteConfigurationSchema,
  RouteSchema,
  VirtualHostSchema,
} from '../../../gen/route.js';
import type { Route, RouteConfiguration, VirtualHost } from '../../model/route.ts';
import { parse } from '../any.ts';
import { FIELDS } from '../field-table.ts';
import { checkFields } from '../fields.ts';
import { trimmed } from '../lists.ts';
import { type DecodeSteps, resourceType } from '../resource-type.ts';
import { createFindings, Scope } from '../scope.ts';
import { sharedName } from '../shared.ts';
import { splitField } from '../split.ts';
import { required } from '../values.ts';
import { decodeRequestHeaders, decodeResponseHeaders } from './header-mutation.ts';
import { decodePerFilter, type Inherited, NOTHING_INHERITED } from './inherited.ts';
import { decodeMirrors } from './mirror.ts';
import { decodeRoute, decodeVirtualHost, inheritedBy, type RouteContext } from './virtual-host.ts';

/** Field numbers in route.proto and route_components.proto. */
const VIRTUAL_HOSTS = 2;
const ROUTES = 3;

/** RDS. A bad route refuses the whole configuration, as Envoy does: half a route table is another route table. */
export const routeConfigurationType = resourceType<RouteConfiguration>(RouteConfigurationSchema.typeName, decodeSteps, {
  isKept: true,
});

function* decodeSteps(bytes: Uint8Array): DecodeSteps<RouteConfiguration> {
  const findings = createFindings();
  const root = new Scope(findings);
  const ok = yield* decodeRouteConfigurationBytes(bytes, root);
  const name = ok?.name ?? '';
  if (ok === undefined || findings.errors.length > 0) return { errors: findings.errors, name };
  return { ok, name, warnings: findings.warnings };
}

/** Also for the one inside a listener: taken apart by virtual host and route, so that a large one is decoded in slices. */
export function* decodeRouteConfigurationBytes(
  bytes: Uint8Array,
  at: Scope,
  isInline = false,
): Generator<undefined, RouteConfiguration | undefined> {
  const { parts, rest } = yield* splitField(bytes, VIRTUAL_HOSTS);
  const message = parse(RouteConfigurationSchema, rest, at);
  if (message === undefined) return undefined;
  checkFields(RouteConfigurationSchema, message, FIELDS, at);
  const context = {
    inherited: inheritedByAll(message, at),
    maxDirectResponseBytes: message.maxDirectResponseBodySizeBytes,
  };
  const virtualHosts: VirtualHost[] = [];
  for (const [index, part] of parts.entries()) {
    const host = yield* decodeHost(part, context, at.at('virtual_hosts').at(index));
    if (host !== undefined) virtualHosts.push(host);
    yield;
  }
  checkDomains(virtualHosts, at);
  return {
    // Nobody asks for an inline one by its name.
    name: sharedName(isInline ? message.name : required(message.name, at.at('name'))),
    virtualHosts: trimmed(virtualHosts),
    requestHeaders: decodeRequestHeaders(message, at),
    responseHeaders: decodeResponseHeaders(message, at),
    mostSpecificHeaderMutationsWins: message.mostSpecificHeaderMutationsWins,
    ignorePortInHostMatching: message.ignorePortInHostMatching,
    ...(message.ignorePathParametersInPathMatching && { ignorePathParameters: true }),
    ...(message.vhostHeader !== '' && { vhostHeader: message.vhostHeader.toLowerCase() }),
  };
}

const inheritedByAll = (message: Message, at: Scope): Inherited => ({
  ...NOTHING_INHERITED,
  mirrors: decodeMirrors(message.requestMirrorPolicies, at),
  filters: decodePerFilter(message.typedPerFilterConfig, NOTHING_INHERITED.filters, at),
});

function* decodeHost(bytes: Uint8Array, above: RouteContext, at: Scope): Generator<undefined, VirtualHost | undefined> {
  const { parts, rest } = yield* splitField(bytes, ROUTES);
  const message = parse(VirtualHostSchema, rest, at);
  if (message === undefined) return undefined;
  checkFields(VirtualHostSchema, message, FIELDS, at);
  const context = { ...above, inherited: inheritedBy(message, above.inherited, at) };
  const routes: Route[] = [];
  for (const [index, part] of parts.entries()) {
    const here = at.at('routes').at(index);
    const routeMessage = parse(RouteSchema, part, here);
    if (routeMessage === undefined) continue;
    checkFields(RouteSchema, routeMessage, FIELDS, here);
    const route = decodeRoute(routeMessage, context, here);
    if (route !== undefined) routes.push(route);
    if (index % 16 === 15) yield;
  }
  return { ...decodeVirtualHost(message, at), routes: trimmed(routes) };
}

/** Envoy: a domain may stand in one virtual host only, and once. */
function checkDomains(virtualHosts: readonly VirtualHost[], at: Scope): void {
  const seen = new Set<string>();
  for (const [index, { domains }] of virtualHosts.entries()) {
    const here = at.at('virtual_hosts').at(index);
    for (const domain of domains) {
      if (seen.has(domain)) here.at('domains').error(`"${domain}" stands twice, each domain once allowed`);
      seen.add(domain);
    }
  }
}
