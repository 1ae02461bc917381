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

const UNITS = [
  ['m', 1],
  ['S', 1_000],
  ['M', 60_000],
  ['H', 3_600_000],
] as const;

/** `grpc-timeout`: at most eight digits, never less time than there is (PROTOCOL-HTTP2). */
export function timeoutHeader(ms: number): string {
  const [unit, size] = UNITS.find(([, of]) => ms / of < 1e8) ?? ['H', 3_600_000];
  return `${Math.min(99_999_999, Math.max(1, Math.ceil(ms / size)))}${unit}`;
}
