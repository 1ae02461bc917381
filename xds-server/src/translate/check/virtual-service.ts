import type { HttpMatch, HttpRoute } from '../../schema/spec/virtual-service.ts';
import { isWildcard, resolveHost } from '../names.ts';
import { delegated } from '../route/delegate.ts';
import { resolveDestination } from '../route/destination.ts';
import { isCatchAll, routeMatch } from '../route/match.ts';
import { notEnforced } from '../route/notes.ts';
import { retryRemarks } from '../route/retry-policy.ts';
import { isOpaque } from '../route/route-configuration.ts';
import { selectService } from '../service-lookup.ts';
import { delegateReference } from '../sidecar-destinations.ts';
import { isVisible, NO_LOCALITY, type View } from '../view.ts';
import { appliesToMesh, virtualServicesFor } from '../virtual-service-lookup.ts';
import type { VirtualService, World } from '../world.ts';
import { checkConnectionRoutes } from './connection-routes.ts';
import { type Finding, warning } from './finding.ts';
import { checkRoutesForGrpc } from './grpc-clients.ts';

/** What of a VirtualService will not happen as written, seen by a client of its own namespace. */
export const checkVirtualService = (world: World, rule: VirtualService): readonly Finding[] => {
  const { spec } = rule;
  const findings: Finding[] = [];
  if (!appliesToMesh(rule)) {
    return [
      {
        severity: 'info',
        fieldPath: 'spec.gateways',
        message: 'no "mesh" among the gateways: gateways are not yet served',
      },
    ];
  }
  if (audienceOf(world, rule) === undefined)
    findings.push(warning('spec.exportTo', 'no effect: it is exported to no namespace'));
  if (spec.hosts.length === 0 && world.virtualServicesTo(delegateReference(rule.namespace, rule.name)).length === 0)
    findings.push(warning('spec', 'no effect: it has no hosts, and no VirtualService delegates to it'));
  findings.push(...checkConnectionRoutes(world, rule, ownView(rule.namespace)));
  if (spec.http.length > 0) findings.push(...spec.hosts.flatMap((_, index) => checkHost(world, rule, index)));
  findings.push(...unreachable(spec.http));
  for (const { path, message } of delegated(world, rule).lost) findings.push(warning(path, message));
  for (const [index, http] of spec.http.entries())
    findings.push(...checkHttp(world, rule, http, `spec.http[${index}]`));
  return [...findings, ...checkRoutesForGrpc(world, rule)];
};

export const ownView = (namespace: string): View => ({
  kind: 'sdk',
  namespace,
  labels: new Map(),
  locality: NO_LOCALITY,
});

/** A host nobody answers for, or one that another rule owns: as clients see it that the rule is exported to. */
const checkHost = (world: World, rule: VirtualService, index: number): readonly Finding[] => {
  const fieldPath = `spec.hosts[${index}]`;
  const written = rule.spec.hosts[index] ?? '';
  const host = resolveHost(written, rule.namespace, world.clusterDomain);
  const namespace = audienceOf(world, rule);
  if (namespace === undefined) return [];
  const view = ownView(namespace);
  const service = selectService(world, view, host);
  const owner = virtualServicesFor(
    world,
    view,
    { host, port: service?.ports[0]?.number ?? 80 },
    service?.addresses ?? [],
  )[0];
  if (owner !== undefined && owner.key !== rule.key) {
    const where = isPublic(world, owner) ? '' : ` for clients of namespace ${namespace}`;
    const message = `no effect${where}: VirtualService ${owner.namespace}/${owner.name} comes first and owns ${host}, two are not merged`;
    return [warning(fieldPath, message)];
  }
  if (service === undefined) {
    if (isWildcard(host) || world.servicesAt(host).length > 0) return [];
    return [warning(fieldPath, `no service has the host ${host}: only ${written}:80 is routed by this rule`)];
  }
  if (!service.ports.every(({ protocol }) => isOpaque(protocol))) return [];
  return [warning(fieldPath, `no effect: no port of ${host} speaks HTTP (name it http-… or set appProtocol: http)`)];
};

