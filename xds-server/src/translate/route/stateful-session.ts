import {
  CookieBasedSessionStateSchema,
  HeaderBasedSessionStateSchema,
  StatefulSessionPerRouteSchema,
  type StatefulSessionSchema,
} from '@inmesh/sdk/internal/gen/filters';
import { FilterConfigSchema } from '@inmesh/sdk/internal/gen/route';
import type { MeshService } from '../../registry/read-model.ts';
import { type Fields, packAny } from '../proto.ts';
import type { View } from '../view.ts';

/** Name of the filter on a listener and of its settings on a route. */
export const SESSION_FILTER = 'envoy.filters.http.stateful_session';

/** Labels of a Service or ServiceEntry that Istio reads (PersistentSessionLabel, PersistentSessionHeaderLabel). */
const COOKIE_LABEL = 'istio.io/persistent-session';
const HEADER_LABEL = 'istio.io/persistent-session-header';

/**
 * Istio MaybeBuildStatefulSessionFilterConfig: a session cookie for all paths, or a header. For routes of which every
 * destination asks for the same. Of gRPC clients C-core has it, by cookie (gRFC A55); the others pass over what is optional (A39).
 */
export const statefulSession = (services: readonly (MeshService | undefined)[], client: View['kind']) => {
  const [first, ...more] = services.map(settingsOf);
  if (first === undefined || (client === 'grpc' && first.kind === 'header')) return {};
  if (more.some((other) => other?.kind !== first.kind || other.name !== first.name)) return {};
  const override = { case: 'statefulSession', value: session(first) } as const;
  const config = packAny(StatefulSessionPerRouteSchema, { override });
  return { [SESSION_FILTER]: client === 'grpc' ? packAny(FilterConfigSchema, { isOptional: true, config }) : config };
};

interface Settings {
  readonly kind: 'cookie' | 'header';
  readonly name: string;
}

const settingsOf = (service: MeshService | undefined): Settings | undefined => {
  const cookie = service?.labels.get(COOKIE_LABEL);
  if (cookie) return { kind: 'cookie', name: cookie };
  const header = service?.labels.get(HEADER_LABEL);
  return header ? { kind: 'header', name: header } : undefined;
};

const session = ({ kind, name }: Settings): Fields<typeof StatefulSessionSchema> => ({
  sessionState: {
    name: `envoy.http.stateful_session.${kind}`,
    typedConfig:
      kind === 'cookie'
        ? packAny(CookieBasedSessionStateSchema, { cookie: { name, path: '/', ttl: { seconds: 0n, nanos: 0 } } })
        : packAny(HeaderBasedSessionStateSchema, { name }),
  },
});
