import {
  PreviousHostsPredicateSchema,
  PreviousPrioritiesConfigSchema,
  type RetryPolicySchema,
} from '@inmesh/sdk/internal/gen/route';
import { defaultOf } from '../../defaults.ts';
import { formatDuration } from '../../schema/duration.ts';
import type { HttpRetry } from '../../schema/spec/virtual-service.ts';
import { grpcRetryPolicy } from '../client/retry.ts';
import { duration } from '../duration.ts';
import type { RetryAttempts } from '../mesh-settings.ts';
import { type Fields, packAny } from '../proto.ts';
import type { View } from '../view.ts';

type RetryPolicyInit = Fields<typeof RetryPolicySchema>;
type HostPredicates = NonNullable<RetryPolicyInit['retryHostPredicate']>;

/** Istio's default of every outbound route; no status code is listed, so a 503 answer is not retried (Istio ≥ 1.23). */
const DEFAULT_RETRY_ON = 'connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes';

export interface RetryContext {
  /** The route leads to a ring or Maglev. */
  readonly hashed: boolean;
  readonly retryAttempts: RetryAttempts;
  readonly client: View['kind'];
}

/** Retries after the first call that `attempts` asks for; none where it is not written (Istio reads that as 0). */
const retriesOf = ({ attempts = 0 }: HttpRetry, retryAttempts: RetryAttempts): number =>
  Math.max(0, retryAttempts === 'calls' ? attempts - 1 : attempts);

/** Istio retry.ConvertPolicy: undefined is the default policy; attempts 0 or none switches retries off. */
export const retryPolicy = (retries: HttpRetry | undefined, context: RetryContext): RetryPolicyInit | undefined => {
  const policy = envoyPolicy(retries, context);
  return context.client === 'grpc' && policy !== undefined ? grpcRetryPolicy(policy) : policy;
};

const envoyPolicy = (
  retries: HttpRetry | undefined,
  { hashed, retryAttempts }: RetryContext,
): RetryPolicyInit | undefined => {
  // Another host than the hashed one would break stickiness, so hashing drops the predicate.
  const standard: RetryPolicyInit = {
    numRetries: defaultOf('retries'),
    retryOn: DEFAULT_RETRY_ON,
    hostSelectionRetryMaxAttempts: BigInt(defaultOf('hostSelectionAttempts')),
    retryHostPredicate: hashed ? [] : previousHosts(),
  };
  if (retries === undefined) return standard;
  const numRetries = retriesOf(retries, retryAttempts);
  if (numRetries === 0) return lastTryOf(retries);
  return {
    ...standard,
    numRetries,
    ...(retries.retryOn ? conditions(retries.retryOn) : {}),
    ...(retries.perTryTimeout === undefined ? {} : { perTryTimeout: duration(retries.perTryTimeout) }),
    ...(retries.retryIgnorePreviousHosts === undefined
      ? {}
      : { retryHostPredicate: retries.retryIgnorePreviousHosts ? previousHosts() : [] }),
    ...(retries.retryRemoteLocalities ? { retryPriority: PREVIOUS_PRIORITIES } : {}),
    ...(retries.backoff === undefined ? {} : { retryBackOff: { baseInterval: duration(retries.backoff) } }),
  };
};

/** `attempts: 1` counted as calls: no retry, and the time limit of the one try still holds. */
const lastTryOf = ({ attempts, perTryTimeout }: HttpRetry): RetryPolicyInit | undefined =>
  attempts && perTryTimeout !== undefined ? { numRetries: 0, perTryTimeout: duration(perTryTimeout) } : undefined;

/** Words that a late try is retried for (Envoy RetryStateImpl). */
const RETRIES_LATE_TRIES: ReadonlySet<string> = new Set(['5xx', 'gateway-error', 'reset']);

/** What of a retry policy will not help as written. */
export const retryRemarks = (
  retries: HttpRetry,
  timeout: number | undefined,
  retryAttempts: RetryAttempts,
): readonly { readonly field: string; readonly message: string }[] => {
  const { attempts, perTryTimeout } = retries;
  const again = retriesOf(retries, retryAttempts);
  if (attempts === undefined) return [{ field: 'attempts', message: 'not written is 0: nothing is retried' }];
  if (perTryTimeout === undefined) return [];
  const remarks: { readonly field: string; readonly message: string }[] = [];
  const words = (conditions(retries.retryOn || DEFAULT_RETRY_ON).retryOn ?? '').split(',');
  if (again > 0 && !words.some((word) => RETRIES_LATE_TRIES.has(word))) {
    const want = 'want 5xx, gateway-error or reset in retryOn';
    remarks.push({ field: 'perTryTimeout', message: `a try that is late is not retried, it ends the call: ${want}` });
  }
  const total = perTryTimeout * (again + 1);
  if (timeout !== undefined && total > timeout) {
    const whole = `${formatDuration(perTryTimeout)} × ${again + 1} calls is ${formatDuration(total)}`;
    remarks.push({
      field: 'perTryTimeout',
      message: `${whole}, more than the timeout of ${formatDuration(timeout)}: the last tries are cut short or never made`,
    });
  }
  return remarks;
};

/** The words and codes that apply. */
export const retryConditions = ({ retryOn }: HttpRetry): Pick<RetryPolicyInit, 'retryOn' | 'retriableStatusCodes'> =>
  conditions(retryOn || DEFAULT_RETRY_ON);

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
      value: packAny(PreviousHostsPredicateSchema, {}),
    },
  },
];

/** Istio: every second retry looks at the priorities that are left anew. */
const PREVIOUS_PRIORITIES: RetryPolicyInit['retryPriority'] = {
  name: 'envoy.retry_priorities.previous_priorities',
  configType: {
    case: 'typedConfig',
    value: packAny(PreviousPrioritiesConfigSchema, { updateFrequency: 2 }),
  },
};
