import {
  PreviousPrioritiesConfigSchema,
  RetryPolicy_ResetHeaderFormat as ResetFormat,
  type RetryPolicy as RetryPolicyMessage,
} from '../../../gen/route.js';
import { defaultOf } from '../../defaults.ts';
import type { RateLimitedBackOff, RetryPolicy } from '../../model/action.ts';
import { typeNameOf, unpack } from '../any.ts';
import { decodeList } from '../lists.ts';
import type { Scope } from '../scope.ts';
import { durationMs, headerName, positiveMs } from '../values.ts';
import { decodeHeaderMatch } from './route-match.ts';

const PREVIOUS_HOSTS = /(?:^envoy\.retry_host_predicates\.previous_hosts$|\.PreviousHostsPredicate$)/;

type Times = Pick<RetryPolicy, 'perTryTimeoutMs' | 'perTryIdleTimeoutMs' | 'baseIntervalMs' | 'maxIntervalMs'>;
type Headers = Pick<RetryPolicy, 'retriableHeaders' | 'retriableRequestHeaders'>;

/** Envoy config.route.v3.RetryPolicy, as sent: what is retried and how often is decided by the call. */
export function decodeRetryPolicy(message: RetryPolicyMessage, at: Scope): RetryPolicy {
  const rateLimited = message.rateLimitedRetryBackOff;
  return {
    on: message.retryOn
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
    retriableStatusCodes: message.retriableStatusCodes,
    ...decodeHeaders(message, at),
    numRetries: message.numRetries ?? 1,
    ...decodeTimes(message, at),
    ...(rateLimited && {
      rateLimitedBackOff: decodeRateLimited(rateLimited, at.at('rate_limited_retry_back_off')),
    }),
    previousHosts: message.retryHostPredicate.some(
      ({ name, configType }) => PREVIOUS_HOSTS.test(name) || PREVIOUS_HOSTS.test(configType.value?.typeUrl ?? ''),
    ),
    ...decodePriority(message, at.at('retry_priority')),
    ...(message.refreshClusterOnRetry && { repickCluster: true }),
    hostSelectionAttempts: Number(message.hostSelectionRetryMaxAttempts) || 1,
  };
}

function decodeTimes(message: RetryPolicyMessage, at: Scope): Times {
  const backOff = at.at('retry_back_off');
  const base = message.retryBackOff?.baseInterval;
  if (message.retryBackOff !== undefined && base === undefined) {
    backOff.at('base_interval').error('missing, more than 0 s is required');
  }
  const baseIntervalMs = positiveMs(base, backOff.at('base_interval')) ?? defaultOf('retryBaseMs');
  // Envoy: the longest interval is ten times the base unless given.
  const maxIntervalMs =
    positiveMs(message.retryBackOff?.maxInterval, backOff.at('max_interval')) ?? baseIntervalMs * 10;
  if (maxIntervalMs < baseIntervalMs)
    backOff.at('max_interval').error(`${maxIntervalMs} ms, base_interval or more allowed`);
  const perTryTimeoutMs = durationMs(message.perTryTimeout, at.at('per_try_timeout'));
  const perTryIdleTimeoutMs = durationMs(message.perTryIdleTimeout, at.at('per_try_idle_timeout'));
  return {
    ...(perTryTimeoutMs !== undefined && { perTryTimeoutMs }),
    ...(perTryIdleTimeoutMs !== undefined && { perTryIdleTimeoutMs }),
    baseIntervalMs,
    maxIntervalMs,
  };
}

function decodeHeaders({ retriableHeaders, retriableRequestHeaders }: RetryPolicyMessage, at: Scope): Headers {
  return {
    ...(retriableHeaders.length > 0 && {
      retriableHeaders: decodeList(retriableHeaders, at.at('retriable_headers'), decodeHeaderMatch),
    }),
    ...(retriableRequestHeaders.length > 0 && {
      retriableRequestHeaders: decodeList(
        retriableRequestHeaders,
        at.at('retriable_request_headers'),
        decodeHeaderMatch,
      ),
    }),
  };
}

const FORMATS: ReadonlyMap<ResetFormat, 'seconds' | 'unix-timestamp'> = new Map([
  [ResetFormat.SECONDS, 'seconds'],
  [ResetFormat.UNIX_TIMESTAMP, 'unix-timestamp'],
]);

/** Envoy RetryPolicy.RateLimitedRetryBackOff. */
function decodeRateLimited(
  message: NonNullable<RetryPolicyMessage['rateLimitedRetryBackOff']>,
  at: Scope,
): RateLimitedBackOff {
  const headers = at.at('reset_headers');
  if (message.resetHeaders.length === 0) headers.error('empty, at least one is required');
  return {
    headers: decodeList(message.resetHeaders, headers, ({ name, format }, here) => {
      const known = FORMATS.get(format);
      if (known === undefined) here.at('format').error(`${format}, SECONDS or UNIX_TIMESTAMP allowed`);
      return { name: headerName(name, here.at('name')), format: known ?? 'seconds' };
    }),
    maxIntervalMs: positiveMs(message.maxInterval, at.at('max_interval')) ?? defaultOf('rateLimitedRetryMaxMs'),
  };
}

/** Envoy RetryPolicy.retry_priority: previous_priorities is the one there is. */
function decodePriority(
  { retryPriority }: RetryPolicyMessage,
  at: Scope,
): Pick<RetryPolicy, 'previousPriorities'> | undefined {
  const any = retryPriority?.configType.value;
  if (retryPriority === undefined) return undefined;
  if (any === undefined || typeNameOf(any) !== PreviousPrioritiesConfigSchema.typeName) {
    const what = any === undefined ? `"${retryPriority.name}" without typed_config` : typeNameOf(any);
    at.error(`${what} is not known, ${PreviousPrioritiesConfigSchema.typeName} allowed`);
    return undefined;
  }
  const config = unpack(any, PreviousPrioritiesConfigSchema, at.at('typed_config'));
  if (config === undefined) return undefined;
  if (config.updateFrequency < 1) at.at('typed_config').at('update_frequency').error('more than 0 is required');
  return { previousPriorities: { updateFrequency: config.updateFrequency } };
}
