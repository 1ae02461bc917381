import type { ControlPlaneMetrics } from '../admin/metrics.ts';
import type { AdsEvents } from '../discovery/ads-service.ts';
import type { ProblemBook } from './problems.ts';

/** What happens on streams, counted and told. */
export const streamEvents = (metrics: ControlPlaneMetrics, problems: ProblemBook): AdsEvents => ({
  opened: () => metrics.opened(),
  closed: () => metrics.closed(),
  throttled: () => {
    metrics.throttled++;
  },
  refusedNames: (count) => {
    metrics.refusedNames += count;
  },
  pushed: (durationMs) => metrics.pushed(durationMs),
  warning: (message) => problems.tell(message),
  answered: (session, typeUrl, status) => {
    metrics.answered(typeUrl, status.kind === 'NACK');
    if (status.kind === 'NACK') problems.tell(`${session.identity?.id} rejects ${typeUrl}: ${status.reason}`);
  },
});
