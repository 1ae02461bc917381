import type { MeshService } from '../../registry/read-model.ts';
import type { RouteDestination } from '../../schema/spec/virtual-service.ts';
import { connectionKind } from '../connection/filter-chains.ts';
import { isWildcard, resolveHost } from '../names.ts';
import { resolveDestination } from '../route/destination.ts';
import { selectService } from '../service-lookup.ts';
import type { View } from '../view.ts';
import type { VirtualService, World } from '../world.ts';
import { type Finding, warning } from './finding.ts';

/** What of `tls` and `tcp` routes will not happen as written. */
export const checkConnectionRoutes = (world: World, rule: VirtualService, view: View): readonly Finding[] => {
  const { spec } = rule;
  const services = spec.hosts.flatMap(
    (host) => selectService(world, view, resolveHost(host, rule.namespace, world.clusterDomain)) ?? [],
  );
  return [
    ...(spec.http.length === 0 ? unknownHosts(world, rule, view) : []),
    ...(['tls', 'tcp'] as const).flatMap((kind) => checkKind(rule, kind, services)),
    ...unreachable(rule),
    ...(['tls', 'tcp'] as const).flatMap((kind) =>
      spec[kind].flatMap(({ route }, index) =>
        checkDestinations(world, rule, view, { route, path: `spec.${kind}[${index}]` }),
      ),
    ),
  ];
};

/** A rule with `http` routes says it with those. */
const unknownHosts = (world: World, { namespace, spec }: VirtualService, view: View): readonly Finding[] =>
  spec.hosts.flatMap((written, index) => {
    const host = resolveHost(written, namespace, world.clusterDomain);
    if (isWildcard(host) || selectService(world, view, host) !== undefined) return [];
    return [warning(`spec.hosts[${index}]`, `no effect: no service has the host ${host}`)];
  });

const WANTED = { tls: 'HTTPS or TLS', tcp: 'TCP' } as const;

const checkKind = (
  { spec }: VirtualService,
  kind: 'tls' | 'tcp',
  services: readonly MeshService[],
): readonly Finding[] => {
  if (spec[kind].length === 0) return [];
  const ports = services.flatMap((service) => service.ports);
  if (ports.length > 0 && !ports.some(({ protocol }) => connectionKind(protocol) === kind)) {
    const spoken = [...new Set(ports.map(({ protocol }) => protocol))].join(', ');
    return [warning(`spec.${kind}`, `no effect: no port of its hosts is ${WANTED[kind]} (they are ${spoken})`)];
  }
  const findings: Finding[] = [];
  const known = services.length > 0 && services.every(({ addresses }) => addresses.some((one) => !one.includes('/')));
  if (known) return findings;
  for (const [index, { match }] of spec[kind].entries()) {
    for (const [entry, { destinationSubnets }] of match.entries()) {
      if (destinationSubnets.length === 0) continue;
      const at = `spec.${kind}[${index}].match[${entry}].destinationSubnets`;
      findings.push(warning(at, 'holds only where the host is dialled by its address: it has none that is known here'));
    }
  }
  return findings;
};

/** Routes after one that takes everything, from everyone. */
const unreachable = ({ spec }: VirtualService): readonly Finding[] => {
  const takesAll = spec.tcp.findIndex(
    ({ match }) =>
      match.length === 0 ||
      match.some(
        ({ destinationSubnets, port, gateways, sourceLabels, sourceNamespace }) =>
          destinationSubnets.length + gateways.length + sourceLabels.size === 0 &&
          port === undefined &&
          sourceNamespace === undefined,
      ),
  );
  if (takesAll === -1 || takesAll === spec.tcp.length - 1) return [];
  return [warning(`spec.tcp[${takesAll + 1}]`, `never reached: spec.tcp[${takesAll}] matches everything`)];
};

const checkDestinations = (
  world: World,
  { namespace, spec }: VirtualService,
  view: View,
  { route, path }: { readonly route: readonly RouteDestination[]; readonly path: string },
): readonly Finding[] => {
  const host = resolveHost(spec.hosts[0] ?? '', namespace, world.clusterDomain);
  const port = selectService(world, view, host)?.ports[0]?.number ?? 80;
  return route.flatMap(({ destination }, index) => {
    const { missing } = resolveDestination({ world, view, namespace, port }, destination);
    if (missing === undefined) return [];
    const severity = missing.what === 'service' ? 'warning' : 'error';
    const fieldPath = `${path}.route[${index}].destination`;
    return [{ severity, fieldPath, message: `${missing.message}; connections fail` }];
  });
};
