import type {
  CircuitBreakers,
  CircuitBreakers_Thresholds,
  CircuitBreakers_Thresholds_RetryBudget as RetryBudgetMessage,
} from '../../../gen/cluster.js';
import { RoutingPriority } from '../../../gen/core.js';
import { defaultOf } from '../../defaults.ts';
import type { CircuitBreaker, Cluster, RetryBudget } from '../../model/cluster.ts';
import type { Scope } from '../scope.ts';
import { inRange } from '../values.ts';

/** Istio's way to say "no limit". */
const UNLIMITED = 4_294_967_295;

/** Envoy CircuitBreakers.thresholds: the first of each priority counts; what is not set has Envoy's default. */
export function decodeCircuitBreakers(message: CircuitBreakers | undefined, at: Scope): Cluster['circuitBreakers'] {
  const of = (priority: RoutingPriority): CircuitBreaker => {
    const index = message?.thresholds.findIndex((threshold) => threshold.priority === priority) ?? -1;
    const perHost = message?.perHostThresholds.find((threshold) => threshold.priority === priority)?.maxConnections;
    return {
      ...decodeThresholds(message?.thresholds[index], at.at('thresholds').at(index)),
      ...(perHost !== undefined && perHost !== UNLIMITED && { maxConnectionsPerHost: perHost }),
    };
  };
  return { default: of(RoutingPriority.DEFAULT), high: of(RoutingPriority.HIGH) };
}

function decodeThresholds(message: CircuitBreakers_Thresholds | undefined, at: Scope): CircuitBreaker {
  const maxConnections = message?.maxConnections ?? defaultOf('breakerLimit');
  const maxPendingRequests = message?.maxPendingRequests ?? defaultOf('breakerLimit');
  const maxRequests = message?.maxRequests ?? defaultOf('breakerLimit');
  const maxRetries = message?.maxRetries ?? defaultOf('breakerRetries');
  const budget = message?.retryBudget;
  return {
    ...(maxConnections !== UNLIMITED && { maxConnections }),
    ...(maxPendingRequests !== UNLIMITED && { maxPendingRequests }),
    ...(maxRequests !== UNLIMITED && { maxRequests }),
    ...(maxRetries !== UNLIMITED && { maxRetries }),
    ...(budget !== undefined && { retryBudget: decodeBudget(budget, at.at('retry_budget')) }),
  };
}

const decodeBudget = ({ budgetPercent, minRetryConcurrency }: RetryBudgetMessage, at: Scope): RetryBudget => ({
  percent: inRange(budgetPercent?.value ?? defaultOf('retryBudgetPercent'), 0, 100, at.at('budget_percent')),
  minConcurrency: minRetryConcurrency ?? defaultOf('retryBudgetMinimum'),
});
