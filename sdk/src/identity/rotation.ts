import type { Random } from '../clock.ts';
import { defaultOf } from '../defaults.ts';

/**
 * When a certificate is asked for anew, as a table: `stepRotation(state, event) → [state, effects]`. Times are of the monotonic
 * clock; how long a certificate lives is told once, when it comes, so a wall clock that jumps moves nothing.
 */
export type Rotation =
  | { readonly kind: 'idle' }
  | { readonly kind: 'asking'; readonly failures: number; readonly untilMs: number | undefined }
  /** A certificate is held; the next is asked for at `dueMs`. */
  | { readonly kind: 'holding'; readonly dueMs: number; readonly untilMs: number }
  /** The last attempt went wrong. `untilMs`: the end of the certificate that is still held. */
  | {
      readonly kind: 'waiting';
      readonly failures: number;
      readonly dueMs: number;
      readonly untilMs: number | undefined;
    }
  | { readonly kind: 'closed' };

export type RotationEvent =
  | { readonly kind: 'start' }
  | { readonly kind: 'issued'; readonly nowMs: number; readonly leftMs: number }
  | { readonly kind: 'failed'; readonly nowMs: number }
  | { readonly kind: 'due' }
  /** The issuer may be back. */
  | { readonly kind: 'nudge' }
  | { readonly kind: 'close' };

export type RotationEffect =
  | { readonly kind: 'ask' }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'stop' };

type Step = readonly [Rotation, readonly RotationEffect[]];

export function stepRotation(state: Rotation, event: RotationEvent, random: Random): Step {
  if (state.kind === 'closed') return [state, []];
  switch (event.kind) {
    case 'close':
      return [{ kind: 'closed' }, [{ kind: 'stop' }]];
    case 'start':
      return state.kind === 'idle' ? ask(0, undefined) : [state, []];
    case 'due':
      if (state.kind === 'holding') return ask(0, state.untilMs);
      return state.kind === 'waiting' ? ask(state.failures, state.untilMs) : [state, []];
    case 'nudge': {
      if (state.kind !== 'waiting') return [state, []];
      const [asking, effects] = ask(state.failures, state.untilMs);
      return [asking, [{ kind: 'stop' }, ...effects]];
    }
    case 'issued': {
      if (state.kind !== 'asking') return [state, []];
      const ms = renewalMs(event.leftMs, random);
      const untilMs = event.nowMs + event.leftMs;
      return [{ kind: 'holding', dueMs: event.nowMs + ms, untilMs }, [{ kind: 'wait', ms }]];
    }
    case 'failed':
      return state.kind === 'asking' ? retry(state, event.nowMs, random) : [state, []];
  }
}

const ask = (failures: number, untilMs: number | undefined): Step => [
  { kind: 'asking', failures, untilMs },
  [{ kind: 'ask' }],
];

function retry(state: Extract<Rotation, { kind: 'asking' }>, nowMs: number, random: Random): Step {
  const failures = state.failures + 1;
  const leftMs = state.untilMs === undefined ? undefined : Math.max(0, state.untilMs - nowMs);
  const ms = retryMs(failures, leftMs, random);
  return [{ kind: 'waiting', failures, dueMs: nowMs + ms, untilMs: state.untilMs }, [{ kind: 'wait', ms }]];
}

/** A number from 1 − share to 1 + share. */
const jitter = (share: number, random: Random): number => 1 - share + (random() / 0x1_0000_0000) * 2 * share;

const HALF = 0.5;
const RENEWAL_JITTER = 0.1;
const RETRY_JITTER = 0.2;

/**
 * Half of the life that is left, as ztunnel; ±10 %, so that processes that started together do not renew together. Never less
 * than the first retry: an issuer of certificates that are all but over is not asked in a hot loop.
 */
export const renewalMs = (leftMs: number, random: Random): number =>
  Math.max(defaultOf('identityRetryMs'), Math.round(leftMs * HALF * jitter(RENEWAL_JITTER, random)));

/**
 * ztunnel's back-off: 0.5 s × 2 ± 20 %, 150 s at most. While a certificate is held, never longer than half of what is left of
 * it: a short one would end during the wait.
 */
export function retryMs(failures: number, leftMs: number | undefined, random: Random): number {
  const first = defaultOf('identityRetryMs');
  const longest = Math.max(first, Math.min(defaultOf('identityRetryMaxMs'), (leftMs || Number.POSITIVE_INFINITY) / 2));
  return Math.round(Math.min(first * 2 ** Math.min(failures - 1, 30), longest) * jitter(RETRY_JITTER, random));
}
