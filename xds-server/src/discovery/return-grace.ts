import type { Clock, Timer } from '@inmesh/sdk/internal/clock';
import { defaultOf } from '../defaults.ts';
import { CLUSTER_TYPE, ENDPOINT_TYPE } from '../translate/resource-types.ts';
import type { ClientIdentity } from './client-identity.ts';
import type { Waits } from './session-host.ts';

/** Where the endpoints of an assignment come from. `registered`: all that are known registered themselves. */
export type EndpointOrigin = 'configured' | 'registered' | 'none';

/**
 * A control plane that has just started knows nothing of the processes that register over ADS until they are back, but Envoy and gRPC
 * clients take its first answer for all there is: an empty assignment fails their calls. So they wait (decision 0010). The SDK does not
 * have to: it knows that its control plane has just come back.
 */
export class ReturnGrace {
  readonly #clock: Clock;
  readonly #origin: (assignment: string) => EndpointOrigin;
  readonly #changed: () => void;
  #timers: Timer[] = [];
  /** By timers alone: one may fire a moment before the clock shows its time, and nobody would look again. */
  #phase: 'unreachable' | 'early' | 'late' | 'over' = 'unreachable';

  constructor(clock: Clock, origin: (assignment: string) => EndpointOrigin, changed: () => void) {
    this.#clock = clock;
    this.#origin = origin;
    this.#changed = changed;
  }

  /** Processes can reach us from now on. */
  begin(): void {
    if (this.#phase !== 'unreachable') return;
    this.#phase = 'early';
    this.#next('late', defaultOf('returnGraceMs'));
    this.#next('over', defaultOf('registrationGraceMs'));
  }

  waits({ view }: ClientIdentity, typeUrl: string): Waits | undefined {
    if (view.kind === 'sdk' || this.#phase === 'unreachable' || this.#phase === 'over') return undefined;
    const isEarly = this.#phase === 'early';
    return (name, held, found) => {
      // Also of a service that only registered processes make: its listener, routes and clusters.
      if (found === undefined) return held !== undefined;
      // A cluster says whether its endpoints take TLS and as whom they run: of those that are not back it knows neither.
      const isOfEndpoints = typeUrl === ENDPOINT_TYPE || (typeUrl === CLUSTER_TYPE && held !== undefined);
      const origin = isOfEndpoints ? this.#origin(name) : 'configured';
      if (origin === 'configured') return false;
      return isEarly || (origin === 'none' && held !== undefined);
    };
  }

  close(): void {
    for (const timer of this.#timers.splice(0)) timer.cancel();
  }

  #next(phase: 'late' | 'over', afterMs: number): void {
    const enter = (): void => {
      this.#phase = phase;
      this.#changed();
    };
    this.#timers.push(this.#clock.after(afterMs, enter));
  }
}
