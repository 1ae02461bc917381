import { Cluster_DnsLookupFamily as Family, type Cluster as Message } from '../../../gen/cluster.js';
import { defaultOf } from '../../defaults.ts';
import type { DnsFamily, DnsOptions } from '../../model/cluster.ts';
import type { Scope } from '../scope.ts';
import { durationMs, type positiveMs } from '../values.ts';

const FAMILIES: ReadonlyMap<Family, DnsFamily> = new Map([
  [Family.AUTO, 'auto'],
  [Family.V4_ONLY, 'v4-only'],
  [Family.V6_ONLY, 'v6-only'],
  [Family.V4_PREFERRED, 'v4-preferred'],
  [Family.ALL, 'all'],
]);

/** Envoy validates dns_refresh_rate and dns_failure_refresh_rate as more than 1 ms: they would hammer the resolver. */
const SHORTEST_MS = 1;

/** Envoy Cluster.dns_refresh_rate and its neighbours. */
export function decodeDns(message: Message, at: Scope): DnsOptions {
  const family = FAMILIES.get(message.dnsLookupFamily);
  if (family === undefined) {
    at.at('dns_lookup_family').error(`${message.dnsLookupFamily}, AUTO, V4_ONLY, V6_ONLY, V4_PREFERRED, ALL allowed`);
  }
  const failureRefresh = decodeFailure(message, at.at('dns_failure_refresh_rate'));
  return {
    refreshRateMs: moreThanOne(message.dnsRefreshRate, at.at('dns_refresh_rate')) ?? defaultOf('dnsRefreshMs'),
    ...(failureRefresh && { failureRefresh }),
    respectTtl: message.respectDnsTtl,
    jitterMs: durationMs(message.dnsJitter, at.at('dns_jitter')) ?? 0,
    family: family ?? 'auto',
  };
}

function decodeFailure({ dnsFailureRefreshRate: rate }: Message, at: Scope): DnsOptions['failureRefresh'] {
  if (rate === undefined) return undefined;
  const baseMs = moreThanOne(rate.baseInterval, at.at('base_interval'));
  if (baseMs === undefined) {
    if (rate.baseInterval === undefined) at.at('base_interval').error('missing, more than 1 ms is required');
    return undefined;
  }
  // Envoy Cluster.RefreshRate.max_interval: ten times the base unless given.
  const maxMs = moreThanOne(rate.maxInterval, at.at('max_interval')) ?? baseMs * 10;
  if (maxMs < baseMs) at.at('max_interval').error(`${maxMs} ms, base_interval or more allowed`);
  return { baseMs, maxMs };
}

function moreThanOne(duration: Parameters<typeof positiveMs>[0], at: Scope): number | undefined {
  const ms = durationMs(duration, at);
  if (ms !== undefined && ms <= SHORTEST_MS) at.error(`${ms} ms, more than ${SHORTEST_MS} ms allowed`);
  return ms;
}
