import type { HealthCheck } from '../../model/health-check.ts';

export const CHECK: HealthCheck = {
  check: { kind: 'tcp', receive: [] },
  timeoutMs: 500,
  intervalMs: 1_000,
  initialJitterMs: 0,
  intervalJitterMs: 0,
  intervalJitterPercent: 0,
  unhealthyThreshold: 3,
  healthyThreshold: 2,
  noTrafficIntervalMs: 60_000,
  noTrafficHealthyIntervalMs: 50_000,
  unhealthyIntervalMs: 2_000,
  unhealthyEdgeIntervalMs: 400,
  healthyEdgeIntervalMs: 300,
  reuseConnection: true,
};
