import type { Duration } from '@bufbuild/protobuf/wkt';
import { LeastRequest_SelectionMethod } from '../../../gen/cluster.js';
import { defaultOf } from '../../defaults.ts';
import type { LoadBalancer, SlowStart } from '../../model/cluster.ts';
import type { Scope } from '../scope.ts';
import { durationMs, inRange } from '../values.ts';

/** The two spellings of each balancer (old lb_config, typed policy) have the same fields and the same limits. */

const LARGEST_RING = 8_388_608;
/** Envoy MaglevLbConfig.table_size. */
const LARGEST_TABLE = 5_000_011;

interface SlowStartFields {
  readonly slowStartWindow?: Duration | undefined;
  readonly aggression?: RuntimeDouble | undefined;
  readonly minWeightPercent?: { readonly value: number } | undefined;
}

interface RuntimeDouble {
  readonly defaultValue: number;
}

/** Envoy takes 1 for a factor out of range, and logs it (least_request_lb.h, EdfLoadBalancerBase). */
function usable(value: RuntimeDouble | undefined, isUsable: (value: number) => boolean, at: Scope): number | undefined {
  if (value === undefined || isUsable(value.defaultValue)) return value?.defaultValue;
  at.warn(`${value.defaultValue} is out of range, 1 counts`);
  return 1;
}

/** A window of 0 is none (Envoy EdfLoadBalancerBase::isSlowStartEnabled). */
export function slowStart(config: SlowStartFields | undefined, at: Scope): { readonly slowStart?: SlowStart } {
  const here = at.at('slow_start_config');
  const windowMs = durationMs(config?.slowStartWindow, here.at('slow_start_window')) ?? 0;
  const minWeightPercent = config?.minWeightPercent?.value ?? defaultOf('slowStartMinPercent');
  inRange(minWeightPercent, 0, 100, here.at('min_weight_percent'));
  const aggression = usable(config?.aggression, (value) => value > 0, here.at('aggression')) ?? 1;
  return windowMs === 0 ? {} : { slowStart: { windowMs, aggression, minWeightPercent } };
}

/** Consistent hashing's own settings, whichever message they come in. */
export interface Hashing {
  readonly useHostname: boolean;
  readonly balanceFactor?: number;
}

interface HashingFields {
  readonly useHostnameForHashing: boolean;
  readonly hashBalanceFactor?: number | undefined;
}

export function hashing(config: HashingFields | undefined, at: Scope): Hashing {
  const { useHostnameForHashing: useHostname = false, hashBalanceFactor: balanceFactor } = config ?? {};
  if (balanceFactor === undefined) return { useHostname };
  // Envoy ConsistentHashingLbConfig.hash_balance_factor: 100 or more.
  inRange(balanceFactor, 100, 4_294_967_295, at.at('hash_balance_factor'));
  return { useHostname, balanceFactor };
}

interface LeastRequestFields {
  readonly choiceCount?: number | undefined;
  readonly activeRequestBias?: RuntimeDouble | undefined;
  readonly slowStartConfig?: SlowStartFields | undefined;
  readonly selectionMethod?: LeastRequest_SelectionMethod;
}

export function leastRequest(config: LeastRequestFields, at: Scope): LoadBalancer {
  const choiceCount = config.choiceCount ?? defaultOf('leastRequestChoices');
  const activeRequestBias = usable(config.activeRequestBias, (value) => value >= 0, at.at('active_request_bias'));
  return {
    kind: 'least-request',
    choiceCount: inRange(choiceCount, 2, 4_294_967_295, at.at('choice_count')),
    ...(config.selectionMethod === LeastRequest_SelectionMethod.FULL_SCAN && { fullScan: true }),
    ...(activeRequestBias !== undefined && { activeRequestBias }),
    ...slowStart(config.slowStartConfig, at),
  };
}

interface LoadWeightedFields {
  readonly enableOobLoadReport?: boolean | undefined;
  readonly oobReportingPeriod?: Duration | undefined;
  readonly blackoutPeriod?: Duration | undefined;
  readonly weightExpirationPeriod?: Duration | undefined;
  readonly weightUpdatePeriod?: Duration | undefined;
  readonly errorUtilizationPenalty?: number | undefined;
  readonly metricNamesForComputingUtilization?: readonly string[];
  readonly slowStartConfig?: SlowStartFields | undefined;
}

export function loadWeighted(config: LoadWeightedFields, at: Scope): LoadBalancer {
  const errorPenalty = config.errorUtilizationPenalty ?? defaultOf('loadErrorPenaltyPercent') / 100;
  const updateMs = durationMs(config.weightUpdatePeriod, at.at('weight_update_period')) ?? defaultOf('loadUpdateMs');
  const outOfBandMs =
    durationMs(config.oobReportingPeriod, at.at('oob_reporting_period')) ?? defaultOf('loadReportPeriodMs');
  return {
    kind: 'load-weighted',
    ...(config.enableOobLoadReport && { outOfBandMs }),
    blackoutMs: durationMs(config.blackoutPeriod, at.at('blackout_period')) ?? defaultOf('loadBlackoutMs'),
    expirationMs:
      durationMs(config.weightExpirationPeriod, at.at('weight_expiration_period')) ?? defaultOf('loadExpirationMs'),
    updateMs: Math.max(updateMs, defaultOf('loadUpdateLeastMs')),
    errorPenalty: inRange(errorPenalty, 0, Number.MAX_VALUE, at.at('error_utilization_penalty')),
    metricNames: config.metricNamesForComputingUtilization ?? [],
    ...slowStart(config.slowStartConfig, at),
  };
}

interface RingFields {
  readonly minimumRingSize?: bigint | undefined;
  readonly maximumRingSize?: bigint | undefined;
}

export function ringHash(
  config: RingFields,
  { isMurmur, ...settings }: Hashing & { readonly isMurmur: boolean },
  at: Scope,
): LoadBalancer {
  const minimumRingSize = Number(config.minimumRingSize ?? defaultOf('ringMinimum'));
  const maximumRingSize = Number(config.maximumRingSize ?? defaultOf('ringMaximum'));
  inRange(minimumRingSize, 1, LARGEST_RING, at.at('minimum_ring_size'));
  inRange(maximumRingSize, 1, LARGEST_RING, at.at('maximum_ring_size'));
  if (minimumRingSize > maximumRingSize) {
    at.at('minimum_ring_size').error(`${minimumRingSize}, at most maximum_ring_size (${maximumRingSize}) allowed`);
  }
  return {
    kind: 'ring-hash',
    minimumRingSize,
    maximumRingSize,
    hashFunction: isMurmur ? 'murmur-hash-2' : 'xx-hash',
    ...settings,
  };
}

export function maglev(
  config: { readonly tableSize?: bigint | undefined },
  settings: Hashing,
  at: Scope,
): LoadBalancer {
  const tableSize = Number(config.tableSize ?? defaultOf('maglevTable'));
  inRange(tableSize, 1, LARGEST_TABLE, at.at('table_size'));
  // Envoy: the table size of maglev must be prime number.
  if (tableSize <= LARGEST_TABLE && !isPrime(tableSize))
    at.at('table_size').error(`${tableSize}, a prime number allowed`);
  return { kind: 'maglev', tableSize, ...settings };
}

function isPrime(value: number): boolean {
  if (value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor += 1) if (value % divisor === 0) return false;
  return true;
}
