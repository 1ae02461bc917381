import type { PortPolicy, TrafficPolicy } from '../schema/spec/destination-rule.ts';
import type { MergedRule } from './destination-rule-lookup.ts';

/** What one cluster is told: one field each, the most specific level's, whole. */
export type EffectivePolicy = PortPolicy & Pick<TrafficPolicy, 'retryBudget' | 'proxyProtocol'>;

/**
 * DestinationRule → subset → port (Istio MergeTrafficPolicy): each level replaces whole fields; an entry for the port
 * replaces all four of them, written or not, and a subset starts from what that left.
 */
export const effectivePolicy = (rule: MergedRule | undefined, subset: string, port: number): EffectivePolicy => {
  if (rule === undefined) return {};
  const base = overlay({}, rule.trafficPolicy, port);
  return subset === '' ? base : overlay(base, rule.subsets.get(subset)?.trafficPolicy, port);
};

const overlay = (base: EffectivePolicy, level: TrafficPolicy | undefined, port: number): EffectivePolicy => {
  if (level === undefined) return base;
  const { portLevelSettings, tunnel: _, ...own } = level;
  const merged = { ...base, ...own };
  const atPort = portLevelSettings.find((entry) => entry.port.number === port);
  if (atPort === undefined) return merged;
  const { connectionPool: _pool, outlierDetection: _outlier, loadBalancer: _balancer, tls: _tls, ...rest } = merged;
  const { port: _port, ...replaced } = atPort;
  return { ...rest, ...replaced };
};
