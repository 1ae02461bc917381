import type { MeshService } from '../../registry/read-model.ts';
import { GRPC_CLIENTS, GRPC_TITLES, type KnownGrpcClient, newestAbilities } from '../client/grpc-client.ts';
import { grpcRoutes } from '../client/routes.ts';
import { policyLimits, routeLimits, weightLimits } from '../limit/part-limits.ts';
import { isWildcard, resolveHost } from '../names.ts';
import { virtualServiceRoutes } from '../route/route.ts';
import { virtualHostDomains } from '../route/virtual-host-domains.ts';
import { selectService } from '../service-lookup.ts';
import { effectivePolicy } from '../traffic-policy.ts';
import { NO_LOCALITY, type View } from '../view.ts';
import type { CallPolicy, DestinationRule, VirtualService, World } from '../world.ts';
import type { Finding } from './finding.ts';

/** Of one client, a place of the rule and why it is not honoured there. */
interface PlacedLimit {
  readonly client: KnownGrpcClient;
  readonly text: string;
}

const viewOf = (namespace: string, client: KnownGrpcClient): View => ({
  kind: 'grpc',
  client,
  abilities: newestAbilities(client),
  namespace,
  labels: new Map(),
  locality: NO_LOCALITY,
});

const grpcPort = (service: MeshService | undefined): number | undefined =>
  service?.ports.find(({ protocol }) => protocol === 'grpc')?.number;

const serviceOf = (world: World, namespace: string, written: string): MeshService | undefined => {
  const host = resolveHost(written, namespace, world.clusterDomain);
  return isWildcard(host) ? undefined : selectService(world, viewOf(namespace, 'go'), host);
};

/** What gRPC clients do not honour of a rule for a service that speaks gRPC: one line for each set of clients. */
export const checkRoutesForGrpc = (world: World, rule: VirtualService): readonly Finding[] => {
  const { namespace, spec } = rule;
  const service = spec.hosts
    .map((host) => serviceOf(world, namespace, host))
    .find((one) => grpcPort(one) !== undefined);
  const port = grpcPort(service);
  if (service === undefined || port === undefined) return [];
  const domains = virtualHostDomains(service.hostname, port, service, {
    kind: 'grpc',
    namespace,
    clusterDomain: world.clusterDomain,
  });
  const limits = GRPC_CLIENTS.flatMap((client): PlacedLimit[] => {
    const scope = { world, view: viewOf(namespace, client), namespace, port, dialled: service.objectKey };
    const { changed } = grpcRoutes(virtualServiceRoutes(scope, rule), domains);
    const lost = changed
      .filter(({ route }) => route.origin?.object === rule.key)
      .map(({ route, message }) => ({
        client,
        text: `${(route.origin?.fieldPath ?? '').slice('spec.'.length)} ${message}`,
      }));
    const written = spec.http.flatMap((http, index) =>
      routeLimits(http, client).map(({ path, reason }) => ({ client, text: `http[${index}].${path} (${reason})` })),
    );
    return [...lost, ...written];
  });
  return linesOf(limits, 'spec.http');
};

/** The same of a rule for a destination, by its port that speaks gRPC. */
export const checkPolicyForGrpc = (world: World, rule: DestinationRule): readonly Finding[] => {
  const { namespace, spec } = rule;
  const service = serviceOf(world, namespace, spec.host);
  const port = grpcPort(service);
  if (service === undefined || port === undefined) return [];
  const subsets = new Map(spec.subsets.map((subset) => [subset.name, subset]));
  const merged = { rule, trafficPolicy: spec.trafficPolicy, subsets };
  const limits = GRPC_CLIENTS.flatMap((client): PlacedLimit[] => {
    const view = viewOf(namespace, client);
    const policy = effectivePolicy(merged, '', port);
    const whole = policyLimits(policy, view, client);
    const weights = weightLimits(policy, world.endpoints(service.key, port));
    const ofSubsets = spec.subsets.flatMap(({ name, trafficPolicy }) =>
      trafficPolicy === undefined ? [] : policyLimits(effectivePolicy(merged, name, port), view, client),
    );
    const texts = [...whole, ...ofSubsets, ...weights].map(({ path, reason }) => `${path} (${reason})`);
    return [...new Set(texts)].map((text) => ({ client, text }));
  });
  return linesOf(limits, 'spec');
};

const MOST_TEXTS = 8;

const linesOf = (limits: readonly PlacedLimit[], fieldPath: string): readonly Finding[] => {
  const clients = new Map<string, KnownGrpcClient[]>();
  for (const { client, text } of limits) clients.set(text, [...(clients.get(text) ?? []), client]);
  const sets = Map.groupBy(clients, ([, list]) => [...new Set(list)].map((client) => GRPC_TITLES[client]).join(', '));
  return [...sets].map(([who, entries]) => {
    const texts = entries.map(([text]) => text);
    const more = texts.length > MOST_TEXTS ? ` and ${texts.length - MOST_TEXTS} more` : '';
    const message = `gRPC clients (${who}) do not honour ${texts.slice(0, MOST_TEXTS).join('; ')}${more}`;
    return { severity: 'info', fieldPath, message };
  });
};

/** Of a CallPolicy for a service that speaks gRPC: its balancing alone. */
export const checkCallPolicyForGrpc = (world: World, policy: CallPolicy): readonly Finding[] => {
  const { targetRefs, weightedByLoad: _, ...rest } = policy.spec;
  const speaksGrpc = targetRefs.some(
    ({ kind, name }) => kind === 'Service' && grpcPort(serviceOf(world, policy.namespace, name)) !== undefined,
  );
  const set = Object.entries(rest).flatMap(([field, value]) => (value === undefined ? [] : [field]));
  if (!speaksGrpc || set.length === 0) return [];
  const message = `gRPC clients of other makers do not honour ${set.join(', ')}: weightedByLoad is all they have of a CallPolicy`;
  return [{ severity: 'info', fieldPath: `spec.${set[0]}`, message }];
};
