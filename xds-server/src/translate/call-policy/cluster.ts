import type { ClusterSchema } from '@inmesh/sdk/internal/gen/cluster';
import {
  type HealthCheck_HttpHealthCheckSchema,
  type HealthCheckSchema,
  RequestMethod,
} from '@inmesh/sdk/internal/gen/core';
import { CallPolicySchema } from '@inmesh/sdk/internal/gen/inmesh';
import { defaultOf } from '../../defaults.ts';
import type { HealthCheckSettings } from '../../schema/spec/call-policy.ts';
import { duration } from '../duration.ts';
import { type Fields, packAny } from '../proto.ts';
import type { View } from '../view.ts';
import type { World } from '../world.ts';
import {
  CLUSTER_FIELDS,
  type EffectiveCallPolicy,
  effectiveCallPolicy,
  GRPC_CLUSTER_FIELDS,
  sourceNames,
} from './effective.ts';
import { CALL_POLICY_METADATA } from './route.ts';

type HealthCheckInit = Fields<typeof HealthCheckSchema>;
type Checker = NonNullable<HealthCheckInit['healthChecker']>;
type HttpInit = Fields<typeof HealthCheck_HttpHealthCheckSchema>;

/** Of the service behind a cluster, as far as the client has it. */
export const clusterCallPolicy = (
  world: World,
  service: string | undefined,
  client: View['kind'],
): EffectiveCallPolicy =>
  effectiveCallPolicy(
    service === undefined ? [] : world.callPolicies(service),
    client === 'grpc' ? GRPC_CLUSTER_FIELDS : CLUSTER_FIELDS,
  );

/** Times and thresholds that are not written are those of a Kubernetes probe; the host asked for is the service. */
export const healthChecks = (
  { healthCheck }: EffectiveCallPolicy,
  hostname: string,
): Pick<Fields<typeof ClusterSchema>, 'healthChecks'> => {
  if (healthCheck === undefined) return {};
  const { interval, timeout, unhealthyThreshold, healthyThreshold, port } = healthCheck;
  const check: HealthCheckInit = {
    interval: duration(interval ?? defaultOf('healthIntervalMs')),
    timeout: duration(timeout ?? defaultOf('healthTimeoutMs')),
    unhealthyThreshold: unhealthyThreshold ?? defaultOf('unhealthyThreshold'),
    healthyThreshold: healthyThreshold ?? defaultOf('healthyThreshold'),
    // As often while nobody calls: whoever asks for checks wants to know before the first call.
    noTrafficInterval: duration(interval ?? defaultOf('healthIntervalMs')),
    ...(port === undefined ? {} : { altPort: port }),
    healthChecker: checker(healthCheck, hostname),
  };
  return { healthChecks: [check] };
};

const checker = ({ http, grpc }: HealthCheckSettings, hostname: string): Checker => {
  // Without a host Envoy asks for the name of the cluster: the | in it is none of an authority (RFC 3986), and servers refuse it.
  const named = hostname.includes('*') ? '' : hostname;
  if (http !== undefined) return { case: 'httpHealthCheck', value: httpCheck({ ...http, host: http.host || named }) };
  if (grpc !== undefined)
    return { case: 'grpcHealthCheck', value: { serviceName: grpc.service ?? '', authority: named } };
  return { case: 'tcpHealthCheck', value: {} };
};

const METHODS = { GET: RequestMethod.GET, HEAD: RequestMethod.HEAD, OPTIONS: RequestMethod.OPTIONS };

const httpCheck = ({ path, host, method, expectedStatuses }: NonNullable<HealthCheckSettings['http']>): HttpInit => ({
  path,
  ...(host ? { host } : {}),
  ...(method ? { method: METHODS[method] } : {}),
  expectedStatuses: expectedStatuses.map((status) => ({ start: BigInt(status), end: BigInt(status + 1) })),
});

export const clusterPolicyMetadata = (policy: EffectiveCallPolicy, client: View['kind']) =>
  client === 'sdk' && policy.sources.length > 0
    ? { typedFilterMetadata: { [CALL_POLICY_METADATA]: packAny(CallPolicySchema, { sources: sourceNames(policy) }) } }
    : {};
