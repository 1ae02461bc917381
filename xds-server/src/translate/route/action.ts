import type { Any } from '@bufbuild/protobuf/wkt';
import type { RouteActionSchema, WeightedCluster_ClusterWeightSchema } from '@inmesh/sdk/internal/gen/route';
import type { MeshService } from '../../registry/read-model.ts';
import type { HttpDestination, HttpRoute } from '../../schema/spec/virtual-service.ts';
import type { EffectiveCallPolicy } from '../call-policy/effective.ts';
import { hedgeOf } from '../call-policy/route.ts';
import { abortOf } from '../client/abort.ts';
import { duration } from '../duration.ts';
import type { Fields } from '../proto.ts';
import type { View } from '../view.ts';
import { corsPolicy } from './cors.ts';
import { type ResolvedDestination, type RouteScope, resolveDestination } from './destination.ts';
import type { HashPolicyInit } from './hash-policy.ts';
import { concatHeaders, type HeaderMutations, headerOperations } from './header-operations.ts';
import { mirrorPolicies } from './mirror.ts';
import { retryPolicy } from './retry-policy.ts';

type RouteActionInit = Fields<typeof RouteActionSchema>;
type ClusterWeightInit = Fields<typeof WeightedCluster_ClusterWeightSchema>;
interface Split {
  readonly clusterSpecifier: NonNullable<RouteActionInit['clusterSpecifier']>;
  readonly hashPolicy: HashPolicyInit[];
  readonly headers: HeaderMutations;
  readonly authority: string | undefined;
}

/** Name of a cluster that never exists: a route whose destinations all weigh nothing (Istio uses it for lost backends). */
export const NO_CLUSTER = 'UnknownService';

/**
 * `timeout: 0s` and `max_grpc_timeout: 0s` together switch off Envoy's 15 s (Istio setTimeout). gRPC clients read neither,
 * but `max_stream_duration`, of which 0 is no limit (gRFC A31).
 */
const timeouts = (
  timeoutMs: number | undefined,
  { kind, abilities }: View,
): Pick<RouteActionInit, 'timeout' | 'maxGrpcTimeout' | 'maxStreamDuration'> => {
  const timeout = duration(timeoutMs ?? 0);
  switch (kind) {
    case 'sdk':
      return { timeout };
    case 'grpc':
      return { timeout, maxStreamDuration: { maxStreamDuration: longest(timeoutMs, abilities) } };
    case 'envoy':
      return { timeout, maxGrpcTimeout: timeout };
  }
};

/** Late by a second at most, where the client would be early by two: of `timeout: 1s` nothing would be left. */
const longest = (timeoutMs: number | undefined, abilities: View['abilities']) =>
  duration(timeoutMs && abilities?.includes('earlyTimeouts') ? timeoutMs + 2_000 : (timeoutMs ?? 0));

export interface Forward {
  readonly action: RouteActionInit;
  /** Services of the destinations that get calls. */
  readonly services: readonly (MeshService | undefined)[];
  /** The route's own operations with those of a single destination. */
  readonly headers: HeaderMutations;
  /** Of a single destination, before the route's own. */
  readonly filters: Readonly<Record<string, Any>>;
}

/** HTTPRoute.route → RouteAction (Istio applyHTTPRouteDestination). */
export const forward = (scope: RouteScope, http: HttpRoute, policy: EffectiveCallPolicy): Forward => {
  const own = headerOperations(http.headers);
  const resolved = http.route.map((one) => resolveDestination(scope, one.destination));
  const [only] = resolved.length === 1 ? resolved : [];
  const split = only ? single(http.route, resolved) : weighted(scope.view, http.route, resolved);
  // A rewrite beats a `host` header of the route, that one a `host` header of its only destination.
  const authority = http.rewrite?.authority || own.authority || split.authority;
  const hashed = http.route.length === 1 && split.hashPolicy.length > 0;
  const { defaultHttpRetryPolicy, retryAttempts } = scope.world.mesh();
  const retry = retryPolicy(http.retries ?? defaultHttpRetryPolicy, {
    hashed,
    retryAttempts,
    client: scope.view.kind,
  });
  return {
    services: resolved.map(({ service }) => service),
    headers: concatHeaders(own, split.headers),
    filters: only ? abortOf(scope.view, only) : {},
    action: {
      clusterSpecifier: split.clusterSpecifier,
      hashPolicy: split.hashPolicy,
      ...timeouts(http.timeout, scope.view),
      ...pathRewrite(http),
      ...(authority ? { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: authority } as const } : {}),
      ...(retry && { retryPolicy: retry }),
      ...hedgeOf(policy, scope.view.kind),
      requestMirrorPolicies: mirrorPolicies(scope, http),
      ...(http.corsPolicy && { cors: corsPolicy(http.corsPolicy) }),
    },
  };
};

const NO_HEADERS = headerOperations(undefined);

/** A single destination takes everything, whatever its weight; its headers join the route's. */
const single = (destinations: readonly HttpDestination[], resolved: readonly ResolvedDestination[]): Split => {
  const headers = headerOperations(destinations[0]?.headers);
  return {
    clusterSpecifier: { case: 'cluster', value: resolved[0]?.cluster ?? NO_CLUSTER },
    hashPolicy: hashPolicies(resolved),
    headers,
    authority: headers.authority,
  };
};

/** Weight 0 drops out, the others are sent as written: nothing is normalised. */
const weighted = (
  view: View,
  destinations: readonly HttpDestination[],
  resolved: readonly ResolvedDestination[],
): Split => {
  const parts = destinations.flatMap((destination, index) => {
    const target = resolved[index];
    return destination.weight && target ? [{ destination, target, weight: destination.weight }] : [];
  });
  if (parts.length === 0) {
    return {
      clusterSpecifier: { case: 'cluster', value: NO_CLUSTER },
      hashPolicy: [],
      headers: NO_HEADERS,
      authority: undefined,
    };
  }
  const clusters = parts.map(({ destination, target, weight }) => ({
    ...clusterWeight(destination, target.cluster, weight),
    typedPerFilterConfig: abortOf(view, target),
  }));
  return {
    clusterSpecifier: { case: 'weightedClusters', value: { clusters } },
    hashPolicy: hashPolicies(parts.map(({ target }) => target)),
    headers: NO_HEADERS,
    authority: undefined,
  };
};

const clusterWeight = (destination: HttpDestination, name: string, weight: number): ClusterWeightInit => {
  const { authority, ...headers } = headerOperations(destination.headers);
  return {
    name,
    weight,
    ...headers,
    ...(authority ? { hostRewriteSpecifier: { case: 'hostRewriteLiteral', value: authority } as const } : {}),
  };
};

const hashPolicies = (resolved: readonly ResolvedDestination[]): HashPolicyInit[] =>
  resolved.flatMap(({ hash }) => (hash === undefined ? [] : [hash]));

const pathRewrite = ({ rewrite }: HttpRoute): Pick<RouteActionInit, 'prefixRewrite' | 'regexRewrite'> => {
  const regex = rewrite?.uriRegexRewrite;
  if (regex !== undefined) return { regexRewrite: { pattern: { regex: regex.match }, substitution: regex.rewrite } };
  return rewrite?.uri ? { prefixRewrite: rewrite.uri } : {};
};
