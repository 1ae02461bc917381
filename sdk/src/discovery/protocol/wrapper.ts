import { durationMs } from '@bufbuild/protobuf/wkt';
import type { Resource, ResourceError } from '../../../gen/discovery.js';
import type { Renewed, ResourceFault, WireResource } from './dialect.ts';

/** google.rpc.Code UNKNOWN. */
const UNKNOWN = 2;
/** Of the words of a resource error: they are kept and told. */
const LONGEST_WORDS = 4_096;
/** What lived shorter would be asked for as fast as it is answered. */
const SHORTEST_MS = 100;
/** What a timer can hold, 24 days: what lives longer is not dropped. */
const LONGEST_MS = 2 ** 31 - 1;

/** What a discovery.v3.Resource holds: a resource, or only more time for one. */
export function unwrapped(wrapper: Resource, version: string): WireResource | Renewed {
  const { name, resource, ttl } = wrapper;
  const ttlMs = ttl === undefined ? Number.POSITIVE_INFINITY : Math.max(SHORTEST_MS, durationMs(ttl));
  const time = ttlMs <= LONGEST_MS ? { ttlMs } : {};
  return resource === undefined
    ? { name, ...time }
    : { name, version, typeUrl: resource.typeUrl, bytes: resource.value, ...time };
}

export const isRenewed = (one: WireResource | Renewed): one is Renewed => one.bytes === undefined;

export const faultsOf = (errors: readonly ResourceError[]): readonly ResourceFault[] =>
  errors.flatMap(({ resourceName, errorDetail }) => {
    const name = resourceName?.name ?? '';
    return name === ''
      ? []
      : [{ name, code: errorDetail?.code ?? UNKNOWN, message: (errorDetail?.message ?? '').slice(0, LONGEST_WORDS) }];
  });
