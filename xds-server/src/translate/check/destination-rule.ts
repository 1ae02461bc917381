import type {
  ConnectionPool,
  LoadBalancerSettings,
  PortPolicy,
  TrafficPolicy,
} from '../../schema/spec/destination-rule.ts';
import { isWildcard, resolveHost } from '../names.ts';
import { selectService } from '../service-lookup.ts';
import type { DestinationRule, World } from '../world.ts';
import { checkClientTls } from './client-tls.ts';
import { type Finding, warning } from './finding.ts';
import { checkPolicyForGrpc } from './grpc-clients.ts';
import { ownView } from './virtual-service.ts';

/** What of a DestinationRule will not happen as written. */
export const checkDestinationRule = (world: World, rule: DestinationRule): readonly Finding[] => {
  const { spec } = rule;
  const findings: Finding[] = [];
  const host = resolveHost(spec.host, rule.namespace, world.clusterDomain);
  const service = isWildcard(host) ? undefined : selectService(world, ownView(rule.namespace), host);
  if (!isWildcard(host) && service === undefined) {
    findings.push(warning('spec.host', `no effect: no service has the host ${host}`));
  }
  findings.push(...checkTwin(world, rule, host));
  findings.push(...checkPolicy(spec.trafficPolicy, 'spec.trafficPolicy'));
  for (const [index, subset] of spec.subsets.entries()) {
    findings.push(...checkPolicy(subset.trafficPolicy, `spec.subsets[${index}].trafficPolicy`));
  }
  findings.push(...checkClientTls(world, rule, service));
  return [...findings, ...checkPolicyForGrpc(world, rule)];
};

/** Rules of one namespace for one host are one rule: the oldest one's policy and the first of each subset count. */
const checkTwin = (world: World, rule: DestinationRule, host: string): readonly Finding[] => {
  const plain = world
    .destinationRules(host)
    .filter(({ namespace, spec }) => namespace === rule.namespace && spec.workloadSelector === undefined);
  const older = rule.spec.workloadSelector
    ? []
    : plain.slice(
        0,
        plain.findIndex(({ key }) => key === rule.key),
      );
  const findings: Finding[] = [];
  const first = older.find(({ spec }) => spec.trafficPolicy !== undefined);
  if (first !== undefined && rule.spec.trafficPolicy !== undefined) {
    findings.push(
      warning('spec.trafficPolicy', `no effect: DestinationRule ${first.name} comes first for the same host`),
    );
  }
  for (const [index, { name }] of rule.spec.subsets.entries()) {
    const owner = older.find(({ spec }) => spec.subsets.some((subset) => subset.name === name));
    if (owner !== undefined) {
      findings.push(
        warning(`spec.subsets[${index}]`, `no effect: DestinationRule ${owner.name} defines subset "${name}" already`),
      );
    }
  }
  return findings;
};

const checkPolicy = (policy: TrafficPolicy | undefined, path: string): readonly Finding[] => {
  if (policy === undefined) return [];
  const findings = [...checkFields(policy, path)];
  for (const [index, atPort] of policy.portLevelSettings.entries()) {
    findings.push(...checkFields(atPort, `${path}.portLevelSettings[${index}]`));
  }
  for (const field of ['tunnel', 'proxyProtocol'] as const) {
    if (policy[field] !== undefined) findings.push(warning(`${path}.${field}`, `${field}: not yet translated`));
  }
  return findings;
};

const checkFields = ({ loadBalancer, connectionPool }: PortPolicy, path: string): readonly Finding[] => {
  const findings = [...checkLimits(connectionPool, `${path}.connectionPool`)];
  findings.push(...checkWarmup(loadBalancer, `${path}.loadBalancer`));
  return findings;
};

/** Only round robin and least request can send less to who is new (Envoy SlowStartConfig). */
const checkWarmup = (settings: LoadBalancerSettings | undefined, path: string): readonly Finding[] => {
  const field = settings?.warmup === undefined ? 'warmupDurationSecs' : 'warmup';
  if (settings?.[field] === undefined) return [];
  const { consistentHash, simple } = settings;
  const other = consistentHash === undefined ? simple : 'consistentHash';
  if (other !== 'consistentHash' && other !== 'RANDOM' && other !== 'PASSTHROUGH') return [];
  return [warning(`${path}.${field}`, `no effect with ${other}, want ROUND_ROBIN or LEAST_REQUEST`)];
};

/** Envoy: a request that finds no room waits, and where no number says how many may, all of them do. */
const checkLimits = (pool: ConnectionPool | undefined, path: string): readonly Finding[] => {
  if (!pool?.tcp?.maxConnections || pool.http?.http1MaxPendingRequests) return [];
  const message =
    'http1MaxPendingRequests is not set: any number of requests waits for a connection, none is turned away';
  return [warning(`${path}.tcp.maxConnections`, message)];
};
