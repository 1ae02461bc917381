import type { Duration } from '@bufbuild/protobuf/wkt';
import { defaultOf } from '../../defaults.ts';
import type { LoadBalancer } from '../../model/cluster.ts';
import type { Scope } from '../scope.ts';
import { durationMs, inRange } from '../values.ts';

/** The two spellings of each balancer (old lb_config, typed policy) have the same fields and the same limits. */

const LARGEST_RING = 8_388_608;
/** Envoy MaglevLbConfig.table_size. */
const LARGEST_TABLE = 5_000_011;

export function slowStart(
  config: { readonly slowStartWindow?: Duration | undefined } | undefined,
  at: Scope,
): { readonly slowStartMs?: number } {
  const slowStartMs = durationMs(config?.slowStartWindow, at.at('slow_start_config').at('slow_start_window'));
  return slowStartMs === undefined ? {} : { slowStartMs };
}

interface LeastRequestFields {
  readonly choiceCount?: number | undefined;
  readonly slowStartConfig?: { readonly slowStartWindow?: Duration | undefined } | undefined;
}

export function leastRequest(config: LeastRequestFields, at: Scope): LoadBalancer {
  const choiceCount = config.choiceCount ?? defaultOf('leastRequestChoices');
  return {
    kind: 'least-request',
    choiceCount: inRange(choiceCount, 2, 4_294_967_295, at.at('choice_count')),
    ...slowStart(config.slowStartConfig, at),
  };
}

interface RingFields {
  readonly minimumRingSize?: bigint | undefined;
  readonly maximumRingSize?: bigint | undefined;
}

export function ringHash(
  config: RingFields,
  hash: { useHostname: boolean; isMurmur: boolean },
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
    hashFunction: hash.isMurmur ? 'murmur-hash-2' : 'xx-hash',
    useHostname: hash.useHostname,
  };
}

export function maglev(
  config: { readonly tableSize?: bigint | undefined },
  useHostname: boolean,
  at: Scope,
): LoadBalancer {
  const tableSize = Number(config.tableSize ?? defaultOf('maglevTable'));
  inRange(tableSize, 1, LARGEST_TABLE, at.at('table_size'));
  // Envoy: the table size of maglev must be prime number.
  if (tableSize <= LARGEST_TABLE && !isPrime(tableSize))
    at.at('table_size').error(`${tableSize}, a prime number allowed`);
  return { kind: 'maglev', tableSize, useHostname };
}

function isPrime(value: number): boolean {
  if (value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value; divisor += 1) if (value % divisor === 0) return false;
  return true;
}
