import { remainder } from '../balancer/hash/words.ts';
import { type Draw, peek, pick } from '../balancer/picker.ts';
import type { Random } from '../clock.ts';
import type { Hash64 } from '../model/hash.ts';
import type { Host, LiveHost } from './host.ts';
import { chooseSource, type Pool, type Source, type Table } from './table.ts';

/** One choice of a host: the draw that pickers read, and how to go about it. Reused from call to call. */
export interface Choice extends Draw {
  hash: Hash64;
  attempt: number;
  random: Random;
  active: number;
  nowMs: number;
  /** The hash decides; else chance and turns do. */
  hashed: boolean;
  /** Turns are taken; else only looked at. */
  take: boolean;
  /** The table is older than the endpoints: hosts that have gone or failed since are passed over. */
  stale: boolean;
}

/** Hosts tried in a stale table before the first usable one is taken. */
const STALE_ATTEMPTS = 16;
const PERCENT = 100;

/**
 * Chooses, and chooses again up to `retries` times while the host is to be avoided; the last one is then taken anyway
 * (Envoy LoadBalancerContext::shouldSelectAnotherHost).
 */
export function chooseHost(
  table: Table,
  choice: Choice,
  avoid: ((host: Host) => boolean) | undefined,
  retries: number,
): LiveHost | undefined {
  for (let attempt = 0; ; attempt++) {
    choice.attempt = attempt;
    const host = drawFrom(table, choice);
    if (host === undefined || avoid === undefined || attempt >= retries || !avoid(host)) return host;
  }
}

/** One draw, whoever it gives. */
export function drawFrom(table: Table, choice: Choice): LiveHost | undefined {
  const pool = poolFor(table, choice);
  return pool === undefined ? undefined : hostFrom(pool, choice);
}

function poolFor({ only, pools }: Table, { hashed, hash, random }: Choice): Pool | undefined {
  if (only !== undefined) return only;
  // Envoy takes the same hash for the priority and for the host.
  return pools[hashed ? remainder(hash.hi, hash.lo, PERCENT) : random() % PERCENT];
}

function hostFrom(pool: Pool, choice: Choice): LiveHost | undefined {
  const source = chooseSource(pool, choice.take);
  if (source === undefined) return undefined;
  const host = drawHost(source, choice);
  return !choice.stale || host === undefined || isUsable(host, pool) ? host : usableHost(source, pool, choice);
}

function drawHost({ picker, hosts }: Source, choice: Choice): LiveHost | undefined {
  return hosts[choice.take ? pick(picker, hosts, choice) : peek(picker, hosts, choice)];
}

function usableHost(source: Source, pool: Pool, choice: Choice): LiveHost | undefined {
  const last = choice.attempt + STALE_ATTEMPTS;
  while (choice.attempt++ < last) {
    const host = drawHost(source, choice);
    if (host !== undefined && isUsable(host, pool)) return host;
  }
  return source.hosts.find((host) => isUsable(host, pool));
}

const isUsable = (host: LiveHost, pool: Pool): boolean => !host.removed && (pool.panic || host.availability !== 'out');
