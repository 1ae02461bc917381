import { type AuthorityState, type KeyedRoot, timesText } from './authority-state.ts';
import type { Issuer, Revocation } from './issuer.ts';
import { type RotationPolicy, trustedUntil } from './rotation.ts';

/** The root itself as who signs. */
export const issuerOf = ({ certificate, key, pem }: KeyedRoot): Issuer => ({
  certificate,
  key,
  intermediates: [],
  root: pem,
  endMs: certificate.validToDate.getTime(),
});

/** Those whose key is here: each signs its own revocation list. */
export const keyedRoots = ({ active, next, retired }: AuthorityState): readonly KeyedRoot[] => [
  active,
  ...(next === undefined ? [] : [next.root]),
  ...retired.map(({ root }) => root),
];

/** The next root signs from now on; the one before stays trusted until its leaves have ended. */
export function promoted(state: AuthorityState, nowMs: number, policy: RotationPolicy): AuthorityState {
  const { active, next, retired } = state;
  if (next === undefined) return state;
  const untilMs = trustedUntil(active.certificate.validToDate.getTime(), nowMs, policy);
  return { ...state, active: next.root, next: undefined, retired: [{ root: active, untilMs }, ...retired] };
}

export const forgotten = (state: AuthorityState, nowMs: number): AuthorityState => ({
  ...state,
  retired: state.retired.filter(({ untilMs }) => untilMs > nowMs),
});

/** What is kept of a plugged-in CA. */
export const revokedText = (revoked: readonly Revocation[]): string =>
  timesText({ signsAtMs: undefined, trustedUntilMs: new Map(), revoked });
