import type { OutlierDetectionSchema } from '@inmesh/sdk/internal/gen/cluster';
import { defaultOf } from '../../defaults.ts';
import type { OutlierDetectionSettings } from '../../schema/spec/destination-rule.ts';
import type { Fields } from '../proto.ts';

type OutlierInit = Fields<typeof OutlierDetectionSchema>;

/**
 * gRPC clients count no consecutive errors (gRFC A50): as near as they come is a host of whose calls in one interval, as many at least as
 * errors were asked for, nearly all have failed.
 */
export const grpcOutliers = (settings: OutlierDetectionSettings): OutlierInit => {
  const errors = consecutiveErrors(settings);
  if (errors === undefined) return {};
  return {
    enforcingFailurePercentage: 100,
    failurePercentageThreshold: defaultOf('failurePercentage'),
    failurePercentageRequestVolume: errors,
    // A host that fails alone is ejected alone, as by its consecutive errors.
    failurePercentageMinimumHosts: 1,
  };
};

/** The detector that ejects first; 0 switches one off, and Envoy's 5 of 5xx are on unless they are. */
const consecutiveErrors = (settings: OutlierDetectionSettings): number | undefined => {
  const { consecutive5xxErrors, consecutiveGatewayErrors, consecutiveErrors: old } = settings;
  const gateway = consecutiveGatewayErrors ?? old;
  const counts = [consecutive5xxErrors ?? defaultOf('consecutive5xx'), gateway ?? 0].filter((count) => count > 0);
  return counts.length === 0 ? undefined : Math.min(...counts);
};
