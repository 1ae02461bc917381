import type { RouteDestination } from '../../schema/spec/virtual-service.ts';
import type { VirtualService } from '../world.ts';

/** One filter chain before it is a message: which connections it takes, and where they go. */
export interface Chain {
  /** undefined: what Istio makes where no rule applies. */
  readonly rule: VirtualService | undefined;
  /** Empty: any name or none. */
  readonly serverNames: readonly string[];
  /** CIDR prefixes or addresses; empty: any. */
  readonly subnets: readonly string[];
  readonly route: readonly RouteDestination[];
}

/**
 * Envoy refuses a listener two of whose chains take the same connections: the first keeps them, later ones what is left.
 * Several ranges stay together as long as all of them are free for the same names.
 */
export const withoutTwins = (chains: readonly Chain[]): readonly Chain[] => {
  const taken = new Set<string>();
  return chains.flatMap((chain) => {
    const names = chain.serverNames.length > 0 ? chain.serverNames : [''];
    const subnets = chain.subnets.length > 0 ? chain.subnets : [''];
    const free = subnets.map((subnet) => ({ subnet, names: names.filter((name) => !taken.has(`${subnet} ${name}`)) }));
    for (const subnet of subnets) for (const name of names) taken.add(`${subnet} ${name}`);
    if (free.every(({ names: left }) => left.length === names.length)) return [chain];
    return free.flatMap(({ subnet, names: left }): Chain[] => {
      if (left.length === 0) return [];
      return [{ ...chain, serverNames: left.filter(Boolean), subnets: subnet === '' ? [] : [subnet] }];
    });
  });
};
