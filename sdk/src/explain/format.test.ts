import { describe, expect, it } from 'vitest';
import type { Explanation } from './explanation.ts';
import { formatExplanation } from './format.ts';

const EXPLANATION: Explanation = {
  request: {
    method: 'GET',
    url: 'http://reviews:9080/reviews/0',
    authority: 'reviews.example',
    headers: { 'end-user': 'jason' },
    random: 1_234,
  },
  virtualHost: 'reviews.default.svc.cluster.local:9080',
  considered: [
    { rule: 'exact: path "/x"', matched: false, failed: 'the path is "/reviews/0"' },
    { rule: 'split: path prefix "/"', matched: true },
  ],
  route: 'split',
  source: { file: 'mesh/reviews.yaml', line: 26 },
  cluster: 'outbound|9080|v3|reviews',
  split: [
    { cluster: 'outbound|9080|v1|reviews', weight: 25, range: [0, 24] },
    { cluster: 'outbound|9080|v3|reviews', weight: 75, range: [25, 99] },
    { cluster: 'outbound|9080|v4|reviews', weight: 0 },
  ],
  endpoints: [
    { address: '10.0.0.1:9080', locality: 'eu/a', priority: 0, state: 'healthy' },
    {
      address: '10.0.0.12:9080',
      locality: '',
      priority: 1,
      state: 'draining',
      reason: 'the control plane reports it draining',
    },
  ],
  timeoutMs: 2_500,
  retries: { calls: 3, on: ['5xx'], perTryTimeoutMs: 500 },
  notes: ['mirror: 100 % to outbound|9080|v2|reviews'],
};

describe('an explanation as a page', () => {
  it('reads from the request to the endpoints', () => {
    expect(formatExplanation(EXPLANATION)).toBe(`GET http://reviews:9080/reviews/0
  host header    reviews.example
  end-user: jason
  virtual host   reviews.default.svc.cluster.local:9080

Rules, in order
  ✗ 1  exact: path "/x"
       the path is "/reviews/0"
  ✓ 2  split: path prefix "/"

Route
  name           split
  written in     mesh/reviews.yaml:26
  cluster        outbound|9080|v3|reviews
  timeout        2.5 s
  retries        up to 3 calls, on 5xx, 500 ms each

Split
    outbound|9080|v1|reviews   25 %  ██████··················  0–24
  → outbound|9080|v3|reviews   75 %  ██████████████████······  25–99
    outbound|9080|v4|reviews    0 %  ························  never
    1234 modulo 100 is 34

Endpoints (2)
  10.0.0.1:9080   healthy   eu/a
  10.0.0.12:9080  draining  priority 1  the control plane reports it draining

Notes
  • mirror: 100 % to outbound|9080|v2|reviews
`);
  });

  it('leaves out what there is none of', () => {
    const nothing = {
      virtualHost: null,
      considered: [],
      route: null,
      source: null,
      cluster: null,
      split: [],
      endpoints: [],
    };
    expect(
      formatExplanation({ ...EXPLANATION, ...nothing, notes: ['sent as written'] }),
    ).toBe(`GET http://reviews:9080/reviews/0
  host header    reviews.example
  end-user: jason
  virtual host   none

Notes
  • sent as written
`);
  });

  it('has colours only where they are wanted', () => {
    expect(formatExplanation(EXPLANATION)).not.toContain('\u001b');
    expect(formatExplanation(EXPLANATION, { color: true })).toContain('\u001b[32m');
  });
});
