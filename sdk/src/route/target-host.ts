import { findDomain, indexDomains, withoutPort } from '../match/domain.ts';
import type { RouteConfiguration, VirtualHost } from '../model/route.ts';

/** Ports that a URL leaves out, and with it the authority that virtual hosts are written for. */
const UNWRITTEN_PORTS = [':80', ':443'];

/**
 * The configuration as one target needs it: only the virtual host that has what is dialled among its domains, for every
 * authority (gRFC A27 chooses it by the target too). So a `host` header is matched and sent, but never leads to another
 * host's routes, and a control plane that sends every virtual host of the port costs no more than one that sends one.
 */
export function routesOfTarget(config: RouteConfiguration, target: string): RouteConfiguration {
  const host = virtualHostOf(config.virtualHosts, target);
  return {
    ...config,
    ignorePortInHostMatching: false,
    virtualHosts: host === undefined ? [] : [{ ...host, domains: ['*'] }],
  };
}

function virtualHostOf(hosts: readonly VirtualHost[], target: string): VirtualHost | undefined {
  const index = indexDomains(hosts.map((value) => ({ domains: value.domains, value })));
  const bare = withoutPort(target);
  const [first, second] = UNWRITTEN_PORTS.some((port) => target.endsWith(port)) ? [bare, target] : [target, bare];
  return findDomain(index, first) ?? findDomain(index, second);
}
