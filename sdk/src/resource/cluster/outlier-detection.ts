import type { OutlierDetection as Message } from '../../../gen/cluster.js';
import { defaultOf } from '../../defaults.ts';
import type { OutlierDetection } from '../../model/cluster.ts';
import type { Scope } from '../scope.ts';
import { durationMs, inRange, positiveMs } from '../values.ts';

/** Envoy config.cluster.v3.OutlierDetection; the defaults are Envoy's (an empty message switches it on). */
export function decodeOutlierDetection(message: Message, at: Scope): OutlierDetection {
  const percent = (value: number | undefined, otherwise: number, field: string): number =>
    inRange(value ?? otherwise, 0, 100, at.at(field));
  const consecutive = defaultOf('outlierConsecutive');
  return {
    intervalMs: positiveMs(message.interval, at.at('interval')) ?? defaultOf('outlierIntervalMs'),
    baseEjectionTimeMs:
      positiveMs(message.baseEjectionTime, at.at('base_ejection_time')) ?? defaultOf('outlierBaseEjectionMs'),
    maxEjectionTimeMs:
      positiveMs(message.maxEjectionTime, at.at('max_ejection_time')) ?? defaultOf('outlierMaxEjectionMs'),
    maxEjectionPercent: percent(message.maxEjectionPercent, defaultOf('outlierMaxPercent'), 'max_ejection_percent'),
    consecutive5xx: message.consecutive5xx ?? consecutive,
    enforcingConsecutive5xx: percent(message.enforcingConsecutive5xx, 100, 'enforcing_consecutive_5xx'),
    consecutiveGatewayFailure: message.consecutiveGatewayFailure ?? consecutive,
    enforcingConsecutiveGatewayFailure: percent(
      message.enforcingConsecutiveGatewayFailure,
      0,
      'enforcing_consecutive_gateway_failure',
    ),
    consecutiveLocalOriginFailure: message.consecutiveLocalOriginFailure ?? consecutive,
    enforcingConsecutiveLocalOriginFailure: percent(
      message.enforcingConsecutiveLocalOriginFailure,
      100,
      'enforcing_consecutive_local_origin_failure',
    ),
    splitExternalLocalOriginErrors: message.splitExternalLocalOriginErrors,
    successRate: {
      minimumHosts: message.successRateMinimumHosts ?? defaultOf('outlierMinimumHosts'),
      requestVolume: message.successRateRequestVolume ?? defaultOf('successRateVolume'),
      stdevFactor: message.successRateStdevFactor ?? defaultOf('successRateStdevFactor'),
      enforcing: percent(message.enforcingSuccessRate, 100, 'enforcing_success_rate'),
      enforcingLocalOrigin: percent(
        message.enforcingLocalOriginSuccessRate,
        100,
        'enforcing_local_origin_success_rate',
      ),
    },
    failurePercentage: {
      threshold: percent(
        message.failurePercentageThreshold,
        defaultOf('failurePercentageThreshold'),
        'failure_percentage_threshold',
      ),
      minimumHosts: message.failurePercentageMinimumHosts ?? defaultOf('outlierMinimumHosts'),
      requestVolume: message.failurePercentageRequestVolume ?? defaultOf('failurePercentageVolume'),
      enforcing: percent(message.enforcingFailurePercentage, 0, 'enforcing_failure_percentage'),
      enforcingLocalOrigin: percent(
        message.enforcingFailurePercentageLocalOrigin,
        0,
        'enforcing_failure_percentage_local_origin',
      ),
    },
    maxEjectionTimeJitterMs: durationMs(message.maxEjectionTimeJitter, at.at('max_ejection_time_jitter')) ?? 0,
    unejectOnHealthCheck: message.successfulActiveHealthCheckUnejectHost ?? true,
    alwaysEjectOneHost: message.alwaysEjectOneHost ?? false,
  };
}
