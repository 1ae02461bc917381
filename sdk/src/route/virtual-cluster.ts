import { headerMatches } from '../match/header-match.ts';
import type { MeshRequest } from '../model/request.ts';
import type { RouteDecision } from './table.ts';

/** Of requests that fit none where there are some (Envoy VirtualHostImpl::CatchAllVirtualCluster). */
export const CATCH_ALL = 'other';

/** The name of the first that fits; undefined for a virtual host without any. */
export function virtualClusterOf({ virtualClusters }: RouteDecision, request: MeshRequest): string | undefined {
  if (virtualClusters === undefined) return undefined;
  const found = virtualClusters.find(({ headers }) => headers.every((header) => headerMatches(header, request)));
  return found?.name ?? CATCH_ALL;
}
