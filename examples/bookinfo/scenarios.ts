import type { PageAnswer } from './page-client.ts';

/** A plain client's side of one scenario: what each request carries, and which versions should answer in which shares. */
export interface Scenario {
  readonly name: string;
  readonly summary: string;
  /** Path and query of request `index`. */
  readonly path?: (index: number) => string;
  /** The user who is signed in for request `index`. */
  readonly user?: (index: number) => string | undefined;
  readonly headers?: (index: number) => Record<string, string>;
  /** Shares by version; `sticky` = each caller keeps the version that answered it first, wherever the hash puts it. */
  readonly expected: Readonly<Record<string, number>> | { readonly sticky: (index: number) => string };
  /** What every page has to be besides; one that is not counts as failed. */
  readonly holds?: (answer: PageAnswer, index: number) => boolean;
  /** Copies of a request that reach versions of reviews which answer nobody. */
  readonly mirrored?: Readonly<Record<string, number>>;
}

const VISITORS = 25;
/** Longer than the route's timeout, shorter than anybody's patience. */
const SLOW_MS = '2000';
/** Of the fault in delay-2s-jason.yaml. */
const DELAY_MS = 2_000;

export const SCENARIOS: readonly Scenario[] = [
  { name: 'all-v1', summary: 'every request to v1', expected: { v1: 1 } },
  { name: 'v1-v3-50-50', summary: 'half to v1, half to v3', expected: { v1: 0.5, v3: 0.5 } },
  { name: 'v1-v2-80-20', summary: '80 to 20', expected: { v1: 0.8, v2: 0.2 } },
  { name: 'v1-v2-90-10', summary: '90 to 10', expected: { v1: 0.9, v2: 0.1 } },
  { name: 'jason-v2', summary: 'signed in as jason: v2', user: () => 'jason', expected: { v2: 1 } },
  {
    name: 'query-match',
    summary: 'every second request asks for ?edition=preview: v3, the others v1',
    path: (index) => (index % 2 === 0 ? '/productpage?edition=preview' : '/productpage'),
    expected: { v1: 0.5, v3: 0.5 },
  },
  {
    name: 'regex-match',
    summary: 'every second user matches the pattern: v2, the others v1',
    user: (index) => (index % 2 === 0 ? 'jason@inmesh.org' : 'jason@inmesh.organic'),
    expected: { v1: 0.5, v2: 0.5 },
  },
  {
    name: 'sticky-cookie',
    summary: `${VISITORS} visitors, each stays with one version by cookie`,
    headers: (index) => ({ cookie: `visitor=v${index % VISITORS}` }),
    expected: { sticky: (index) => `v${index % VISITORS}` },
  },
  {
    name: 'sticky-header',
    summary: `${VISITORS} users, each stays with one version by header`,
    user: (index) => `user${index % VISITORS}`,
    expected: { sticky: (index) => `user${index % VISITORS}` },
  },
  {
    name: 'timeout-500ms',
    summary: 'every second request meets ratings that take 2 s: reviews are given up after 500 ms, the page says so',
    headers: (index): Record<string, string> => (index % 2 === 0 ? { 'x-demo-ratings-delay': SLOW_MS } : {}),
    expected: { v2: 0.5, unavailable: 0.5 },
  },
  {
    name: 'mirror-v2',
    summary: 'v1 answers every request, v2 gets a copy of each',
    expected: { v1: 1 },
    mirrored: { v2: 1 },
  },
  {
    name: 'delay-2s-jason',
    summary: 'signed in as jason: ratings come 2 s late, the page waits for them',
    user: () => 'jason',
    expected: { v2: 1 },
    // Timers may be a hair early.
    holds: ({ ms, hasRatings }) => ms >= DELAY_MS - 10 && hasRatings,
  },
  {
    name: 'abort-500-jason',
    summary: 'signed in as jason: ratings answer 500, the page does without them',
    user: () => 'jason',
    expected: { v2: 1 },
    holds: ({ hasRatings }) => !hasRatings,
  },
  {
    name: 'http-and-grpc',
    summary: 'v2 asks for ratings by HTTP, v3 by gRPC: one VirtualService lets both fail for jason, for nobody else',
    user: (index) => (index % 2 === 0 ? 'jason' : undefined),
    expected: { v2: 0.5, v3: 0.5 },
    holds: ({ hasRatings }, index) => hasRatings === (index % 2 === 1),
  },
];
