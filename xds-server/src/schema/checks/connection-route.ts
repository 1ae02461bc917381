import type { Place } from '../place.ts';
import type { RouteDestination, VirtualServiceSpec } from '../spec/virtual-service.ts';
import { isIP } from '../syntax.ts';

/** Rules between the fields of `tls` and `tcp` routes, as Istio's webhook has them (validateTLSRoute, validateTCPRoute). */
export const checkConnectionRoutes = ({ hosts, tls, tcp }: VirtualServiceSpec, place: Place): void => {
  for (const [index, { match, route }] of tls.entries()) {
    const at = place.in('tls', index);
    if (match.length === 0) at.at('match').error('want at least one match: a tls route is chosen by its sniHosts');
    for (const [entry, { sniHosts }] of match.entries()) {
      checkServerNames(sniHosts, hosts, at.in('match', entry, 'sniHosts'));
    }
    checkDestinations(route, at);
  }
  for (const [index, { route }] of tcp.entries()) checkDestinations(route, place.in('tcp', index));
};

/** validateSniHost: a name that the rule's hosts do not cover would take connections of other services. */
const checkServerNames = (names: readonly string[], hosts: readonly string[], place: Place): void => {
  if (names.length === 0) place.error('want at least one host');
  for (const [index, name] of names.entries()) {
    if (isIP(name)) place.at(index).warn(`${name} is an IP address, which no client sends as its server name`);
    else if (!hosts.some((host) => covers(host.toLowerCase(), name.toLowerCase()))) {
      place.at(index).error(`${name} is not one of this rule's hosts, want a subset of ${hosts.join(', ')}`);
    }
  }
};

/** Istio host.Name.SubsetOf, with hosts as they are written. */
const covers = (host: string, name: string): boolean =>
  host === name ||
  (host.startsWith('*') && name.replace(/^\*/, '').endsWith(host.slice(1)) && name.length >= host.length);

const checkDestinations = (route: readonly RouteDestination[], place: Place): void => {
  if (route.length === 0) place.at('route').error('want at least one destination');
  const total = route.reduce((sum, { weight }) => sum + (weight ?? 0), 0);
  if (route.length > 1 && total === 0) place.at('route').error('the weights add up to 0, want at least one above 0');
  if (total > 4_294_967_295) place.at('route').error(`the weights add up to ${total}, want at most 4294967295`);
};
