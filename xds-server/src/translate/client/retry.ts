import type { RetryPolicySchema } from '@inmesh/sdk/internal/gen/route';
import type { Fields } from '../proto.ts';

type RetryPolicyInit = Fields<typeof RetryPolicySchema>;

/** What a gRPC client retries by (gRFC A44); every other word means nothing to it. */
const GRPC_WORDS: ReadonlySet<string> = new Set([
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

/** Envoy's words for what a gRPC client sees as UNAVAILABLE: nobody there, a lost connection, a server that says 502–504. */
const AS_UNAVAILABLE: ReadonlySet<string> = new Set([
  '5xx',
  'gateway-error',
  'connect-failure',
  'refused-stream',
  'reset',
  'reset-before-request',
]);

/** HTTP statuses that are UNAVAILABLE to gRPC (doc/http-grpc-status-mapping.md). */
const UNAVAILABLE_STATUSES: ReadonlySet<number> = new Set([429, 502, 503, 504]);

export interface GrpcRetryWords {
  readonly words: readonly string[];
  /** What has no meaning for gRPC, as it was written. */
  readonly lost: readonly string[];
}

/** `retriable-status-codes` says nothing itself: its numbers do. */
export const grpcRetryWords = (retryOn: string, codes: readonly number[]): GrpcRetryWords => {
  const words = new Set<string>();
  const lost: string[] = [];
  for (const word of retryOn.split(',')) {
    if (GRPC_WORDS.has(word)) words.add(word);
    else if (AS_UNAVAILABLE.has(word)) words.add('unavailable');
    else if (word !== '' && word !== 'retriable-status-codes') lost.push(word);
  }
  for (const code of codes) {
    if (UNAVAILABLE_STATUSES.has(code)) words.add('unavailable');
    else lost.push(String(code));
  }
  return { words: [...words], lost };
};

/**
 * The words without spaces (C-core and grpc-js do not trim them), at least one retry (all refuse 0), and nothing that gRPC does not
 * read. undefined: nothing is retried.
 */
export const grpcRetryPolicy = (policy: RetryPolicyInit): RetryPolicyInit | undefined => {
  const { words } = grpcRetryWords(policy.retryOn ?? '', policy.retriableStatusCodes ?? []);
  if (words.length === 0 || !policy.numRetries) return undefined;
  return {
    retryOn: words.join(','),
    numRetries: policy.numRetries,
    ...(policy.retryBackOff && { retryBackOff: policy.retryBackOff }),
  };
};
