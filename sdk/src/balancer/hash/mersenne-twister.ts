import type { Random } from '../../clock.ts';

/**
 * The 32-bit Mersenne Twister, C++'s `std::mt19937`: Envoy draws the hosts that stand in for an overloaded one by it, so
 * that the same hash meets the same hosts in every proxy.
 */

const SIZE = 624;
const MIDDLE = 397;
const MATRIX = 0x9908_b0df;
const UPPER = 0x8000_0000;
const LOWER = 0x7fff_ffff;

export function mersenneTwister(seed: number): Random {
  const state = seededState(seed);
  let at = SIZE;
  return () => {
    if (at === SIZE) {
      twist(state);
      at = 0;
    }
    let word = state[at++] ?? 0;
    word ^= word >>> 11;
    word ^= (word << 7) & 0x9d2c_5680;
    word ^= (word << 15) & 0xefc6_0000;
    return (word ^ (word >>> 18)) >>> 0;
  };
}

function seededState(seed: number): Uint32Array {
  const state = new Uint32Array(SIZE);
  let word = seed | 0;
  state[0] = word;
  for (let at = 1; at < SIZE; at++) {
    word = (Math.imul(1_812_433_253, word ^ (word >>> 30)) + at) | 0;
    state[at] = word;
  }
  return state;
}

function twist(state: Uint32Array): void {
  for (let at = 0; at < SIZE; at++) {
    const word = ((state[at] ?? 0) & UPPER) | ((state[(at + 1) % SIZE] ?? 0) & LOWER);
    state[at] = (state[(at + MIDDLE) % SIZE] ?? 0) ^ (word >>> 1) ^ (word & 1 ? MATRIX : 0);
  }
}
