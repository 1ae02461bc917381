/** When roots come and go: pure. */

export interface RotationPolicy {
  /** Between a new root's being trusted and its first signature: everyone has heard of it by then. */
  readonly overlapMs: number;
  /** The longest a leaf may live: as long after its last signature a root stays trusted. */
  readonly maxCertificateMs: number;
}

/** In this last part of its life a root is followed by another (Istio: its last 20 %). */
const LAST_PART = 0.2;

export interface RotationFacts {
  readonly activeStartMs: number;
  readonly activeEndMs: number;
  /** When the next root signs; undefined: there is none. */
  readonly nextSignsAtMs: number | undefined;
  readonly retiredUntilMs: readonly number[];
}

export type RotationStep = 'announce' | 'promote' | 'forget';

/** What is to be done now; undefined: nothing. Asked again after each step. */
export function dueStep(facts: RotationFacts, nowMs: number): RotationStep | undefined {
  const { activeStartMs, activeEndMs, nextSignsAtMs } = facts;
  if (nextSignsAtMs !== undefined) {
    // Whoever has not heard of the next one is lost all the same once this one has ended.
    if (nowMs >= nextSignsAtMs || nowMs >= activeEndMs) return 'promote';
  } else if (nowMs >= activeEndMs - LAST_PART * (activeEndMs - activeStartMs)) return 'announce';
  return facts.retiredUntilMs.some((untilMs) => nowMs >= untilMs) ? 'forget' : undefined;
}

/** Until when a root that signs no more is trusted: its last leaf has ended by then, and it never outlives itself. */
export const trustedUntil = (endMs: number, nowMs: number, { maxCertificateMs }: RotationPolicy): number =>
  Math.min(endMs, nowMs + maxCertificateMs);
