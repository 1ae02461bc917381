import { covers, parseIp, parseIpPrefix } from '@inmesh/sdk/internal/match/ip-prefix';
import type { MeshService, MeshServicePort } from '../registry/read-model.ts';
import { hostCandidates, hostCovers, isIpLiteral, parseClusterName, parseTarget } from './names.ts';
import { dialable, imported } from './sidecar-scope.ts';
import { isVisible, type View } from './view.ts';
import { visibleVirtualServices } from './virtual-service-lookup.ts';
import type { World } from './world.ts';

/** What a client reaches under one `host:port`. */
export interface Target {
  /** Hostname of the service, or a host that only VirtualServices know. */
  readonly host: string;
  readonly port: number;
  /** undefined: no service, routed by VirtualServices alone. */
  readonly service: MeshService | undefined;
}

/** On this port a client gets virtual hosts for hosts that no service has (Istio's listener 0.0.0.0_80). */
const UNREGISTERED_HOSTS_PORT = 80;

/**
 * One of several services of a hostname: the client's own namespace first, else the registry's order; with the ports that
 * its Sidecar imports.
 */
export const selectService = (world: World, view: View, hostname: string): MeshService | undefined => {
  const usable = visible(world, view, world.services(hostname)).flatMap(
    (service) => imported(world, view, service) ?? [],
  );
  return preferOwn(usable, view);
};

/** ExternalNames that stand for ExternalNames; more are a circle. */
const MOST_ALIASES = 8;

/** What an ExternalName stands for where the mesh knows that host (Istio's service alias); any other service is itself. */
export const aliased = (world: World, view: View, service: MeshService): MeshService => {
  let found = service;
  for (let depth = 0; depth < MOST_ALIASES && found.externalName !== undefined; depth += 1) {
    const next = selectService(world, view, found.externalName);
    if (next === undefined) break;
    found = next;
  }
  return found;
};

/** The same, of those that the client may dial itself on this port. */
const selectTarget = (
  world: World,
  view: View,
  services: readonly MeshService[],
  port: number,
): MeshService | undefined =>
  withPorts(
    world,
    view,
    preferOwn(
      visible(world, view, services).filter((service) => dialable(world, view, service, port)),
      view,
    ),
  );

const visible = (world: World, view: View, services: readonly MeshService[]): readonly MeshService[] =>
  services.filter(({ exportTo, namespace }) =>
    isVisible(exportTo.length > 0 ? exportTo : world.mesh().exportTo.service, namespace, view.namespace),
  );

const preferOwn = (services: readonly MeshService[], view: View): MeshService | undefined =>
  services.find(({ namespace }) => namespace === view.namespace) ?? services[0];

export const servicePort = (service: MeshService, port: number): MeshServicePort | undefined =>
  service.ports.find(({ number, protocol }) => number === port && protocol !== 'udp');

/** The service behind a listener's name as the client wrote it; undefined = the mesh does not know it. */
export const targetByAddress = (world: World, view: View, name: string): Target | undefined => {
  const written = parseTarget(name);
  if (written === undefined) return undefined;
  const { host, port } = written;
  const candidates = hostCandidates(host, view.namespace, world.clusterDomain);
  for (const candidate of candidates) {
    const found = registered(candidate, port, selectTarget(world, view, world.services(candidate), port));
    if (found !== undefined) return found;
  }
  if (isIpLiteral(host)) {
    for (const address of [host, ...prefixesOver(world, host)]) {
      const service = selectTarget(world, view, world.servicesAt(address), port);
      const found = service && registered(service.hostname, port, service);
      if (found !== undefined) return found;
    }
  }
  return byWildcard(world, view, written) ?? unregistered(world, view, candidates, port);
};

/** The same target by the name of its route configuration. */
export const targetByRouteName = (world: World, view: View, name: string): Target | undefined => {
  const key = parseClusterName(name);
  if (key === undefined || key.subset !== '') return undefined;
  const { host, port } = key;
  return (
    registered(host, port, selectTarget(world, view, world.services(host), port)) ??
    unregistered(world, view, [host], port)
  );
};

const registered = (host: string, port: number, service: MeshService | undefined): Target | undefined =>
  service !== undefined && servicePort(service, port) ? { host, port, service } : undefined;

/** An ExternalName need not name ports: it has those of what it stands for. */
const withPorts = (world: World, view: View, service: MeshService | undefined): MeshService | undefined =>
  service?.externalName !== undefined && service.ports.length === 0
    ? { ...service, ports: aliased(world, view, service).ports }
    : service;

/** ServiceEntry.addresses: a prefix stands for each of its addresses. */
const prefixesOver = (world: World, host: string): readonly string[] => {
  const address = parseIp(host);
  if (address === undefined) return [];
  return world.addressPrefixes().filter((prefix) => {
    const parsed = parseIpPrefix(prefix);
    return parsed !== undefined && covers(parsed, address);
  });
};

/** The longest wildcard ServiceEntry that covers the host and has the port. */
const byWildcard = (world: World, view: View, { host, port }: { host: string; port: number }): Target | undefined => {
  if (isIpLiteral(host)) return undefined;
  for (const wildcard of world.serviceWildcards()) {
    if (!hostCovers(wildcard, host)) continue;
    const found = registered(wildcard, port, selectTarget(world, view, world.services(wildcard), port));
    if (found !== undefined) return found;
  }
  return undefined;
};

const unregistered = (world: World, view: View, hosts: readonly string[], port: number): Target | undefined => {
  if (port !== UNREGISTERED_HOSTS_PORT) return undefined;
  const host = hosts.find((one) => visibleVirtualServices(world, view, one, port).length > 0);
  return host === undefined ? undefined : { host, port, service: undefined };
};
