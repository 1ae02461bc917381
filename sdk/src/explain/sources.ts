import { type Clock, holdProcess } from '../clock.ts';
import { defaultOf } from '../defaults.ts';
import type { Discovery } from '../discovery/discovery.ts';
import { type RouteSource, type RouteSources, routeSourcesType } from '../resource/route-sources.ts';
import type { RouteDecision } from '../route/table.ts';
import type { Explanation } from './explanation.ts';

interface Position {
  readonly source: Explanation['source'];
  readonly notes: readonly string[];
}

/** Asks the control plane where a route is written. One that does not know (istiod, say) costs a second at most. */
export async function sourceOf(
  parts: { readonly discovery: Discovery; readonly clock: Clock },
  routeConfiguration: string,
  decision: RouteDecision,
): Promise<Position> {
  const sources = await routeSources(parts, routeConfiguration);
  const found = sources?.routes.find(
    ({ virtualHost, routeIndex }) => virtualHost === decision.virtualHost && routeIndex === decision.routeIndex,
  );
  if (found === undefined) return { source: null, notes: [] };
  return { source: positionOf(found), notes: found.notes };
}

const positionOf = ({ file, line }: RouteSource): Explanation['source'] =>
  file === undefined ? null : { file, line: line ?? 1 };

function routeSources(
  { discovery, clock }: { readonly discovery: Discovery; readonly clock: Clock },
  name: string,
): Promise<RouteSources | undefined> {
  const hold = holdProcess();
  return new Promise<RouteSources | undefined>((resolve) => {
    const timer = clock.after(defaultOf('explainSourcesMs'), () => done(undefined));
    const unsubscribe = discovery.subscribe(routeSourcesType, name, {
      onResource: (value) => done(value),
      onAbsent: () => done(undefined),
      onError: () => done(undefined),
    });
    const done = (value: RouteSources | undefined): void => {
      timer.cancel();
      unsubscribe();
      hold.cancel();
      resolve(value);
    };
  });
}
