import type { OutlierDetection } from '../../model/cluster.ts';
import type { EjectionReason } from '../../model/events.ts';
import type { Outcome } from '../pick.ts';

/** Requests of the interval under way. */
export interface Tally {
  total: number;
  good: number;
}

/** What outcomes leave behind at a host. A state that is lent, as those of pickers are. */
export interface HostCounts {
  consecutive5xx: number;
  consecutiveGatewayFailures: number;
  consecutiveLocalOriginFailures: number;
  /** Answers, and what counts as one. */
  readonly external: Tally;
  /** Connections and what failed on our side of them; only where the two are told apart. */
  readonly local: Tally;
}

export const createCounts = (): HostCounts => ({
  consecutive5xx: 0,
  consecutiveGatewayFailures: 0,
  consecutiveLocalOriginFailures: 0,
  external: { total: 0, good: 0 },
  local: { total: 0, good: 0 },
});

/** What a host is suspected of, in the order in which Envoy looks at it. */
export type Suspicions = readonly EjectionReason[];

const NONE: Suspicions = [];
const GATEWAY: Suspicions = ['consecutive-gateway-failure'];
const ERRORS: Suspicions = ['consecutive-5xx'];
const BOTH: Suspicions = [...GATEWAY, ...ERRORS];
const LOCAL: Suspicions = ['consecutive-local-origin-failure'];

const OK = 200;
const UNAVAILABLE = 503;
const TIMEOUT = 504;

/** Envoy Outlier::DetectorHostMonitorImpl::putResult as the router calls it. */
export function countOutcome(counts: HostCounts, outcome: Outcome, rules: OutlierDetection): Suspicions {
  const { error } = outcome;
  if (error === 'overflow') return NONE;
  if (error !== undefined) return countFailure(counts, error === 'timeout' ? TIMEOUT : UNAVAILABLE, rules);
  const status = statusOf(outcome);
  return status === undefined ? NONE : countStatus(counts, status, rules);
}

/** A connection was there for the request; `isAll` where it is all that was wanted. */
export function countConnected(counts: HostCounts, isAll: boolean, rules: OutlierDetection): Suspicions {
  if (!rules.splitExternalLocalOriginErrors) return isAll ? countStatus(counts, OK, rules) : NONE;
  counts.local.total++;
  counts.local.good++;
  counts.consecutiveLocalOriginFailures = 0;
  return NONE;
}

function countStatus(counts: HostCounts, status: number, rules: OutlierDetection): Suspicions {
  counts.external.total++;
  if (status < 500 || status > 599) {
    counts.external.good++;
    counts.consecutive5xx = 0;
    counts.consecutiveGatewayFailures = 0;
    return NONE;
  }
  const isGateway = status === 502 || status === UNAVAILABLE || status === TIMEOUT;
  counts.consecutiveGatewayFailures = isGateway ? counts.consecutiveGatewayFailures + 1 : 0;
  counts.consecutive5xx++;
  const gateway = isGateway && reached(counts.consecutiveGatewayFailures, rules.consecutiveGatewayFailure);
  const errors = reached(counts.consecutive5xx, rules.consecutive5xx);
  if (gateway) return errors ? BOTH : GATEWAY;
  return errors ? ERRORS : NONE;
}

/** Not an answer of the host: a status of its own unless the two kinds are told apart. */
function countFailure(counts: HostCounts, status: number, rules: OutlierDetection): Suspicions {
  if (!rules.splitExternalLocalOriginErrors) return countStatus(counts, status, rules);
  counts.local.total++;
  counts.consecutiveLocalOriginFailures++;
  return reached(counts.consecutiveLocalOriginFailures, rules.consecutiveLocalOriginFailure) ? LOCAL : NONE;
}

/** Envoy compares for equality: a threshold of 0 is never reached. */
const reached = (count: number, threshold: number): boolean => threshold > 0 && count >= threshold;

/** A suspicion that was looked at begins anew (Envoy DetectorImpl::onConsecutiveErrorWorker). */
export function forgive(counts: HostCounts, reason: EjectionReason): void {
  if (reason === 'consecutive-5xx') counts.consecutive5xx = 0;
  else if (reason === 'consecutive-gateway-failure') counts.consecutiveGatewayFailures = 0;
  else if (reason === 'consecutive-local-origin-failure') counts.consecutiveLocalOriginFailures = 0;
}

/** Envoy DetectorImpl::unejectHost */
export function forgiveAll(counts: HostCounts): void {
  counts.consecutive5xx = 0;
  counts.consecutiveGatewayFailures = 0;
  counts.consecutiveLocalOriginFailures = 0;
}

/** Envoy Grpc::Utility::grpcToHttpStatus; by code, from 0. */
const HTTP_STATUS = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401];

/** A gRPC answer's own status stands for that of HTTP, which is 200 whatever happened. */
export const statusOf = ({ status, grpcStatus }: Outcome): number | undefined =>
  grpcStatus === undefined ? status : (HTTP_STATUS[grpcStatus] ?? 500);
