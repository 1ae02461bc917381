import type { Clock, Random, Timer } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import { type Rotation, type RotationEffect, type RotationEvent, stepRotation } from './rotation.ts';
import type { IdentitySource, SourceListener, SourceState } from './source.ts';
import { lifeLeftMs } from './validity.ts';

/** Whoever makes a certificate when asked. */
export interface Issuer extends Pick<IdentitySource, 'kind' | 'from' | 'hasWholeBundles'> {
  /** Rejects with what went wrong, in words for the operator. */
  issue(): Promise<SourceState>;
}

/** A source that asks again in time, and again when it was refused. */
export const createRenewal = (issuer: Issuer, parts: RenewalParts): IdentitySource => new Renewal(issuer, parts);

interface RenewalParts {
  readonly clock: Clock;
  readonly random: Random;
}

class Renewal implements IdentitySource {
  readonly kind: IdentitySource['kind'];
  readonly from: string;
  readonly hasWholeBundles: boolean;
  readonly #issuer: Issuer;
  readonly #parts: RenewalParts;
  #state: Rotation = { kind: 'idle' };
  #timer: Timer | undefined;
  #on: SourceListener | undefined;

  constructor(issuer: Issuer, parts: RenewalParts) {
    this.kind = issuer.kind;
    this.from = issuer.from;
    this.hasWholeBundles = issuer.hasWholeBundles;
    this.#issuer = issuer;
    this.#parts = parts;
  }

  get nextMs(): number | undefined {
    return 'dueMs' in this.#state ? this.#state.dueMs : undefined;
  }

  start(on: SourceListener): void {
    this.#on = on;
    this.#step({ kind: 'start' });
  }

  nudge(): void {
    this.#step({ kind: 'nudge' });
  }

  close(): void {
    this.#step({ kind: 'close' });
  }

  #step(event: RotationEvent): void {
    const [state, effects] = stepRotation(this.#state, event, this.#parts.random);
    this.#state = state;
    for (const effect of effects) this.#perform(effect);
  }

  #perform(effect: RotationEffect): void {
    const { clock } = this.#parts;
    switch (effect.kind) {
      case 'ask':
        void this.#ask();
        return;
      case 'stop':
        this.#timer?.cancel();
        return;
      case 'wait':
        this.#wait(clock.now() + effect.ms, clock.wallTime() + effect.ms);
    }
  }

  /** In slices: after a suspend the wall clock knows first that it is time, and a timer holds 24 days at most. */
  #wait(dueMs: number, wallDueMs: number): void {
    const { clock } = this.#parts;
    const leftMs = Math.min(dueMs - clock.now(), wallDueMs - clock.wallTime());
    if (leftMs <= 0) this.#step({ kind: 'due' });
    else
      this.#timer = clock.after(Math.min(leftMs, defaultOf('certificateCheckMs')), () => this.#wait(dueMs, wallDueMs));
  }

  async #ask(): Promise<void> {
    const { clock } = this.#parts;
    let reason: string;
    try {
      const issued = await this.#issuer.issue();
      const leftMs = lifeLeftMs(issued.svid, clock);
      if (typeof leftMs === 'number') {
        this.#step({ kind: 'issued', nowMs: clock.now(), leftMs });
        if (this.#state.kind !== 'closed') this.#on?.found(issued);
        return;
      }
      reason = leftMs;
    } catch (error) {
      reason = error instanceof Error ? error.message : String(error);
    }
    this.#step({ kind: 'failed', nowMs: clock.now() });
    if (this.#state.kind !== 'closed') this.#on?.failed(reason);
  }
}
