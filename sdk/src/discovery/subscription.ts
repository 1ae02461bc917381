/**
 * What is known about one subscribed resource, as a table: `step(state, event) → [state, effects]`. The value itself stays
 * with the shell: the table only says which one counts.
 */

export type Subscription =
  /** No answer yet. `clock`: its timers run, because the server can be spoken to. */
  | { readonly kind: 'asked'; readonly clock: boolean }
  /** The last good version; `rejected` names what is wrong with the newest one, which was not taken (gRFC A88). */
  | { readonly kind: 'present'; readonly version: string; readonly rejected?: string }
  | { readonly kind: 'absent'; readonly reason: string }
  /** The only version ever seen was bad. */
  | { readonly kind: 'rejected'; readonly reason: string }
  /** No answer came in time from a server that is known to say when something does not exist (gRFC A88). */
  | { readonly kind: 'late'; readonly reason: string };

export type SubscriptionEvent =
  | { readonly kind: 'accepted'; readonly version: string }
  | { readonly kind: 'bad'; readonly reason: string }
  | { readonly kind: 'removed'; readonly reason: string }
  | { readonly kind: 'stream-up' }
  | { readonly kind: 'stream-down' }
  | { readonly kind: 'silent' }
  /** `isTransient`: the server is slow, which says nothing about the resource (gRFC A88). */
  | { readonly kind: 'timeout'; readonly reason: string; readonly isTransient: boolean };

export type SubscriptionEffect =
  | 'tell-resource'
  | 'tell-absent'
  | 'tell-error'
  | 'tell-silent'
  | 'start-timers'
  | 'stop-timers';

type Step = readonly [Subscription, readonly SubscriptionEffect[]];

export const ASKED: Subscription = { kind: 'asked', clock: false };

export function stepSubscription(state: Subscription, event: SubscriptionEvent): Step {
  const stop: readonly SubscriptionEffect[] = state.kind === 'asked' && state.clock ? ['stop-timers'] : [];
  switch (event.kind) {
    case 'accepted':
      return [{ kind: 'present', version: event.version }, [...stop, 'tell-resource']];
    case 'bad':
      // Last good kept: a bad version of a resource we hold is an ambient error (gRFC A46, A88).
      if (state.kind === 'present') return [{ ...state, rejected: event.reason }, ['tell-error']];
      return [{ kind: 'rejected', reason: event.reason }, [...stop, 'tell-error']];
    case 'removed':
      if (state.kind === 'absent') return [state, []];
      return [{ kind: 'absent', reason: event.reason }, [...stop, 'tell-absent']];
    default:
      return waiting(state, event);
  }
}

/** Silence counts only while nothing is known and the server can be spoken to (gRFC A57). */
function waiting(
  state: Subscription,
  event: Exclude<SubscriptionEvent, { kind: 'accepted' | 'bad' | 'removed' }>,
): Step {
  // A new stream is asked again: what was late has its time anew.
  if (state.kind === 'late' && event.kind === 'stream-down') return [ASKED, []];
  if (state.kind !== 'asked') return [state, []];
  switch (event.kind) {
    case 'stream-up':
      return state.clock ? [state, []] : [{ kind: 'asked', clock: true }, ['start-timers']];
    case 'stream-down':
      return state.clock ? [{ kind: 'asked', clock: false }, ['stop-timers']] : [state, []];
    case 'silent':
      return [state, ['tell-silent']];
    case 'timeout':
      if (event.isTransient) return [{ kind: 'late', reason: event.reason }, ['tell-error']];
      return [{ kind: 'absent', reason: event.reason }, ['tell-absent']];
  }
}
