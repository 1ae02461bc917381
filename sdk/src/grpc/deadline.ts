import type { GrpcParentCall } from './types.ts';

/** grpc-js's propagate flags. */
const DEADLINE = 1;
const CANCELLATION = 8;

const msOf = (deadline: Date | number): number => (deadline instanceof Date ? deadline.getTime() : deadline);

/** Wall clock, ms; infinite where there is none. */
export function deadlineOf(own: Date | number, parent: GrpcParentCall | null, flags: number): number {
  const ownMs = msOf(own);
  return parent !== null && flags & DEADLINE ? Math.min(ownMs, msOf(parent.getDeadline())) : ownMs;
}

export const followsCancellation = (flags: number): boolean => (flags & CANCELLATION) !== 0;

/** grpc-js: what a call hands on unless it is told otherwise. */
export const DEFAULT_FLAGS = 0xffff;
