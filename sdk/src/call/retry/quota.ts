import type { Breaker } from '../../upstream/breaker.ts';
import type { PolicyOptions } from '../policy-options.ts';
import type { RetryQuota } from './retries.ts';

const NO_LIMIT: RetryQuota = { takeRetry: () => true, giveRetry() {} };

/** Where no resource limits retries, and the default budget is not wanted, nothing does. */
export const quotaOf = (breaker: Breaker, policy: PolicyOptions | undefined): RetryQuota =>
  policy?.retryBudget === false && !breaker.hasOwnRetryLimit ? NO_LIMIT : breaker;
