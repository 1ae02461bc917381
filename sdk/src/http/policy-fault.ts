import type { CallPolicy } from './call-policy.ts';

/** What of a policy cannot be meant, if anything: no number as a time would be a timer of a millisecond. */
export function policyFault({ timeoutMs, bodyBufferBytes, retry, hedge }: CallPolicy): string | undefined {
  const { attempts, perTryTimeoutMs } = retry || {};
  const { delayMs, max } = hedge || {};
  const numbers = {
    timeoutMs,
    bodyBufferBytes,
    'retry.attempts': attempts,
    'retry.perTryTimeoutMs': perTryTimeoutMs,
    'hedge.delayMs': delayMs === 'p95' ? undefined : delayMs,
    'hedge.max': max,
  };
  for (const [name, value] of Object.entries(numbers)) {
    if (value === undefined || (typeof value === 'number' && value >= 0)) continue;
    return `${name} is ${String(value)}: a number from 0 is wanted`;
  }
  return undefined;
}
