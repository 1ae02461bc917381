import { RoutingPriority } from '../../../gen/core.js';
import { RouteAction_ClusterNotFoundResponseCode as NotFoundCode, type RouteAction } from '../../../gen/route.js';
import { parseTemplate, parseTemplateRewrite } from '../../match/template.ts';
import type { Action, ForwardAction, HostRewrite, PathRewrite } from '../../model/action.ts';
import type { PathMatch } from '../../model/match.ts';
import { decodeList, NONE } from '../lists.ts';
import { peekName } from '../peek-name.ts';
import type { Scope } from '../scope.ts';
import { headerName } from '../values.ts';
import { decodeHashPolicy } from './hash-policy.ts';
import { decodeHedgePolicy } from './hedge-policy.ts';
import type { Inherited } from './inherited.ts';
import { decodeMirrors } from './mirror.ts';
import { decodeRetryPolicy } from './retry-policy.ts';
import { decodeRegexRewrite } from './rewrite.ts';
import { decodeTimes } from './times.ts';
import { decodeSplit, decodeWeightedClusters, soleCluster } from './weighted-clusters.ts';

const REWRITE_TEMPLATE = 'envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig';

/** Envoy config.route.v3.RouteAction. What it asks for and we cannot do makes a refusal, not a wrong call. */
export function decodeRouteAction(message: RouteAction, path: PathMatch, inherited: Inherited, at: Scope): Action {
  const destination = decodeDestination(message, at);
  if ('refusal' in destination) return { kind: 'refuse', reason: destination.refusal };
  const pathRewrite = decodePathRewrite(message, path, at);
  const hash = decodeList(message.hashPolicy, at.at('hash_policy'), decodeHashPolicy);
  const mirrors =
    message.requestMirrorPolicies.length > 0 ? decodeMirrors(message.requestMirrorPolicies, at) : inherited.mirrors;
  const retry = message.retryPolicy ? decodeRetryPolicy(message.retryPolicy, at.at('retry_policy')) : inherited.retry;
  const hedge = message.hedgePolicy ? decodeHedgePolicy(message.hedgePolicy) : inherited.hedge;
  const host = decodeHostRewrite(message, at);
  const notFound = NOT_FOUND.get(message.clusterNotFoundResponseCode);
  return {
    kind: 'forward',
    ...destination,
    ...(notFound !== undefined && { clusterNotFoundStatus: notFound }),
    ...decodeTimes(message, at),
    ...(retry && { retry }),
    ...(hedge && { hedge }),
    ...(inherited.bodyBufferBytes !== undefined && { bodyBufferBytes: inherited.bodyBufferBytes }),
    hashPolicies: hash.length === 0 ? NONE : hash.filter((policy) => policy !== undefined),
    ...(pathRewrite && { pathRewrite }),
    ...host,
    appendXForwardedHost: message.appendXForwardedHost,
    mirrors,
    ...inherited.filters,
    priority: message.priority === RoutingPriority.HIGH ? 'high' : 'default',
  };
}

type HostFields = Pick<ForwardAction, 'hostRewrite' | 'hostRewriteFrom' | 'autoHostRewrite'>;

/** Envoy RouteAction.host_rewrite_specifier. */
function decodeHostRewrite({ hostRewriteSpecifier: host }: RouteAction, at: Scope): HostFields {
  const from = (hostRewriteFrom: HostRewrite): HostFields => ({ hostRewriteFrom });
  switch (host.case) {
    case 'hostRewriteLiteral':
      return { hostRewrite: host.value };
    case 'hostRewriteHeader':
      return from({ kind: 'header', name: headerName(host.value, at.at('host_rewrite_header')) });
    case 'hostRewritePathRegex':
      return from({ kind: 'path-regex', regex: decodeRegexRewrite(host.value, at.at('host_rewrite_path_regex')) });
    case 'hostRewrite':
      return from({ kind: 'format', format: host.value });
    case 'autoHostRewrite':
      return host.value.value ? { autoHostRewrite: true } : {};
    default:
      return {};
  }
}

type Destination =
  | Pick<ForwardAction, 'clusters' | 'clusterHeader' | 'splitBy' | 'runtimeKeyPrefix' | 'clusterNotFoundStatus'>
  | { readonly refusal: string };

const NOT_FOUND: ReadonlyMap<NotFoundCode, number> = new Map([
  [NotFoundCode.NOT_FOUND, 404],
  [NotFoundCode.INTERNAL_SERVER_ERROR, 500],
]);

function decodeDestination({ clusterSpecifier }: RouteAction, at: Scope): Destination {
  switch (clusterSpecifier.case) {
    case 'cluster':
      return { clusters: [soleCluster(clusterSpecifier.value, at.at('cluster'))] };
    case 'clusterHeader':
      return { clusters: NONE, clusterHeader: headerName(clusterSpecifier.value, at.at('cluster_header')) };
    case 'weightedClusters': {
      const weighted = at.at('weighted_clusters');
      return {
        clusters: decodeWeightedClusters(clusterSpecifier.value, weighted),
        ...decodeSplit(clusterSpecifier.value, weighted),
      };
    }
    case undefined:
      at.error('no cluster, one of cluster, cluster_header, weighted_clusters is required');
      return { clusters: NONE };
    default:
      return { refusal: `${at.path}: cluster specifier plugins are not supported` };
  }
}

function decodePathRewrite(message: RouteAction, path: PathMatch, at: Scope): PathRewrite | undefined {
  const { prefixRewrite, regexRewrite, pathRewritePolicy, pathRewrite } = message;
  const given = [prefixRewrite !== '', regexRewrite, pathRewritePolicy, pathRewrite !== ''].filter(Boolean).length;
  if (given > 1)
    at.error('more than one of prefix_rewrite, regex_rewrite, path_rewrite_policy, path_rewrite, at most one allowed');
  if (pathRewrite !== '') return { format: pathRewrite };
  if (prefixRewrite !== '') return { prefix: prefixRewrite };
  if (regexRewrite) return { regex: decodeRegexRewrite(regexRewrite, at.at('regex_rewrite')) };
  const any = pathRewritePolicy?.typedConfig;
  return any && { template: templateRewrite(any, path, at.at('path_rewrite_policy').at('typed_config')) };
}

/** Envoy UriTemplateRewriteConfig: field 1 is the rewrite; it names variables of the route's own template. */
function templateRewrite(any: { typeUrl: string; value: Uint8Array }, path: PathMatch, at: Scope): string {
  if (!any.typeUrl.endsWith(`/${REWRITE_TEMPLATE}`)) at.error(`type "${any.typeUrl}", ${REWRITE_TEMPLATE} allowed`);
  const rewrite = peekName(any.value);
  const template = path.kind === 'template' ? parseTemplate(path.value) : 'only beside a template match';
  const parsed = typeof template === 'string' ? template : parseTemplateRewrite(rewrite, template);
  if (typeof parsed === 'string') at.at('path_template_rewrite').error(`"${rewrite}": ${parsed}`);
  return rewrite;
}
