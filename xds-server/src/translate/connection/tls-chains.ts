import type { View } from '../view.ts';
import { connectionMatchApplies } from '../virtual-service-lookup.ts';
import type { VirtualService } from '../world.ts';
import type { Chain } from './chain.ts';

/**
 * `tls` routes of all rules for the host, one chain a match; a match that only differs in what is known already (source,
 * gateway) from an earlier one is never reached (Istio buildSidecarOutboundTLSFilterChainOpts).
 */
export const tlsChains = (rules: readonly VirtualService[], view: View, port: number): readonly Chain[] => {
  const chains: Chain[] = [];
  const handled = new Set<string>();
  for (const rule of rules) {
    for (const { match, route } of rule.spec.tls) {
      for (const one of match) {
        const { sniHosts, destinationSubnets } = one;
        const key = `${sniHosts.join(',')}|${destinationSubnets.join(',')}`;
        if (!connectionMatchApplies(one, view, port) || handled.has(key)) continue;
        handled.add(key);
        const serverNames = sniHosts.includes('*') ? [] : sniHosts.map((name) => name.toLowerCase());
        chains.push({ rule, serverNames: [...new Set(serverNames)], subnets: destinationSubnets, route });
      }
    }
  }
  return chains;
};
