import type { Any } from '@bufbuild/protobuf/wkt';
import { HTTPFaultSchema } from '@inmesh/sdk/internal/gen/listener';
import { GRPC_STATUS } from '../../schema/grpc-status.ts';
import { isWildcard } from '../names.ts';
import { packAny } from '../proto.ts';
import type { ResolvedDestination } from '../route/destination.ts';
import { FAULT_FILTER } from '../route/fault.ts';
import { perHundred } from '../route/percent.ts';
import type { View } from '../view.ts';
import { grpcOrigination } from './origination.ts';

/**
 * Calls to a destination whose TLS a gRPC client cannot be told of are failed by its route, whatever its connections: one that had
 * connected in clear text before would go on (grpc-java keeps the endpoints it had when a cluster has none any more).
 */
export const abortOf = (view: View, destination: ResolvedDestination): Readonly<Record<string, Any>> =>
  view.kind === 'grpc' && isUntold(view, destination) ? ABORT : {};

const isUntold = (view: View, { policy: { tls }, service }: ResolvedDestination): boolean => {
  if (tls?.mode !== 'SIMPLE' && tls?.mode !== 'MUTUAL') return false;
  const host = service?.hostname ?? '';
  const names = { serverName: tls.sni || (isWildcard(host) ? '' : host), serviceNames: service?.subjectAltNames ?? [] };
  return grpcOrigination(tls, names, view) === undefined;
};

const ABORT = {
  [FAULT_FILTER]: packAny(HTTPFaultSchema, {
    abort: {
      errorType: { case: 'grpcStatus', value: GRPC_STATUS.indexOf('UNAVAILABLE') },
      percentage: perHundred(100),
    },
  }),
};
