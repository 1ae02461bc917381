import { create } from '@bufbuild/protobuf';
import { type HTTPFault, HTTPFaultSchema } from '@inmesh/sdk/internal/gen/listener';
import { GRPC_STATUS } from '../../schema/grpc-status.ts';
import type { HttpFault } from '../../schema/spec/virtual-service.ts';
import { duration } from '../duration.ts';
import type { Fields } from '../proto.ts';
import { perHundred, perMillion } from './percent.ts';

type FaultInit = Fields<typeof HTTPFaultSchema>;

/** Name of the fault filter on a listener and of its settings on a route (Envoy typed_per_filter_config). */
export const FAULT_FILTER = 'envoy.filters.http.fault';

/** Istio TranslateFault; undefined when nothing of it can be injected. */
export const faultFilter = (fault: HttpFault): HTTPFault | undefined => {
  const delay = faultDelay(fault.delay);
  const abort = faultAbort(fault.abort);
  if (delay === undefined && abort === undefined) return undefined;
  return create(HTTPFaultSchema, { ...(delay && { delay }), ...(abort && { abort }) });
};

const faultDelay = (delay: HttpFault['delay']): FaultInit['delay'] => {
  // Exponential delays are in Istio's API and in no data plane.
  if (delay?.fixedDelay === undefined) return undefined;
  return {
    percentage: delay.percentage ? perMillion(delay.percentage.value) : perHundred(delay.percent ?? 0),
    faultDelaySecifier: { case: 'fixedDelay', value: duration(delay.fixedDelay) },
  };
};

const faultAbort = (abort: HttpFault['abort']): FaultInit['abort'] => {
  const errorType = abort && abortError(abort);
  if (errorType === undefined) return undefined;
  // Without a percentage Istio sends none, and Envoy reads none as 0 %.
  return { errorType, ...(abort?.percentage && { percentage: perMillion(abort.percentage.value) }) };
};

const abortError = (abort: NonNullable<HttpFault['abort']>) => {
  if (abort.httpStatus !== undefined) return { case: 'httpStatus', value: abort.httpStatus } as const;
  const code = abort.grpcStatus === undefined ? undefined : grpcStatusCode(abort.grpcStatus);
  return code === undefined ? undefined : ({ case: 'grpcStatus', value: code } as const);
};

const grpcStatusCode = (written: string): number | undefined => {
  const code = /^\d+$/.test(written) ? Number(written) : GRPC_STATUS.indexOf(written.toUpperCase());
  return code >= 0 && code < GRPC_STATUS.length ? code : undefined;
};
