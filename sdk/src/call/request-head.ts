import type { WeightedCluster } from '../model/action.ts';
import type { HeaderMutation } from '../model/headers.ts';
import type { MeshRequest } from '../model/request.ts';
import { applyMutations } from '../route/mutate.ts';
import { appendForwardedHost, hostRewrite, mutationsFor } from '../route/rewrite.ts';
import type { CompiledForward, RouteDecision } from '../route/table.ts';
import type { CallBody } from './body-source.ts';

/** Headers to send, `host` first. Mutations see the request as it came; rewrites follow (Envoy finalizeRequestHeaders). */
export function requestHeaders(
  request: MeshRequest,
  body: CallBody,
  way: { readonly decision: RouteDecision; readonly action: CompiledForward; readonly cluster: WeightedCluster },
): string[] {
  const { decision, action, cluster } = way;
  const { authority } = request;
  const host = hostRewrite(action, cluster) ?? authority;
  const mutations = mutationsFor(cluster.requestHeaders, decision.requestHeaders);
  let headers = ['host', host, ...request.headers];
  if (mutations.length > 0 || host !== authority) {
    headers =
      mutations.length === 0 ? [...request.headers] : applyMutations(mutations, [...request.headers], { request });
    headers = ['host', host, ...appendForwardedHost(action, headers, authority)];
  }
  return withLength(headers, body);
}

/** undici writes `content-length` for bytes and for no body; what the caller wrote holds for a stream of unknown length. */
function withLength(headers: string[], body: CallBody): string[] {
  const isKnown = body.kind !== 'stream' || body.length !== undefined;
  const rest = isKnown && headers.includes(CONTENT_LENGTH) ? without(headers, CONTENT_LENGTH) : headers;
  if (body.kind === 'stream' && body.length !== undefined) rest.push(CONTENT_LENGTH, String(body.length));
  return rest;
}

const CONTENT_LENGTH = 'content-length';

const without = (headers: readonly string[], name: string): string[] =>
  headers.filter((_, i) => headers[i - (i % 2)] !== name);

/** Response headers after the mutations of the route and of the cluster it chose. */
export function responseHeaders(
  headers: string[],
  request: MeshRequest,
  decision: RouteDecision,
  own: HeaderMutation = NONE,
): string[] {
  const mutations = mutationsFor(own, decision.responseHeaders);
  return mutations.length === 0 ? headers : applyMutations(mutations, headers, { request, responseHeaders: headers });
}

const NONE: HeaderMutation = { set: [], remove: [] };