const exportToOf = (world: World, { spec }: VirtualService): readonly string[] =>
  spec.exportTo.length > 0 ? spec.exportTo : world.mesh().exportTo.virtualService;

/** A namespace whose clients the rule is for, its own before others; undefined: nobody's. */
const audienceOf = (world: World, rule: VirtualService): string | undefined => {
  const exportTo = exportToOf(world, rule);
  if (isVisible(exportTo, rule.namespace, rule.namespace)) return rule.namespace;
  return exportTo.find((one) => one !== '~');
};

const isPublic = (world: World, rule: VirtualService): boolean => {
  const exportTo = exportToOf(world, rule);
  return exportTo.length === 0 || exportTo.includes('*');
};

/** Rules after one that takes everything, from everyone. */
const unreachable = (routes: readonly HttpRoute[]): readonly Finding[] => {
  const catchAll = routes.findIndex(({ match }) => match.length === 0 || match.some(takesEverything));
  if (catchAll === -1 || catchAll === routes.length - 1) return [];
  return [warning(`spec.http[${catchAll + 1}]`, `never reached: spec.http[${catchAll}] matches everything`)];
};

const takesEverything = (match: HttpMatch): boolean =>
  isCatchAll(routeMatch(match)) &&
  match.port === undefined &&
  match.gateways.length === 0 &&
  match.sourceLabels.size === 0 &&
  match.sourceNamespace === undefined;

const checkHttp = (world: World, rule: VirtualService, http: HttpRoute, path: string): readonly Finding[] => {
  const findings = notEnforced(http).map(({ field, note }) => warning(`${path}.${field}`, note));
  if (http.retries !== undefined) {
    const remarks = retryRemarks(http.retries, http.timeout, world.mesh().retryAttempts);
    findings.push(...remarks.map(({ field, message }) => warning(`${path}.retries.${field}`, message)));
  }
  findings.push(...checkFault(http, path));
  const fails = 'calls answer 503';
  const lost = 'nothing is mirrored to it';
  const destinations = [
    ...http.route.map(({ destination }, index) => ({ destination, at: `${path}.route[${index}].destination`, fails })),
    ...(http.mirror ? [{ destination: http.mirror, at: `${path}.mirror`, fails: lost }] : []),
    ...http.mirrors.map(({ destination }, index) => ({
      destination,
      at: `${path}.mirrors[${index}].destination`,
      fails: lost,
    })),
  ];
  const scope = { world, view: ownView(rule.namespace), namespace: rule.namespace, port: portOf(world, rule) };
  for (const { destination, at, fails } of destinations) {
    const { missing } = resolveDestination(scope, destination);
    if (missing === undefined) continue;
    const severity = missing.what === 'service' ? 'warning' : 'error';
    findings.push({ severity, fieldPath: at, message: `${missing.message}; ${fails}` });
  }
  return findings;
};

/** Istio: a fault without a percentage hits nobody. */
const checkFault = ({ fault }: HttpRoute, path: string): readonly Finding[] => {
  const findings: Finding[] = [];
  if (fault?.delay?.exponentialDelay !== undefined) {
    findings.push(warning(`${path}.fault.delay.exponentialDelay`, 'no data plane has it, want fixedDelay'));
  }
  if (fault?.delay !== undefined && (fault.delay.percentage ?? fault.delay.percent) === undefined) {
    findings.push(warning(`${path}.fault.delay`, 'percentage is not written and so 0: nothing is delayed'));
  }
  if (fault?.abort !== undefined && fault.abort.percentage === undefined) {
    findings.push(warning(`${path}.fault.abort`, 'percentage is not written and so 0: nothing is aborted'));
  }
  return findings;
};

/** A destination without port takes the one dialled: any port of the rule's host will do to look for it. */
const portOf = (world: World, rule: VirtualService): number => {
  for (const written of rule.spec.hosts) {
    const host = resolveHost(written, rule.namespace, world.clusterDomain);
    const port = selectService(world, ownView(rule.namespace), host)?.ports[0]?.number;
    if (port !== undefined) return port;
  }
  return 80;
};
