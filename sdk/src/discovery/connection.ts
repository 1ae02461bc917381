import type { Random } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { backoffMs } from './backoff.ts';
import type { AdsMethod, AdsStatus } from './transport.ts';

/** The life of the ADS stream to a server, as a table: `step(state, event) → [state, effects]`. */

export type Connection =
  /** Nothing was asked for yet. */
  | { readonly kind: 'idle'; readonly method: AdsMethod }
  | { readonly kind: 'connecting'; readonly method: AdsMethod; readonly failures: number }
  /** `sinceMs`: when the stream was opened; `delivered`: it brought at least one response. */
  | {
      readonly kind: 'up';
      readonly method: AdsMethod;
      readonly failures: number;
      readonly sinceMs: number;
      readonly delivered: boolean;
    }
  | { readonly kind: 'waiting'; readonly method: AdsMethod; readonly failures: number; readonly reason: string }
  | { readonly kind: 'closed' };

export type ConnectionEvent =
  | { readonly kind: 'wanted' }
  | { readonly kind: 'opened'; readonly nowMs: number }
  | { readonly kind: 'message'; readonly nowMs: number }
  | { readonly kind: 'lost'; readonly status: AdsStatus; readonly nowMs: number }
  | { readonly kind: 'retry' }
  /** Nobody listens to this server any longer; it may be wanted again. */
  | { readonly kind: 'let-go' }
  | { readonly kind: 'close' };

export type ConnectionEffect =
  | { readonly kind: 'open'; readonly method: AdsMethod }
  | { readonly kind: 'announce-up' }
  /** `isMissed`: the server could not be reached, or ended a stream that had brought nothing (gRFC A57). */
  | { readonly kind: 'retry-after'; readonly ms: number; readonly reason: string; readonly isMissed: boolean }
  | { readonly kind: 'close-stream' };

export interface ConnectionRules {
  readonly isLocal: boolean;
  /** False when the bootstrap or an option forces one method. */
  readonly mayFallBack: boolean;
  readonly random: Random;
}

type Step = readonly [Connection, readonly ConnectionEffect[]];

const UNIMPLEMENTED = 12;

export function stepConnection(state: Connection, event: ConnectionEvent, rules: ConnectionRules): Step {
  if (state.kind === 'closed') return [state, []];
  switch (event.kind) {
    case 'close':
      return [{ kind: 'closed' }, [{ kind: 'close-stream' }]];
    case 'let-go':
      return state.kind === 'idle' ? [state, []] : [{ kind: 'idle', method: state.method }, [{ kind: 'close-stream' }]];
    case 'wanted':
      return state.kind === 'idle' ? open(state.method, 0) : [state, []];
    case 'retry':
      return state.kind === 'waiting' ? open(state.method, state.failures) : [state, []];
    case 'opened':
    case 'message':
      return alive(state, event.nowMs, event.kind === 'message');
    case 'lost':
      return lost(state, event, rules);
  }
}

const open = (method: AdsMethod, failures: number): Step => [
  { kind: 'connecting', method, failures },
  [{ kind: 'open', method }],
];

function alive(state: Connection, nowMs: number, delivered: boolean): Step {
  if (state.kind === 'connecting') {
    const { method, failures } = state;
    return [{ kind: 'up', method, failures, sinceMs: nowMs, delivered }, [{ kind: 'announce-up' }]];
  }
  if (state.kind === 'up' && delivered && !state.delivered) return [{ ...state, delivered: true }, []];
  return [state, []];
}

/** PERMISSION_DENIED, UNAUTHENTICATED. */
const NOT_BELIEVED: ReadonlySet<number> = new Set([7, 16]);

function lost(
  state: Connection,
  { status, nowMs }: { readonly status: AdsStatus; readonly nowMs: number },
  rules: ConnectionRules,
): Step {
  if (state.kind !== 'connecting' && state.kind !== 'up') return [state, []];
  const delivered = state.kind === 'up' && state.delivered;
  // No signal but this one tells whether a server speaks delta. The answer is kept for as long as we know the server.
  if (status.code === UNIMPLEMENTED && state.method === 'delta' && rules.mayFallBack && !delivered) {
    return open('sotw', state.failures);
  }
  const reason = status.message || `gRPC status ${status.code}`;
  // gRFC A57: a stream that brought something and ended is no error, the next one opens at once; not when it lived less
  // than a second, or a server that answers and hangs up would be asked in a hot loop.
  const lived = state.kind === 'up' ? nowMs - state.sinceMs : 0;
  const failures = delivered ? 1 : state.failures + 1;
  // Who is not believed is not believed a moment later: only a local server that is not there is asked often.
  const isLocal = rules.isLocal && !NOT_BELIEVED.has(status.code);
  const ms = delivered && lived >= defaultOf('backoffBaseMs') ? 0 : backoffMs(failures, isLocal, rules.random);
  return [
    { kind: 'waiting', method: state.method, failures: ms === 0 ? 0 : failures, reason },
    [{ kind: 'retry-after', ms, reason, isMissed: !delivered }],
  ];
}
