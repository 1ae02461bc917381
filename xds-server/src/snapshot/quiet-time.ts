import type { Clock, Timer } from '@inmesh/sdk/internal/clock';
import { defaultOf } from '../defaults.ts';

export type Urgency = 'endpoints' | 'configuration';

export interface QuietTime {
  /** Something of this urgency waits to be served. */
  note(urgency: Urgency): void;
  close(): void;
}

/**
 * When changes are served. Endpoints go at once, then at most once in a cooling-off time: a pod that dies must not wait
 * for a debounce. Configuration waits until nothing has changed for a while, because its parts come one after another,
 * and goes after a maximum however busy it stays; it takes waiting endpoints along.
 */
export const createQuietTime = (clock: Clock, serve: (urgency: Urgency) => void): QuietTime => {
  let endpointTimer: Timer | undefined;
  let configurationTimer: Timer | undefined;
  let coolUntil = Number.NEGATIVE_INFINITY;
  let configurationSince: number | undefined;

  const serveEndpoints = (): void => {
    endpointTimer = undefined;
    coolUntil = clock.now() + defaultOf('endpointCoolingMs');
    serve('endpoints');
  };
  const serveConfiguration = (): void => {
    endpointTimer?.cancel();
    endpointTimer = undefined;
    configurationTimer = undefined;
    configurationSince = undefined;
    coolUntil = clock.now() + defaultOf('endpointCoolingMs');
    serve('configuration');
  };

  return {
    note(urgency) {
      const now = clock.now();
      if (urgency === 'configuration') {
        configurationSince ??= now;
        configurationTimer?.cancel();
        const due = Math.min(
          now + defaultOf('configurationQuietMs'),
          configurationSince + defaultOf('configurationMaxMs'),
        );
        configurationTimer = clock.after(due - now, serveConfiguration);
      } else if (endpointTimer === undefined) {
        if (now >= coolUntil) serveEndpoints();
        else endpointTimer = clock.after(coolUntil - now, serveEndpoints);
      }
    },
    close() {
      endpointTimer?.cancel();
      configurationTimer?.cancel();
    },
  };
};
