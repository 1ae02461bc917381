import { GRPC_STATUS } from '../grpc-status.ts';
import type { Place } from '../place.ts';
import type { HttpFault, HttpRedirect, HttpRetry, HttpRoute, StringMatch } from '../spec/virtual-service.ts';
import { nearest } from '../suggest.ts';

/** Rules between the fields of one HTTP route, as Istio's webhook has them (pkg/config/validation). */

export const checkHttpRoute = (route: HttpRoute, place: Place): void => {
  checkAction(route, place);
  checkWeights(route, place);
  checkAuthority(route, place);
  if (route.mirrorPercent !== undefined) place.at('mirrorPercent').warn('deprecated, write mirrorPercentage.value');
  if (route.mirror !== undefined && route.mirrors.length > 0) place.at('mirrors').error('mirror is set too, want one');
  for (const [index, match] of route.match.entries()) {
    if (route.delegate !== undefined) checkNoRegex(match, place.in('match', index));
  }
};

/** validateHTTPRouteConflict. */
const checkAction = (route: HttpRoute, place: Place): void => {
  const set = (['route', 'redirect', 'directResponse'] as const).filter((name) =>
    name === 'route' ? route.route.length > 0 : route[name] !== undefined,
  );
  if (route.delegate !== undefined) {
    for (const name of set) place.at(name).error('not allowed beside delegate');
    return;
  }
  if (set.length === 0) {
    place.error('want one of route, redirect, directResponse, delegate');
    return;
  }
  const [first, second] = set;
  if (second !== undefined)
    place.at(second).error(`${first} is set too, want only one of route, redirect, directResponse`);
  if (first === 'route') return;
  if (route.fault !== undefined && first === 'redirect') place.at('fault').error('not allowed beside redirect');
  if (route.rewrite !== undefined) place.at('rewrite').error(`not allowed beside ${first}`);
};

/** validateWeights: several destinations need a sum above zero that fits 32 bits (Envoy's total). */
const checkWeights = (route: HttpRoute, place: Place): void => {
  if (route.route.length < 2) return;
  const total = route.route.reduce((sum, { weight }) => sum + (weight ?? 0), 0);
  if (total === 0) place.at('route').error('the weights add up to 0, want at least one above 0');
  if (total > 4_294_967_295) place.at('route').error(`the weights add up to ${total}, want at most 4294967295`);
};

/** validateAuthorityRewrite: one place decides the authority. */
const checkAuthority = (route: HttpRoute, place: Place): void => {
  let decided = route.rewrite?.authority === undefined ? undefined : 'rewrite.authority';
  for (const operation of ['set', 'add'] as const) {
    for (const name of route.headers?.request?.[operation].keys() ?? []) {
      if (!/^(:authority|host)$/i.test(name)) continue;
      if (decided !== undefined) {
        place.in('headers', 'request', operation, name).error(`the authority is already set by ${decided}`);
      }
      decided = `headers.request.${operation}`;
    }
  }
};

const checkNoRegex = (match: HttpRoute['match'][number], place: Place): void => {
  const refuse = (value: StringMatch | undefined, at: Place): void => {
    if (value?.regex !== undefined)
      at.at('regex').error('not allowed in a route with a delegate, want exact or prefix');
  };
  for (const name of ['uri', 'scheme', 'method', 'authority'] as const) refuse(match[name], place.at(name));
  for (const name of ['headers', 'queryParams', 'withoutHeaders'] as const) {
    for (const [key, value] of match[name]) refuse(value, place.in(name, key));
  }
};

export const checkRedirect = (redirect: HttpRedirect, place: Place): void => {
  if (redirect.port !== undefined && redirect.derivePort !== undefined) {
    place.at('derivePort').error('port is set too, want only one of port, derivePort');
  }
  // Istio asks for uri or authority; a redirect of scheme or port alone is what newer files write.
  const says = redirect.uri ?? redirect.authority ?? redirect.scheme ?? redirect.port ?? redirect.derivePort;
  if (says === undefined) place.error('want at least one of uri, authority, scheme, port, derivePort');
};

/** Envoy x-envoy-retry-on and x-envoy-retry-grpc-on; Istio adds whole status codes. */
const RETRY_ON: ReadonlySet<string> = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'envoy-ratelimited',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'http3-post-connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

export const checkRetry = (retry: HttpRetry, place: Place): void => {
  if (retry.attempts === 0 && Object.keys(retry).length > 1) {
    place.at('attempts').error('0 switches retries off, want nothing else beside it');
  }
  for (const written of retry.retryOn?.split(',') ?? []) {
    const condition = written.trim();
    if (RETRY_ON.has(condition)) continue;
    const code = Number(condition);
    if (/^\d{3}$/.test(condition) && code >= 100 && code <= 599) continue;
    const meant = nearest(condition, RETRY_ON);
    const hint = meant === undefined ? `want status codes or ${[...RETRY_ON].join(', ')}` : `did you mean ${meant}?`;
    place.at('retryOn').error(`${JSON.stringify(condition)} is not a retry condition, ${hint}`);
  }
};

export const checkFault = (fault: HttpFault, place: Place): void => {
  const { delay, abort } = fault;
  if (delay === undefined && abort === undefined) place.error('want at least one of delay, abort');
  if (delay?.fixedDelay === undefined && delay !== undefined) {
    const other = delay.exponentialDelay === undefined ? '' : ' (exponentialDelay is not served)';
    place.at('delay').error(`fixedDelay is missing, want a duration like "2s"${other}`);
  }
  if (delay?.percent !== undefined) place.in('delay', 'percent').warn('deprecated, write percentage.value');
  if (abort === undefined) return;
  const kinds = (['httpStatus', 'grpcStatus', 'http2Error'] as const).filter((name) => abort[name] !== undefined);
  if (kinds.length !== 1) place.at('abort').error('want exactly one of httpStatus, grpcStatus');
  if (abort.http2Error !== undefined)
    place.in('abort', 'http2Error').error('not served by Istio, want httpStatus or grpcStatus');
  const status = abort.grpcStatus;
  if (status !== undefined && !GRPC_STATUS.includes(status.toUpperCase()) && !/^([0-9]|1[0-6])$/.test(status)) {
    place.in('abort', 'grpcStatus').error(`got ${JSON.stringify(status)}, want one of ${GRPC_STATUS.join(', ')}`);
  }
};
