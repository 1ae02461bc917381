import { headerValue } from '../match/headers.ts';
import type { HeaderList } from '../model/headers.ts';
import type { MeshRequest } from '../model/request.ts';

/** What the caller asks of the mesh by Envoy's request headers (docs: HTTP router filter); they stay behind. */
export interface Wishes {
  readonly timeoutMs: number | undefined;
  readonly perTryTimeoutMs: number | undefined;
  readonly maxRetries: number | undefined;
  /** Words added to the policy's. */
  readonly retryOn: readonly string[];
  readonly retriableStatusCodes: readonly number[];
  readonly hedgeOnPerTryTimeout: boolean | undefined;
}

export const NO_WISHES: Wishes = {
  timeoutMs: undefined,
  perTryTimeoutMs: undefined,
  maxRetries: undefined,
  retryOn: [],
  retriableStatusCodes: [],
  hedgeOnPerTryTimeout: undefined,
};

const PREFIX = 'x-envoy-';

const NAMES: ReadonlySet<string> = new Set([
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-max-retries',
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-retriable-status-codes',
  'x-envoy-hedge-on-per-try-timeout',
]);

/** undefined for nearly every request. */
export function wishesOf({ headers }: MeshRequest): Wishes | undefined {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i];
    if (name?.[0] === 'x' && name.startsWith(PREFIX) && NAMES.has(name)) return read(headers);
  }
  return undefined;
}

export const withoutWishes = (headers: readonly string[]): string[] =>
  headers.filter((_, i) => !NAMES.has(headers[i - (i % 2)] ?? ''));

function read(headers: HeaderList): Wishes {
  const number = (name: string): number | undefined => {
    const value = headerValue(headers, name);
    // Envoy ignores what is no number.
    return value !== undefined && /^\d{1,10}$/.test(value) ? Number(value) : undefined;
  };
  const words = (name: string): string[] =>
    (headerValue(headers, name) ?? '')
      .split(',')
      .map((word) => word.trim())
      .filter((word) => word !== '');
  const hedge = headerValue(headers, 'x-envoy-hedge-on-per-try-timeout');
  return {
    timeoutMs: number('x-envoy-upstream-rq-timeout-ms'),
    perTryTimeoutMs: number('x-envoy-upstream-rq-per-try-timeout-ms'),
    maxRetries: number('x-envoy-max-retries'),
    retryOn: [...words('x-envoy-retry-on'), ...words('x-envoy-retry-grpc-on')],
    retriableStatusCodes: words('x-envoy-retriable-status-codes').map(Number).filter(Number.isInteger),
    hedgeOnPerTryTimeout: hedge === 'true' ? true : hedge === 'false' ? false : undefined,
  };
}
