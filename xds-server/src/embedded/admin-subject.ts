import type { ClientStatusSubject } from '../admin/client-status.ts';
import { clientStatusJson } from '../admin/client-status-json.ts';
import { type ClientView, type LimitsOf, limitLines } from '../admin/clients.ts';
import { configDump } from '../admin/config-dump.ts';
import type { ControlPlaneMetrics } from '../admin/metrics.ts';
import type { AdminSubject } from '../admin/pages.ts';
import type { AdsService } from '../discovery/ads-service.ts';
import type { LoadReport } from '../discovery/load-book.ts';
import type { Problem } from '../schema/types.ts';
import type { EncodedResource } from '../snapshot/encoded-resource.ts';
import type { View } from '../translate/view.ts';
import type { RefusedClient } from './refusal-book.ts';

/** The parts of a control plane that its admin pages show. */
export interface AdminSubjectParts {
  readonly service: AdsService;
  readonly metrics: ControlPlaneMetrics;
  readonly isReady: () => boolean;
  readonly clients: () => readonly ClientView[];
  readonly problems: () => readonly Problem[];
  readonly refusals: () => readonly RefusedClient[];
  /** How many services are known. */
  readonly services: () => number;
  /** undefined: nobody is asked to report. */
  readonly loads: () => LoadReport | undefined;
  readonly limitsOf: LimitsOf;
  readonly resource: (view: View, typeUrl: string, name: string) => EncodedResource | undefined;
}

export const clientStatusSubject = ({ service, resource, limitsOf }: AdminSubjectParts): ClientStatusSubject => ({
  limits: (session) => limitLines(session, limitsOf),
  sessions: () => service.sessions,
  resource: ({ identity }, typeUrl, name) => identity && resource(identity.view, typeUrl, name),
});

export function adminSubject(parts: AdminSubjectParts): AdminSubject {
  const { service, metrics, isReady, clients, problems, refusals, services, resource, loads } = parts;
  return {
    isReady,
    clients,
    problems,
    refusals,
    loads,
    clientStatus: (client, withContents) => clientStatusJson(clientStatusSubject(parts), { client, withContents }),
    metrics: () => {
      const list = problems();
      const of = (severity: string) => list.filter((problem) => problem.severity === severity).length;
      const counts = { services: services(), waiting: service.waiting, errors: of('error'), warnings: of('warning') };
      return metrics.scrape({ ...counts, loads: loads() });
    },
    dump: async (id) => {
      const sessions = service.sessions.filter(({ identity }) => identity?.id === id);
      const view = sessions[0]?.identity?.view;
      return view && configDump(sessions, (typeUrl, name) => resource(view, typeUrl, name));
    },
  };
}
