import type { OutlierDetectionSchema } from '@inmesh/sdk/internal/gen/cluster';
import type { OutlierDetectionSettings } from '../../schema/spec/destination-rule.ts';
import { grpcOutliers } from '../client/outlier.ts';
import { duration } from '../duration.ts';
import type { Fields } from '../proto.ts';
import type { View } from '../view.ts';

type OutlierInit = Fields<typeof OutlierDetectionSchema>;

/**
 * Istio applyOutlierDetection: ejection by success rate is always off; what is not written is not sent, so Envoy's 5
 * errors / 10 s / 30 s / 10 % apply; `{}` switches it on.
 */
export const outlierDetection = (settings: OutlierDetectionSettings, client: View['kind']): OutlierInit => ({
  enforcingSuccessRate: 0,
  ...(client === 'grpc' && grpcOutliers(settings)),
  ...consecutive5xx(settings.consecutive5xxErrors),
  // The old consecutiveErrors counted 502, 503 and 504.
  ...gatewayFailures(settings.consecutiveGatewayErrors ?? settings.consecutiveErrors),
  ...(settings.interval === undefined ? {} : { interval: duration(settings.interval) }),
  ...(settings.baseEjectionTime === undefined ? {} : { baseEjectionTime: duration(settings.baseEjectionTime) }),
  ...(settings.maxEjectionPercent ? { maxEjectionPercent: settings.maxEjectionPercent } : {}),
  ...(settings.splitExternalLocalOriginErrors ? localOrigin(settings.consecutiveLocalOriginFailures) : {}),
});

/** 0 errors = this detector is off. */
const enforcing = (errors: number): number => (errors > 0 ? 100 : 0);

const consecutive5xx = (errors: number | undefined): OutlierInit =>
  errors === undefined ? {} : { consecutive5xx: errors, enforcingConsecutive5xx: enforcing(errors) };

const gatewayFailures = (errors: number | undefined): OutlierInit =>
  errors === undefined
    ? {}
    : { consecutiveGatewayFailure: errors, enforcingConsecutiveGatewayFailure: enforcing(errors) };

const localOrigin = (errors: number | undefined): OutlierInit => ({
  splitExternalLocalOriginErrors: true,
  enforcingLocalOriginSuccessRate: 0,
  ...(errors ? { consecutiveLocalOriginFailure: errors, enforcingConsecutiveLocalOriginFailure: 100 } : {}),
});
