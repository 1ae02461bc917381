import type { RouteConfiguration } from '@inmesh/sdk/internal/gen/route';

/** Every cluster that the routes may send a request to (mirrors aside: a lost mirror fails nobody). */
export const referencedClusters = ({ virtualHosts }: RouteConfiguration): readonly string[] => {
  const names = new Set<string>();
  for (const { routes } of virtualHosts) {
    for (const { action } of routes) {
      if (action.case !== 'route') continue;
      const { clusterSpecifier } = action.value;
      if (clusterSpecifier.case === 'cluster') names.add(clusterSpecifier.value);
      if (clusterSpecifier.case === 'weightedClusters') {
        for (const { name } of clusterSpecifier.value.clusters) names.add(name);
      }
    }
  }
  return [...names];
};
