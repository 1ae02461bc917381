import type { HTTPFault } from '../../../gen/listener.js';
import type { FaultPolicy } from '../../model/action.ts';
import type { HeaderMatch } from '../../model/match.ts';
import { decodeList } from '../lists.ts';
import type { Scope } from '../scope.ts';
import { fraction, inRange, positiveMs } from '../values.ts';
import { decodeHeaderMatch } from './route-match.ts';

/** Envoy extensions.filters.http.fault.v3.HTTPFault. */
export function decodeFault(message: HTTPFault, at: Scope): FaultPolicy {
  const delay = decodeDelay(message.delay, at.at('delay'));
  const abort = decodeAbort(message.abort, at.at('abort'));
  const headers = decodeList(message.headers, at.at('headers'), decodeHeaderMatch);
  const nodes = decodeNodes(message.downstreamNodes);
  return {
    ...(delay && { delay }),
    ...(abort && { abort }),
    ...((headers.length > 0 || nodes) && { headers: nodes ? [...headers, nodes] : headers }),
    ...(message.upstreamCluster !== '' && { upstreamCluster: message.upstreamCluster }),
    ...(message.maxActiveFaults !== undefined && { maxActive: message.maxActiveFaults }),
  };
}

function decodeDelay(message: HTTPFault['delay'], at: Scope): FaultPolicy['delay'] {
  if (message === undefined) return undefined;
  const { faultDelaySecifier: specifier } = message;
  const share = fraction(message.percentage, at.at('percentage'));
  if (specifier.case === 'headerDelay') return { ms: 0, fraction: share, fromHeader: true };
  // Envoy FaultDelay.fixed_delay: more than 0.
  const ms = positiveMs(specifier.value, at.at('fixed_delay'));
  if (specifier.case === undefined) at.error('neither, fixed_delay or header_delay is required');
  return ms === undefined ? undefined : { ms, fraction: share };
}

function decodeAbort(message: HTTPFault['abort'], at: Scope): FaultPolicy['abort'] {
  if (message === undefined) return undefined;
  const share = fraction(message.percentage, at.at('percentage'));
  const { errorType: type } = message;
  switch (type.case) {
    case 'httpStatus':
      return { httpStatus: inRange(type.value, 200, 599, at.at('http_status')), fraction: share };
    case 'grpcStatus':
      return { grpcStatus: type.value, fraction: share };
    case 'headerAbort':
      return { fraction: share, fromHeader: true };
    default:
      at.error('none, http_status, grpc_status or header_abort is required');
      return undefined;
  }
}

/** Envoy HTTPFault.downstream_nodes: only requests that say in this header that they come from one of them. */
function decodeNodes(nodes: readonly string[]): HeaderMatch | undefined {
  if (nodes.length === 0) return undefined;
  const value = nodes.map((node) => node.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')).join('|');
  return {
    name: 'x-envoy-downstream-service-node',
    invert: false,
    treatMissingAsEmpty: false,
    value: { kind: 'string', match: { kind: 'regex', value } },
  };
}
