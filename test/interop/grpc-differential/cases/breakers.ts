import type { JsonObject } from '@bufbuild/protobuf';
import type { GrpcCase, Step } from '../case.ts';

/** gRPC counts by the name of the cluster for the whole process: each case has one of its own. */
const limit = (
  name: string,
  threshold: JsonObject,
  given: Pick<GrpcCase, 'rule' | 'steps'> & Partial<GrpcCase>,
): GrpcCase => ({
  name: `limit-${name}`,
  area: 'circuit breaking',
  hosts: ['a'],
  clusters: { [`limited-${name}`]: { hosts: ['a'], fields: { circuit_breakers: { thresholds: [threshold] } } } },
  routes: [{ match: { prefix: '' }, route: { cluster: `limited-${name}` } }],
  ...given,
});
const slow = (times: number): Step => ({ script: 'slow-1000', times, atOnce: times });
const WARM: Step = { quiet: true };

export const BREAKERS: readonly GrpcCase[] = [
  limit('zero', { max_requests: 0 }, { rule: '`max_requests: 0` lets nothing through', steps: [{ times: 2 }] }),
  limit('two', { max_requests: 2 }, { rule: '`max_requests: 2` and five at once', steps: [WARM, slow(5), {}] }),
  limit('default', { max_requests: 1024 }, { rule: 'fewer than `max_requests` at once', steps: [WARM, slow(20)] }),
  limit(
    'high',
    { priority: 'HIGH', max_requests: 0 },
    { rule: 'thresholds of priority HIGH do not hold', steps: [WARM, slow(5)] },
  ),
  limit(
    'pending',
    { max_pending_requests: 0, max_connections: 1 },
    {
      rule: '`max_connections` and `max_pending_requests` are not looked at',
      steps: [WARM, slow(5)],
      differs: '`max_pending_requests` is honoured: 0 lets no call wait for a connection, as in Envoy.',
    },
  ),
  limit(
    'connections',
    { max_connections: 1 },
    { rule: '`max_connections: 1` lets many calls through', steps: [WARM, slow(5)] },
  ),
  limit(
    'retry',
    { max_requests: 1 },
    {
      rule: 'a retry is not counted twice',
      routes: [
        {
          match: { prefix: '' },
          route: {
            cluster: 'limited-retry',
            retry_policy: { retry_on: 'unavailable', num_retries: 3, retry_back_off: { base_interval: '0.02s' } },
          },
        },
      ],
      steps: [{ script: '14,14,ok', tell: ['attempts'] }],
    },
  ),
  limit(
    'retries',
    { max_retries: 0 },
    {
      rule: '`max_retries` is not looked at',
      routes: [
        {
          match: { prefix: '' },
          route: {
            cluster: 'limited-retries',
            retry_policy: { retry_on: 'unavailable', num_retries: 3, retry_back_off: { base_interval: '0.02s' } },
          },
        },
      ],
      steps: [{ script: '14,ok', tell: ['attempts'] }],
      differs: '`max_retries` is honoured: 0 allows none, as in Envoy.',
    },
  ),
  limit(
    'per-host',
    { max_requests: 1 },
    {
      rule: 'what is over goes to nobody: the limit is of the cluster, not of the host',
      hosts: ['a', 'b'],
      clusters: {
        'limited-per-host': { hosts: ['a', 'b'], fields: { circuit_breakers: { thresholds: [{ max_requests: 1 }] } } },
      },
      steps: [WARM, { script: 'slow-1000', times: 3, atOnce: 3, tell: ['distinct'] }],
    },
  ),
];
