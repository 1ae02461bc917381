import type { Any } from '@bufbuild/protobuf/wkt';
import { StatefulSessionPerRouteSchema } from '../../../gen/filters.js';
import { HTTPFaultSchema } from '../../../gen/listener.js';
import { FilterConfigSchema } from '../../../gen/route.js';
import type { FaultPolicy, HedgePolicy, MirrorPolicy, RetryPolicy, StatefulSession } from '../../model/action.ts';
import { chainOf, faultOver } from '../../model/fault-chain.ts';
import { typeNameOf, unpack } from '../any.ts';
import { NONE } from '../lists.ts';
import type { Scope } from '../scope.ts';
import { decodeFault } from './fault.ts';
import { decodeSessionPerRoute, NO_SESSION } from './stateful-session.ts';

/** What a route takes from its virtual host and route configuration where it has none of its own. Replaced, never merged. */
export interface Inherited {
  readonly retry: RetryPolicy | undefined;
  readonly mirrors: readonly MirrorPolicy[];
  readonly hedge: HedgePolicy | undefined;
  readonly bodyBufferBytes: number | undefined;
  readonly filters: Filters;
}

/** Of the filters configured per route those that are ours: fault and stateful session. */
export interface Filters {
  readonly fault?: FaultPolicy;
  readonly statefulSession?: StatefulSession;
}

const NO_FILTERS: Filters = {};

export const NOTHING_INHERITED: Inherited = {
  retry: undefined,
  mirrors: NONE,
  hedge: undefined,
  bodyBufferBytes: undefined,
  filters: NO_FILTERS,
};

/** Envoy typed_per_filter_config: each filter's configuration replaces the one of the level above, whole. */
export function decodePerFilter(configs: Readonly<Record<string, Any>>, above: Filters, at: Scope): Filters {
  let filters = above;
  const faults: FaultPolicy[] = [];
  for (const [name, any] of Object.entries(configs)) {
    const { fault, ...own } = decodeOne(any, at.at('typed_per_filter_config').at(name));
    if (fault !== undefined) faults.push({ ...fault, filter: name });
    filters = { ...filters, ...own };
  }
  const fault = faultOver(above.fault, chainOf(faults));
  return fault === undefined || fault === above.fault ? filters : { ...filters, fault };
}

/** Filters that let requests through or not (gRFC A39 refuses every unknown one; these are those that matter). */
const GUARD = /^envoy\.extensions\.filters\.http\.(?:rbac|jwt_authn|ext_authz|oauth2|basic_auth|api_key_auth)\./;

/** `{}`: no fault at all, which also takes away the one of the level above. */
const NO_FAULT: FaultPolicy = {};

function decodeOne(any: Any, at: Scope, isOptional = false): Filters {
  const type = typeNameOf(any);
  if (type === HTTPFaultSchema.typeName) {
    const message = unpack(any, HTTPFaultSchema, at);
    return message ? { fault: decodeFault(message, at) } : NO_FILTERS;
  }
  if (type === StatefulSessionPerRouteSchema.typeName) {
    const statefulSession = decodeSessionPerRoute(any, at);
    return statefulSession ? { statefulSession } : NO_FILTERS;
  }
  if (type === FilterConfigSchema.typeName) return decodeWrapped(any, at);
  if (GUARD.test(type) && !isOptional) {
    at.error(`${type} is not known here, and requests must not go past it: mark it is_optional to leave it out`);
  } else {
    const known = 'of the filters set per route fault and stateful session are known';
    at.warn(`ignored: ${type || 'an empty type'}, ${known}`);
  }
  return NO_FILTERS;
}

/** Envoy FilterConfig. */
function decodeWrapped(any: Any, at: Scope): Filters {
  const wrapper = unpack(any, FilterConfigSchema, at);
  const inner = wrapper?.config;
  if (inner === undefined) return NO_FILTERS;
  if (wrapper?.disabled) {
    const type = typeNameOf(inner);
    if (type === HTTPFaultSchema.typeName) return { fault: NO_FAULT };
    if (type === StatefulSessionPerRouteSchema.typeName) return { statefulSession: NO_SESSION };
  }
  return decodeOne(inner, at.at('config'), wrapper?.isOptional);
}
