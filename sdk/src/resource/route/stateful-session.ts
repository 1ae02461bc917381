import type { Any } from '@bufbuild/protobuf/wkt';
import {
  CookieBasedSessionStateSchema,
  HeaderBasedSessionStateSchema,
  type StatefulSession as Message,
  StatefulSessionPerRouteSchema,
} from '../../../gen/filters.js';
import type { StatefulSession } from '../../model/action.ts';
import { typeNameOf, unpack } from '../any.ts';
import type { Scope } from '../scope.ts';
import { durationMs, headerName, required } from '../values.ts';

/** Takes away the one of the level above. */
export const NO_SESSION: StatefulSession = { kind: 'none', strict: false };

/** Envoy StatefulSession: without session_state it does nothing. */
export function decodeSession({ sessionState, strict }: Message, at: Scope): StatefulSession {
  const any = sessionState?.typedConfig;
  const state = any && decodeState(any, at.at('session_state').at('typed_config'));
  return state ? { ...state, strict } : NO_SESSION;
}

export function decodeSessionPerRoute(any: Any, at: Scope): StatefulSession | undefined {
  const message = unpack(any, StatefulSessionPerRouteSchema, at);
  if (message === undefined) return undefined;
  const { override } = message;
  if (override.case === 'statefulSession') return decodeSession(override.value, at.at('stateful_session'));
  if (override.case === undefined) at.error('neither, disabled or stateful_session is required');
  return NO_SESSION;
}

type State =
  | Omit<Extract<StatefulSession, { kind: 'cookie' }>, 'strict'>
  | Omit<Extract<StatefulSession, { kind: 'header' }>, 'strict'>;

/** gRFC A60: an unknown session_state refuses the configuration. */
function decodeState(any: Any, at: Scope): State | undefined {
  switch (typeNameOf(any)) {
    case CookieBasedSessionStateSchema.typeName:
      return decodeCookie(any, at);
    case HeaderBasedSessionStateSchema.typeName: {
      const header = unpack(any, HeaderBasedSessionStateSchema, at);
      return header && { kind: 'header', name: headerName(header.name, at.at('name')) };
    }
    default:
      at.error(
        `${typeNameOf(any)} is not known, ${CookieBasedSessionStateSchema.typeName} and ${HeaderBasedSessionStateSchema.typeName} allowed`,
      );
      return undefined;
  }
}

function decodeCookie(any: Any, at: Scope): State | undefined {
  const message = unpack(any, CookieBasedSessionStateSchema, at);
  if (message === undefined) return undefined;
  const here = at.at('cookie');
  if (message.cookie === undefined) here.error('missing, a cookie is required');
  const { name = '', path = '', ttl } = message.cookie ?? {};
  const ttlMs = durationMs(ttl, here.at('ttl'));
  return {
    kind: 'cookie',
    name: required(name, here.at('name')),
    path,
    ...(ttlMs !== undefined && { ttlMs }),
  };
}
