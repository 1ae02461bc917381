import type { HealthCheck as Message } from '../../../gen/core.js';
import { defaultOf } from '../../defaults.ts';
import type { HealthCheck } from '../../model/health-check.ts';
import type { Scope } from '../scope.ts';
import { durationMs, inRange, positiveMs } from '../values.ts';
import { decodeHealthRequest } from './health-request.ts';

type Intervals = Pick<
  HealthCheck,
  | 'intervalMs'
  | 'noTrafficIntervalMs'
  | 'noTrafficHealthyIntervalMs'
  | 'unhealthyIntervalMs'
  | 'unhealthyEdgeIntervalMs'
  | 'healthyEdgeIntervalMs'
>;

/** Envoy core.v3.HealthCheck; undefined where its checker is none of ours, which is an error. */
export function decodeHealthCheck(message: Message, at: Scope): HealthCheck | undefined {
  const check = decodeHealthRequest(message.healthChecker, at);
  const threshold = (value: number | undefined, field: string): number => {
    if (value === undefined) at.at(field).error('missing, a number is required');
    // Envoy: a threshold of 0 acts as 1.
    return Math.max(value ?? 1, 1);
  };
  const port = message.altPort;
  if (check === undefined) return undefined;
  return {
    check,
    timeoutMs: requiredMs(message.timeout, at.at('timeout')),
    ...decodeIntervals(message, at),
    initialJitterMs: durationMs(message.initialJitter, at.at('initial_jitter')) ?? 0,
    intervalJitterMs: durationMs(message.intervalJitter, at.at('interval_jitter')) ?? 0,
    intervalJitterPercent: message.intervalJitterPercent,
    unhealthyThreshold: threshold(message.unhealthyThreshold, 'unhealthy_threshold'),
    healthyThreshold: threshold(message.healthyThreshold, 'healthy_threshold'),
    ...(port !== undefined && { port: inRange(port, 0, 65_535, at.at('alt_port')) }),
    reuseConnection: message.reuseConnection ?? true,
  };
}

/** Each falls back to another one, as Envoy documents it. */
function decodeIntervals(message: Message, at: Scope): Intervals {
  const intervalMs = requiredMs(message.interval, at.at('interval'));
  const noTrafficIntervalMs =
    positiveMs(message.noTrafficInterval, at.at('no_traffic_interval')) ?? defaultOf('healthCheckNoTrafficMs');
  const unhealthyIntervalMs = positiveMs(message.unhealthyInterval, at.at('unhealthy_interval')) ?? intervalMs;
  return {
    intervalMs,
    noTrafficIntervalMs,
    noTrafficHealthyIntervalMs:
      positiveMs(message.noTrafficHealthyInterval, at.at('no_traffic_healthy_interval')) ?? noTrafficIntervalMs,
    unhealthyIntervalMs,
    unhealthyEdgeIntervalMs:
      positiveMs(message.unhealthyEdgeInterval, at.at('unhealthy_edge_interval')) ?? unhealthyIntervalMs,
    healthyEdgeIntervalMs: positiveMs(message.healthyEdgeInterval, at.at('healthy_edge_interval')) ?? intervalMs,
  };
}

function requiredMs(duration: Parameters<typeof positiveMs>[0], at: Scope): number {
  if (duration === undefined) at.error('missing, more than 0 s is required');
  return positiveMs(duration, at) ?? 0;
}
