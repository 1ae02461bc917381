import type { CircuitBreakers, CircuitBreakers_Thresholds } from '../../../gen/cluster.js';
import { RoutingPriority } from '../../../gen/core.js';
import { defaultOf } from '../../defaults.ts';
import type { CircuitBreaker, Cluster } from '../../model/cluster.ts';

/** Istio's way to say "no limit". */
const UNLIMITED = 4_294_967_295;

/** Envoy CircuitBreakers.thresholds: the first of each priority counts; what is not set has Envoy's default. */
export function decodeCircuitBreakers(message: CircuitBreakers | undefined): Cluster['circuitBreakers'] {
  const of = (priority: RoutingPriority) => message?.thresholds.find((threshold) => threshold.priority === priority);
  return {
    default: decodeThresholds(of(RoutingPriority.DEFAULT)),
    high: decodeThresholds(of(RoutingPriority.HIGH)),
  };
}

function decodeThresholds(message: CircuitBreakers_Thresholds | undefined): CircuitBreaker {
  const maxConnections = message?.maxConnections ?? defaultOf('breakerLimit');
  const maxPendingRequests = message?.maxPendingRequests ?? defaultOf('breakerLimit');
  const maxRequests = message?.maxRequests ?? defaultOf('breakerLimit');
  const maxRetries = message?.maxRetries ?? defaultOf('breakerRetries');
  return {
    ...(maxConnections !== UNLIMITED && { maxConnections }),
    ...(maxPendingRequests !== UNLIMITED && { maxPendingRequests }),
    ...(maxRequests !== UNLIMITED && { maxRequests }),
    ...(maxRetries !== UNLIMITED && { maxRetries }),
  };
}
