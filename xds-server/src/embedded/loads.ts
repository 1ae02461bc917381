import type { Clock } from '@inmesh/sdk/internal/clock';
import type { ClientIdentity } from '../discovery/client-identity.ts';
import { LoadBook, type LoadReport } from '../discovery/load-book.ts';
import { createLoadService, type LoadService } from '../discovery/load-service.ts';
import type { Session } from '../discovery/session.ts';
import type { Federation } from '../snapshot/federation.ts';
import { CLUSTER_TYPE } from '../translate/resource-types.ts';
import { checkInterval } from './ttls.ts';

/** Load reports of clients, where they are asked for. */
export interface Loads {
  readonly service: LoadService;
  report(): LoadReport;
}

export interface LoadsParts {
  readonly clock: Clock;
  readonly federation: Federation;
  /** Those that are open. */
  readonly sessions: () => readonly Session[];
}

/** undefined: nobody is asked. Throws where the interval is none that can be kept. */
export function createLoads(parts: LoadsParts, intervalMs: number | undefined): Loads | undefined {
  if (intervalMs === undefined) return undefined;
  checkInterval(intervalMs);
  const { clock, federation, sessions } = parts;
  const book = new LoadBook((cluster) => federation.plainName(CLUSTER_TYPE, cluster) ?? cluster);
  // The id of a node is what it says: it must not learn what another's process asks for.
  const clustersOf = ({ id, namespace, serviceAccount }: ClientIdentity): readonly string[] =>
    sessions()
      .filter(({ identity: of }) => of?.id === id && of.namespace === namespace && of.serviceAccount === serviceAccount)
      .flatMap(({ names }) => names.get(CLUSTER_TYPE) ?? []);
  return {
    service: createLoadService({ clock, book, intervalMs, clustersOf }),
    report: () => book.report(),
  };
}
