import type { RetryPolicy as RetryPolicyMessage } from '../../../gen/route.js';
import { defaultOf } from '../../defaults.ts';
import type { RetryPolicy } from '../../model/action.ts';
import type { Scope } from '../scope.ts';
import { durationMs, positiveMs } from '../values.ts';

const PREVIOUS_HOSTS = /(?:^envoy\.retry_host_predicates\.previous_hosts$|\.PreviousHostsPredicate$)/;

/** Envoy config.route.v3.RetryPolicy, as sent: what is retried and how often is decided by the call. */
export function decodeRetryPolicy(message: RetryPolicyMessage, at: Scope): RetryPolicy {
  const backOff = at.at('retry_back_off');
  const baseIntervalMs =
    positiveMs(message.retryBackOff?.baseInterval, backOff.at('base_interval')) ?? defaultOf('retryBaseMs');
  // Envoy: the longest interval is ten times the base unless given.
  const maxIntervalMs =
    positiveMs(message.retryBackOff?.maxInterval, backOff.at('max_interval')) ?? baseIntervalMs * 10;
  if (maxIntervalMs < baseIntervalMs)
    backOff.at('max_interval').error(`${maxIntervalMs} ms, base_interval or more allowed`);
  const perTryTimeoutMs = durationMs(message.perTryTimeout, at.at('per_try_timeout'));
  return {
    on: message.retryOn
      .split(',')
      .map((name) => name.trim())
      .filter((name) => name !== ''),
    retriableStatusCodes: message.retriableStatusCodes,
    numRetries: message.numRetries ?? 1,
    ...(perTryTimeoutMs !== undefined && { perTryTimeoutMs }),
    baseIntervalMs,
    maxIntervalMs,
    previousHosts: message.retryHostPredicate.some(
      ({ name, configType }) => PREVIOUS_HOSTS.test(name) || PREVIOUS_HOSTS.test(configType.value?.typeUrl ?? ''),
    ),
    hostSelectionAttempts: Number(message.hostSelectionRetryMaxAttempts) || 1,
  };
}
