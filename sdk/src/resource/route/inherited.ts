import type { Any } from '@bufbuild/protobuf/wkt';
import { HTTPFaultSchema } from '../../../gen/listener.js';
import { FilterConfigSchema } from '../../../gen/route.js';
import type { FaultPolicy, MirrorPolicy, RetryPolicy } from '../../model/action.ts';
import { typeNameOf, unpack } from '../any.ts';
import { NONE } from '../lists.ts';
import type { Scope } from '../scope.ts';
import { decodeFault } from './fault.ts';

/** What a route takes from its virtual host and route configuration where it has none of its own. Replaced, never merged. */
export interface Inherited {
  readonly retry: RetryPolicy | undefined;
  readonly mirrors: readonly MirrorPolicy[];
  readonly fault: FaultPolicy | undefined;
}

export const NOTHING_INHERITED: Inherited = { retry: undefined, mirrors: NONE, fault: undefined };

/** Envoy typed_per_filter_config: of the filters configured per route the fault filter is ours. */
export function decodePerFilter(configs: Readonly<Record<string, Any>>, at: Scope): FaultPolicy | undefined {
  let fault: FaultPolicy | undefined;
  for (const [name, any] of Object.entries(configs))
    fault = decodeOne(any, at.at('typed_per_filter_config').at(name)) ?? fault;
  return fault;
}

/** Filters that let requests through or not (gRFC A39 refuses every unknown one; these are those that matter). */
const GUARD = /^envoy\.extensions\.filters\.http\.(?:rbac|jwt_authn|ext_authz|oauth2|basic_auth|api_key_auth)\./;

/** `{}`: no fault at all, which also takes away the one of the level above. */
const NO_FAULT: FaultPolicy = {};

function decodeOne(any: Any, at: Scope, isOptional = false): FaultPolicy | undefined {
  const type = typeNameOf(any);
  if (type === HTTPFaultSchema.typeName) {
    const message = unpack(any, HTTPFaultSchema, at);
    return message && decodeFault(message, at);
  }
  if (type === FilterConfigSchema.typeName) {
    const wrapper = unpack(any, FilterConfigSchema, at);
    const inner = wrapper?.config;
    const isFault = inner !== undefined && typeNameOf(inner) === HTTPFaultSchema.typeName;
    if (isFault && wrapper?.disabled) return NO_FAULT;
    return inner && decodeOne(inner, at.at('config'), wrapper?.isOptional);
  }
  if (GUARD.test(type) && !isOptional) {
    at.error(`${type} is not known here, and requests must not go past it: mark it is_optional to leave it out`);
  } else at.warn(`ignored: ${type || 'an empty type'}, of the filters set per route only the fault filter is known`);
  return undefined;
}
