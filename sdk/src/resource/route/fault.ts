import type { HTTPFault } from '../../../gen/listener.js';
import type { FaultPolicy } from '../../model/action.ts';
import type { Scope } from '../scope.ts';
import { durationMs, fraction, inRange } from '../values.ts';

/** Envoy extensions.filters.http.fault.v3.HTTPFault. */
export function decodeFault({ delay, abort }: HTTPFault, at: Scope): FaultPolicy {
  const fixed = delay?.faultDelaySecifier.case === 'fixedDelay' ? delay.faultDelaySecifier.value : undefined;
  const ms = durationMs(fixed, at.at('delay').at('fixed_delay'));
  const error = abort && decodeAbort(abort.errorType, at.at('abort'));
  return {
    ...(ms !== undefined && { delay: { ms, fraction: fraction(delay?.percentage, at.at('delay').at('percentage')) } }),
    ...(error && { abort: { ...error, fraction: fraction(abort.percentage, at.at('abort').at('percentage')) } }),
  };
}

type Abort = { readonly httpStatus: number } | { readonly grpcStatus: number };

function decodeAbort(type: NonNullable<HTTPFault['abort']>['errorType'], at: Scope): Abort | undefined {
  if (type.case === 'httpStatus') return { httpStatus: inRange(type.value, 200, 599, at.at('http_status')) };
  if (type.case === 'grpcStatus') return { grpcStatus: type.value };
  // Faults that the caller's headers choose are not ours to obey; the field row has warned.
  return undefined;
}
