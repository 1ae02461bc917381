import type { MeshService } from '../../registry/read-model.ts';
import type { Destination } from '../../schema/spec/virtual-service.ts';
import type { ObjectKey } from '../../schema/types.ts';
import { destinationRuleFor, type MergedRule } from '../destination-rule-lookup.ts';
import { clusterName, resolveHost } from '../names.ts';
import { aliased, selectService, servicePort } from '../service-lookup.ts';
import { type EffectivePolicy, effectivePolicy } from '../traffic-policy.ts';
import type { View } from '../view.ts';
import type { World } from '../world.ts';
import { type HashPolicyInit, hashPolicy } from './hash-policy.ts';

/** Who asks, and through which port. */
export interface RouteScope {
  readonly world: World;
  readonly view: View;
  /** Namespace of the rule: completes short hosts. undefined: they are a service's own, which are complete. */
  readonly namespace: string | undefined;
  /** The port the client dialled. */
  readonly port: number;
  /** The object behind the host that was dialled. */
  readonly dialled?: ObjectKey | undefined;
}

interface Missing {
  /** A service may still come, with the first process that registers under its name; a port or subset is a mistake. */
  readonly what: 'service' | 'port' | 'subset';
  readonly message: string;
}

export interface ResolvedDestination {
  readonly cluster: string;
  readonly service: MeshService | undefined;
  readonly policy: EffectivePolicy;
  /** Of the cluster's DestinationRule: the route computes the hash that the cluster's ring takes. */
  readonly hash: HashPolicyInit | undefined;
  /** Why the cluster does not exist; its calls answer 503 NC. */
  readonly missing: Missing | undefined;
}

/** Istio GetDestinationCluster: the written port, else the service's only one, else the one dialled. */
export const resolveDestination = (scope: RouteScope, destination: Destination): ResolvedDestination => {
  const { world, view } = scope;
  const { namespace } = scope;
  const named =
    namespace === undefined ? destination.host : resolveHost(destination.host, namespace, world.clusterDomain);
  const selected = selectService(world, view, named);
  const service = selected && aliased(world, view, selected);
  const host = service?.hostname ?? named;
  const only = service?.ports.length === 1 ? service.ports[0]?.number : undefined;
  const port = destination.port?.number ?? only ?? scope.port;
  const subset = destination.subset ?? '';
  const rule = destinationRuleFor(world, view, host, service?.namespace);
  const policy = effectivePolicy(rule, subset, port);
  const consistentHash = policy.loadBalancer?.consistentHash;
  return {
    cluster: clusterName({ port, subset, host }),
    service,
    policy,
    hash: consistentHash && hashPolicy(consistentHash),
    missing: whatIsMissing(),
  };

  function whatIsMissing(): Missing | undefined {
    if (service === undefined) return { what: 'service', message: `no service has the host ${host}` };
    if (servicePort(service, port) === undefined) return { what: 'port', message: `${host} has no port ${port}` };
    if (subset === '' || rule?.subsets.has(subset)) return undefined;
    return { what: 'subset', message: missingSubset(subset, host, rule) };
  }
};

const missingSubset = (subset: string, host: string, rule: MergedRule | undefined): string => {
  if (rule === undefined) return `subset "${subset}" is not defined: no DestinationRule for ${host}`;
  const known = [...rule.subsets.keys()].sort().join(', ');
  const { namespace, name } = rule.rule;
  return `subset "${subset}" is not defined in DestinationRule ${namespace}/${name} (it has: ${known || 'none'})`;
};
