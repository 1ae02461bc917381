import type { View } from '../view.ts';
import { connectionMatchApplies } from '../virtual-service-lookup.ts';
import type { VirtualService } from '../world.ts';
import type { Chain } from './chain.ts';

export interface TcpChains {
  readonly chains: readonly Chain[];
  /** One of them takes every address: nothing is left for the service itself. */
  readonly takesAll: boolean;
}

/**
 * `tcp` routes of all rules for the host, in order, up to the first that takes every address; the subnets of one route's
 * matches are one chain (Istio buildSidecarOutboundTCPFilterChainOpts).
 */
export const tcpChains = (rules: readonly VirtualService[], view: View, port: number): TcpChains => {
  const chains: Chain[] = [];
  for (const rule of rules) {
    for (const { match, route } of rule.spec.tcp) {
      const applicable = match.filter((one) => connectionMatchApplies(one, view, port));
      const whole = applicable.find(({ destinationSubnets }) => destinationSubnets.length === 0);
      if (match.length === 0 || whole !== undefined) {
        chains.push({ rule, serverNames: [], subnets: [], route });
        return { chains, takesAll: true };
      }
      const subnets = [...new Set(applicable.flatMap(({ destinationSubnets }) => destinationSubnets))];
      if (subnets.length > 0) chains.push({ rule, serverNames: [], subnets, route });
    }
  }
  return { chains, takesAll: false };
};
