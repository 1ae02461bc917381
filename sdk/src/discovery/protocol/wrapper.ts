import { durationMs } from '@bufbuild/protobuf/wkt';
import type { Resource, ResourceError } from '../../../gen/discovery.js';
import type { Renewed, ResourceFault, WireResource } from './dialect.ts';

/** google.rpc.Code UNKNOWN. */
const UNKNOWN = 2;

/** What a discovery.v3.Resource holds: a resource, or only more time for one. */
export function unwrapped(wrapper: Resource, version: string): WireResource | Renewed {
  const { name, resource, ttl } = wrapper;
  const time = ttl === undefined ? {} : { ttlMs: Math.max(0, durationMs(ttl)) };
  return resource === undefined
    ? { name, ...time }
    : { name, version, typeUrl: resource.typeUrl, bytes: resource.value, ...time };
}

export const isRenewed = (one: WireResource | Renewed): one is Renewed => one.bytes === undefined;

export const faultsOf = (errors: readonly ResourceError[]): readonly ResourceFault[] =>
  errors.flatMap(({ resourceName, errorDetail }) => {
    const name = resourceName?.name ?? '';
    return name === '' ? [] : [{ name, code: errorDetail?.code ?? UNKNOWN, message: errorDetail?.message ?? '' }];
  });
