import { create } from '@bufbuild/protobuf';
import { anyPack } from '@bufbuild/protobuf/wkt';
import { PreviousHostsPredicateSchema, type RetryPolicySchema } from '@inmesh/sdk/internal/gen/route';
import { defaultOf } from '../../defaults.ts';
import type { HttpRetry } from '../../schema/spec/virtual-service.ts';
import { duration } from '../duration.ts';
import type { Fields } from '../proto.ts';

export type RetryPolicyInit = Fields<typeof RetryPolicySchema>;
type HostPredicates = NonNullable<RetryPolicyInit['retryHostPredicate']>;

/** Istio's default of every outbound route; no status code is listed, so a 503 answer is not retried (Istio ≥ 1.23). */
const DEFAULT_RETRY_ON = 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes';

/** Istio retry.ConvertPolicy: undefined is the default policy; attempts 0 or none switches retries off. */
export const retryPolicy = (retries: HttpRetry | undefined, consistentHash: boolean): RetryPolicyInit | undefined => {
  // Another host than the hashed one would break stickiness, so hashing drops the predicate.
  const standard: RetryPolicyInit = {
    numRetries: defaultOf('retries'),
    retryOn: DEFAULT_RETRY_ON,
    hostSelectionRetryMaxAttempts: BigInt(defaultOf('hostSelectionAttempts')),
    retryHostPredicate: consistentHash ? [] : previousHosts(),
  };
  if (retries === undefined) return standard;
  if ((retries.attempts ?? 0) <= 0) return undefined;
  return {
    ...standard,
    numRetries: retries.attempts,
    ...(retries.retryOn ? conditions(retries.retryOn) : {}),
    ...(retries.perTryTimeout === undefined ? {} : { perTryTimeout: duration(retries.perTryTimeout) }),
    ...(retries.retryIgnorePreviousHosts === undefined
      ? {}
      : { retryHostPredicate: retries.retryIgnorePreviousHosts ? previousHosts() : [] }),
    ...(retries.retryRemoteLocalities ? { retryPriority: PREVIOUS_PRIORITIES } : {}),
    ...(retries.backoff === undefined ? {} : { retryBackOff: { baseInterval: duration(retries.backoff) } }),
  };
};

/** Numbers in retryOn are status codes; they need `retriable-status-codes` beside them to count. */
const conditions = (retryOn: string): Pick<RetryPolicyInit, 'retryOn' | 'retriableStatusCodes'> => {
  const parts = retryOn.split(',').map((part) => part.trim());
  const codes = parts.filter((part) => /^[1-5]\d\d$/.test(part)).map(Number);
  const names = parts.filter((part) => part !== '' && !/^[1-5]\d\d$/.test(part));
  if (codes.length > 0 && !names.includes('retriable-status-codes')) names.push('retriable-status-codes');
  return { retryOn: names.join(','), retriableStatusCodes: codes };
};

const previousHosts = (): HostPredicates => [
  {
    name: 'envoy.retry_host_predicates.previous_hosts',
    configType: {
      case: 'typedConfig',
      value: anyPack(PreviousHostsPredicateSchema, create(PreviousHostsPredicateSchema)),
    },
  },
];

/** PreviousPrioritiesConfig { update_frequency: 2 }, as bytes: nothing reads its type here. */
const PREVIOUS_PRIORITIES: RetryPolicyInit['retryPriority'] = {
  name: 'envoy.retry_priorities.previous_priorities',
  configType: {
    case: 'typedConfig',
    value: {
      typeUrl: 'type.googleapis.com/envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig',
      value: Uint8Array.of(0x08, 0x02),
    },
  },
};
