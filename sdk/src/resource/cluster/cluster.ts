import type { Cluster as Message } from '../../../gen/cluster.js';
import { ClusterSchema, Cluster_DiscoveryType as Type } from '../../../gen/cluster.js';
import { defaultOf } from '../../defaults.ts';
import type { Cluster, Discovery } from '../../model/cluster.ts';
import type { HealthCheck } from '../../model/health-check.ts';
import type { UpstreamTls } from '../../model/tls.ts';
import { transportsOf } from '../../model/transport.ts';
import { parse } from '../any.ts';
import { callPolicyIn } from '../call-policy.ts';
import { HEALTH } from '../endpoint/endpoint.ts';
import { decodeAssignment } from '../endpoint/load-assignment.ts';
import { FIELDS } from '../field-table.ts';
import { checkFields } from '../fields.ts';
import { requireAds } from '../listener/connection-manager.ts';
import { decodeList } from '../lists.ts';
import { type DecodeSteps, resourceType } from '../resource-type.ts';
import { createFindings, Scope } from '../scope.ts';
import { sharedName, sharedValue } from '../shared.ts';
import { holdsKeyIn } from '../tls/tls-end.ts';
import { decodeTransportMatch } from '../tls/transport-match.ts';
import { decodeTransportSocket } from '../tls/upstream-tls.ts';
import { inRange, positiveMs, required } from '../values.ts';
import { decodeAggregate } from './aggregate.ts';
import { decodeCircuitBreakers } from './circuit-breakers.ts';
import { decodeDns } from './dns.ts';
import { decodeHealthCheck } from './health-check.ts';
import { decodeHttpProtocol, type SniOptions } from './http-protocol.ts';
import { decodeLoadBalancing } from './load-balancing.ts';
import { decodeOutlierDetection } from './outlier-detection.ts';
import { decodeTcpKeepAlive } from './tcp-keep-alive.ts';

/** CDS. */
export const clusterType = resourceType<Cluster>(ClusterSchema.typeName, decodeSteps, {
  isKept: true,
  isWholeState: true,
});

// biome-ignore lint/correctness/useYield: a cluster is small; the type asks for steps.
function* decodeSteps(bytes: Uint8Array): DecodeSteps<Cluster> {
  const findings = createFindings();
  const root = new Scope(findings);
  const message = parse(ClusterSchema, bytes, root);
  if (message === undefined) return { errors: findings.errors, name: '' };
  checkFields(ClusterSchema, message, FIELDS, root);
  const ok = decodeCluster(message, root);
  const { name } = message;
  if (findings.errors.length > 0) return { errors: findings.errors, name };
  const holdsKey = transportsOf(ok).some(holdsKeyIn);
  return { ok, name, warnings: findings.warnings, ...(holdsKey && { holdsKey }) };
}

function decodeCluster(message: Message, at: Scope): Cluster {
  const { circuitBreakers, outlierDetection } = message;
  const { loadBalancer, ...localities } = decodeLoadBalancing(message, at);
  const panicThreshold = message.commonLbConfig?.healthyPanicThreshold?.value ?? defaultOf('panicThreshold');
  const checks = decodeList(message.healthChecks, at.at('health_checks'), decodeHealthCheck).filter(isCheck);
  const policy = callPolicyIn(message.metadata, at);
  const { sni, ...http } = decodeHttpProtocol(message, at);
  return {
    name: sharedName(required(message.name, at.at('name'))),
    discovery: decodeDiscovery(message, at),
    connectTimeoutMs: positiveMs(message.connectTimeout, at.at('connect_timeout')) ?? defaultOf('connectTimeoutMs'),
    loadBalancer: sharedValue(loadBalancer),
    ...localities,
    panicThreshold: inRange(panicThreshold, 0, 100, at.at('common_lb_config').at('healthy_panic_threshold')),
    ...decodeOverrideHostStatus(message),
    ...(outlierDetection && {
      outlierDetection: sharedValue(decodeOutlierDetection(outlierDetection, at.at('outlier_detection'))),
    }),
    ...decodeLoadReports(message, at),
    circuitBreakers: sharedValue(decodeCircuitBreakers(circuitBreakers, at.at('circuit_breakers'))),
    ...(checks.length > 0 && { healthChecks: sharedValue(checks) }),
    ...http,
    ...decodeTcpKeepAlive(message),
    ...decodeTransports(message, sni, at),
    ...decodeOrigin(message),
    ...(policy && policy.sources.length > 0 && { callPolicies: policy.sources }),
  };
}

