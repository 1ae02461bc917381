import type { Random } from '../clock.ts';

/** Envoy RANDOM: every host alike; endpoint weights do not count. */
export interface RandomChoice {
  readonly kind: 'random';
}

export const pickRandom = (hosts: readonly unknown[], random: Random): number =>
  hosts.length === 0 ? -1 : random() % hosts.length;
