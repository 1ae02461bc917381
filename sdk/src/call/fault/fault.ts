import type { Random } from '../../clock.ts';
import { fractionMatches } from '../../match/fraction.ts';
import { compileHeader, type HeaderTest, headerMatches } from '../../match/header-match.ts';
import { headerValue } from '../../match/headers.ts';
import type { FaultPolicy } from '../../model/action.ts';
import type { Fraction } from '../../model/match.ts';
import type { MeshRequest } from '../../model/request.ts';

/** An answer made up: an HTTP status, and a gRPC status where one is meant (Envoy answers 200 with it). */
export interface FaultAbort {
  readonly status: number;
  readonly grpcStatus?: number;
}

const compiled = new WeakMap<FaultPolicy, readonly HeaderTest[]>();

function testsOf(policy: FaultPolicy): readonly HeaderTest[] {
  let tests = compiled.get(policy);
  if (tests === undefined) {
    tests = (policy.headers ?? []).map((match) => compileHeader(match));
    compiled.set(policy, tests);
  }
  return tests;
}

/** Envoy HTTPFault.headers (all of them) and upstream_cluster. */
export const faultApplies = (policy: FaultPolicy, request: MeshRequest, cluster: string): boolean =>
  (policy.upstreamCluster === undefined || policy.upstreamCluster === cluster) &&
  testsOf(policy).every((test) => headerMatches(test, request));

/** How long the request is held up, ms; undefined: not at all. Each kind of fault has a draw of its own, as in Envoy. */
export function drawDelay({ delay }: FaultPolicy, request: MeshRequest, random: Random): number | undefined {
  if (delay === undefined) return undefined;
  if (!fractionMatches(shareOf(delay, request, 'x-envoy-fault-delay-request-percentage'), random())) return undefined;
  const ms = delay.fromHeader ? numberIn(request, 'x-envoy-fault-delay-request') : delay.ms;
  return ms !== undefined && ms > 0 ? ms : undefined;
}

/** What the request is answered with instead of being sent; undefined: it is sent. */
export function drawAbort({ abort }: FaultPolicy, request: MeshRequest, random: Random): FaultAbort | undefined {
  if (abort === undefined) return undefined;
  if (!fractionMatches(shareOf(abort, request, 'x-envoy-fault-abort-request-percentage'), random())) return undefined;
  if (!abort.fromHeader) return abortWith(abort.httpStatus, abort.grpcStatus);
  const status = numberIn(request, 'x-envoy-fault-abort-request');
  const isStatus = status !== undefined && status >= 200 && status <= 599;
  return abortWith(isStatus ? status : undefined, numberIn(request, 'x-envoy-fault-abort-grpc-request'));
}

/** Envoy FaultFilter::abortStatus: an HTTP status comes first. */
function abortWith(httpStatus: number | undefined, grpcStatus: number | undefined): FaultAbort | undefined {
  if (httpStatus !== undefined) return { status: httpStatus };
  return grpcStatus === undefined ? undefined : { status: 200, grpcStatus };
}

interface Shared {
  readonly fraction: Fraction;
  readonly fromHeader?: boolean;
}

/** Envoy HeaderPercentageProvider: the request may lower the percentage, never raise it. */
function shareOf({ fraction, fromHeader }: Shared, request: MeshRequest, name: string): Fraction {
  const asked = fromHeader ? numberIn(request, name) : undefined;
  return asked === undefined || asked >= fraction.numerator ? fraction : { ...fraction, numerator: asked };
}

function numberIn({ headers }: MeshRequest, name: string): number | undefined {
  const value = headerValue(headers, name);
  return value !== undefined && /^\d{1,9}$/.test(value) ? Number(value) : undefined;
}