/** gRFC A27: reports go to the server that sent the cluster. */
function decodeLoadReports({ lrsServer }: Message, at: Scope): Pick<Cluster, 'reportsLoads'> | undefined {
  const { case: kind = 'nothing' } = lrsServer?.configSourceSpecifier ?? {};
  if (lrsServer === undefined) return undefined;
  if (kind !== 'self') at.at('lrs_server').error(`${kind}, self allowed`);
  return { reportsLoads: true };
}

function decodeOverrideHostStatus({ commonLbConfig }: Message): Pick<Cluster, 'overrideHostStatus'> | undefined {
  const statuses = commonLbConfig?.overrideHostStatus?.statuses;
  return statuses && { overrideHostStatus: sharedValue(statuses.flatMap((status) => HEALTH.get(status) ?? [])) };
}

/** Envoy Cluster.transport_socket and transport_socket_matches. */
function decodeTransports(
  message: Message,
  sni: SniOptions | undefined,
  at: Scope,
): Pick<Cluster, 'tls' | 'transportMatches'> {
  const own = message.transportSocket && decodeTransportSocket(message.transportSocket, at.at('transport_socket'));
  const named = withSniOptions(own, sni);
  const matches = decodeList(message.transportSocketMatches, at.at('transport_socket_matches'), decodeTransportMatch);
  return {
    ...(named && { tls: named }),
    ...(matches.length > 0 && {
      transportMatches: matches.map((match) => ({ ...match, tls: withSniOptions(match.tls, sni) })),
    }),
  };
}

/** Envoy UpstreamHttpProtocolOptions: SNI, and the name that is verified, follow the request's host. */
function withSniOptions(tls: UpstreamTls | undefined, options: SniOptions | undefined): UpstreamTls | undefined {
  const { autoSni = false, autoSanValidation = false } = options ?? {};
  if (tls === undefined || (!autoSni && !autoSanValidation)) return tls;
  return { ...tls, ...(autoSni && { sniFrom: 'authority' }), ...(autoSanValidation && { verifiesSni: true }) };
}

const isCheck = (check: HealthCheck | undefined): check is HealthCheck => check !== undefined;

function decodeDiscovery(message: Message, at: Scope): Discovery {
  const { clusterDiscoveryType: type } = message;
  if (type.case === 'clusterType') return decodeAggregate(type.value, at.at('cluster_type'));
  switch (type.value ?? Type.STATIC) {
    case Type.EDS:
      requireAds(message.edsClusterConfig?.edsConfig, at.at('eds_cluster_config').at('eds_config'));
      return { kind: 'eds', serviceName: sharedName(message.edsClusterConfig?.serviceName || message.name) };
    case Type.ORIGINAL_DST:
      return { kind: 'original-dst' };
    case Type.STATIC:
      return { kind: 'static', assignment: inlineAssignment(message, at) };
    case Type.STRICT_DNS:
      return { kind: 'dns', assignment: inlineAssignment(message, at), options: sharedValue(decodeDns(message, at)) };
    case Type.LOGICAL_DNS: {
      const assignment = inlineAssignment(message, at);
      const count = assignment.localities.reduce((sum, { endpoints }) => sum + endpoints.length, 0);
      // Envoy: LOGICAL_DNS clusters must have a single locality_lb_endpoint and a single lb_endpoint.
      if (count !== 1) at.at('load_assignment').error(`${count} endpoints, exactly one allowed for LOGICAL_DNS`);
      return { kind: 'dns', assignment, logical: true, options: sharedValue(decodeDns(message, at)) };
    }
    default:
      at.at('type').error(`${type.value}, STATIC, STRICT_DNS, LOGICAL_DNS, EDS, ORIGINAL_DST allowed`);
      return { kind: 'original-dst' };
  }
}

function inlineAssignment({ loadAssignment, name }: Message, at: Scope) {
  const here = at.at('load_assignment');
  if (loadAssignment === undefined) {
    here.error('missing, required for STATIC and DNS clusters');
    return { clusterName: name, localities: [], overprovisioningFactor: defaultOf('overprovisioning') };
  }
  return decodeAssignment(loadAssignment, here);
}

/** Istio's `filter_metadata.istio`: the service's host, and the DestinationRule that shaped the cluster. */
function decodeOrigin({ metadata }: Message): Pick<Cluster, 'serviceHost' | 'configPath'> {
  const istio = metadata?.filterMetadata.istio;
  const [service] = Array.isArray(istio?.services) ? istio.services : [];
  const host = typeof service === 'object' && service !== null && !Array.isArray(service) ? service.host : undefined;
  return {
    ...(typeof host === 'string' && { serviceHost: host }),
    ...(typeof istio?.config === 'string' && { configPath: istio.config }),
  };
}
