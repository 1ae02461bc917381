import type { MeshService } from '../registry/read-model.ts';
import type { SidecarEgress } from '../schema/spec/sidecar.ts';
import { hostCovers, isWildcard } from './names.ts';
import { importedDestinations } from './sidecar-destinations.ts';
import { selects, type View } from './view.ts';
import type { Sidecar, VirtualService, World } from './world.ts';

/**
 * The Sidecar of a client: the oldest of its namespace that selects it, else the namespace's own, else the root
 * namespace's; undefined = it sees everything that is exported to it (Istio getSidecarScope).
 */
export const sidecarFor = (world: World, view: View): Sidecar | undefined => {
  const own = world.sidecars(view.namespace);
  const selecting = own.find(({ spec }) => isSelective(spec) && selects(labelsOf(spec), view.labels));
  const { rootNamespace } = world.mesh();
  return selecting ?? own.find(isDefault) ?? world.sidecars(rootNamespace).find(isDefault);
};

const labelsOf = ({ workloadSelector }: Sidecar['spec']): ReadonlyMap<string, string> =>
  workloadSelector?.labels ?? new Map();

const isSelective = (spec: Sidecar['spec']): boolean => labelsOf(spec).size > 0;

export const isDefault = ({ spec }: Sidecar): boolean => !isSelective(spec);

/** What may be asked of hosts that no configuration knows; undefined = whatever the client was told by its bootstrap. */
export const outboundPolicy = (world: World, view: View): 'ALLOW_ANY' | 'REGISTRY_ONLY' | undefined =>
  sidecarFor(world, view)?.spec.outboundTrafficPolicy?.mode ?? world.mesh().outboundTrafficPolicy;

/**
 * The service as far as the client's Sidecar lets it be called on `port`; undefined = not at all. The entry for that port
 * decides alone, else the one without a port (Istio GetEgressListenerForRDS).
 */
export const dialable = (world: World, view: View, service: MeshService, port: number): boolean => {
  const sidecar = sidecarFor(world, view);
  if (sidecar === undefined || sidecar.spec.egress.length === 0) return true;
  const entry = entryFor(sidecar, port);
  return entry !== undefined && importsService(entry, service, view);
};

/** Whether the client may use this VirtualService for calls to `port`. */
export const importsRule = (world: World, view: View, rule: VirtualService, port: number): boolean => {
  const sidecar = sidecarFor(world, view);
  if (sidecar === undefined || sidecar.spec.egress.length === 0) return true;
  const entry = entryFor(sidecar, port);
  return entry !== undefined && importsVirtualService(world, entry, rule, view);
};

const entryFor = ({ spec }: Sidecar, port: number): SidecarEgress | undefined =>
  spec.egress.find((entry) => entry.port === undefined || entry.port.number === port);

/**
 * The service with the ports that the client has clusters for: what some entry imports, and the destinations of
 * VirtualServices that are imported (Istio ConvertToSidecarScope); undefined = none.
 */
export const imported = (world: World, view: View, service: MeshService): MeshService | undefined => {
  const sidecar = sidecarFor(world, view);
  if (sidecar === undefined || sidecar.spec.egress.length === 0) return service;
  const ports = new Set<number>();
  for (const entry of sidecar.spec.egress) {
    if (!importsService(entry, service, view)) continue;
    if (entry.port === undefined) return service;
    ports.add(entry.port.number);
  }
  const imports = (rule: VirtualService): boolean =>
    sidecar.spec.egress.some((entry) => importsVirtualService(world, entry, rule, view));
  const referred = importedDestinations(world, view, service.hostname, imports);
  if (referred === 'every port') return service;
  for (const port of referred) ports.add(port);
  const kept = service.ports.filter(({ number }) => ports.has(number));
  if (kept.length === 0) return undefined;
  return kept.length === service.ports.length ? service : { ...service, ports: kept };
};

const importsService = (entry: SidecarEgress, { hostname, namespace, ports }: MeshService, view: View): boolean => {
  if (entry.port !== undefined && !ports.some(({ number }) => number === entry.port?.number)) return false;
  return entry.hosts.some((written) => {
    const host = hostFrom(written, namespace, view);
    return host !== undefined && hostCovers(host, hostname);
  });
};

/** Hosts of a rule are compared both ways: `a.example.com` imports a rule for `*.example.com` (Istio host.Matches). */
const importsVirtualService = (
  world: World,
  entry: SidecarEgress,
  { namespace, spec }: VirtualService,
  view: View,
): boolean =>
  entry.hosts.some((written) => {
    const host = hostFrom(written, namespace, view);
    if (host === undefined) return false;
    return spec.hosts.some((own) => {
      const full = world.resolveHost(own, namespace);
      return hostCovers(host, full) || (isWildcard(full) && hostCovers(full, host));
    });
  });

/** The host part of `namespace/host` where it speaks of that namespace. */
const hostFrom = (written: string, namespace: string, view: View): string | undefined => {
  const slash = written.indexOf('/');
  const where = written.slice(0, slash);
  const meant = where === '*' || namespace === (where === '.' ? view.namespace : where);
  return meant ? written.slice(slash + 1).toLowerCase() : undefined;
};
