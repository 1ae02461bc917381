import type { MeshEndpoint, MeshService } from '../../registry/read-model.ts';
import { takesMutualTls } from '../../registry/tls-mode.ts';
import type { ClientTls, TrafficPolicy } from '../../schema/spec/destination-rule.ts';
import { isLabelled } from '../endpoint/topology.ts';
import { inboundMode } from '../peer-authentication.ts';
import type { DestinationRule, World } from '../world.ts';
import { type CredentialPart, checkCredential } from './credential.ts';
import { type Finding, warning } from './finding.ts';
import { listed } from './listed.ts';

type Labels = ReadonlyMap<string, string>;
const EVERYONE: Labels = new Map();

/** Where a DestinationRule's tls and what its workloads take do not fit together. */
export const checkClientTls = (
  world: World,
  { spec, namespace }: DestinationRule,
  service: MeshService | undefined,
): readonly Finding[] => {
  const context: TlsContext = { world, namespace, service };
  return [
    ...checkPolicy(context, spec.trafficPolicy, 'spec.trafficPolicy', EVERYONE),
    ...spec.subsets.flatMap(({ trafficPolicy, labels }, index) =>
      checkPolicy(context, trafficPolicy, `spec.subsets[${index}].trafficPolicy`, labels),
    ),
  ];
};

interface TlsContext {
  readonly world: World;
  readonly namespace: string;
  readonly service: MeshService | undefined;
}

const checkPolicy = (
  context: TlsContext,
  policy: TrafficPolicy | undefined,
  path: string,
  labels: Labels,
): readonly Finding[] => {
  if (policy === undefined) return [];
  const named = new Set(policy.portLevelSettings.map(({ port }) => port.number));
  const others = (context.service?.ports ?? []).map(({ number }) => number).filter((number) => !named.has(number));
  const endpoints = (ports: readonly number[]) => endpointsOf(context, ports, labels);
  return [
    ...checkTls(context, policy.tls, `${path}.tls`, endpoints(others)),
    ...policy.portLevelSettings.flatMap(({ tls, port }, index) =>
      checkTls(context, tls, `${path}.portLevelSettings[${index}].tls`, endpoints([port.number])),
    ),
  ];
};

const endpointsOf = (
  { world, service }: TlsContext,
  ports: readonly number[],
  labels: Labels,
): readonly MeshEndpoint[] =>
  service === undefined
    ? []
    : ports.flatMap((port) => world.endpoints(service.key, port)).filter((endpoint) => isLabelled(endpoint, labels));

const checkTls = (
  context: TlsContext,
  tls: ClientTls | undefined,
  path: string,
  endpoints: readonly MeshEndpoint[],
): readonly Finding[] => {
  if (tls === undefined) return [];
  return [
    ...checkUnverified(tls, path),
    ...checkSecret(context, tls, `${path}.credentialName`),
    ...(tls.mode === 'ISTIO_MUTUAL'
      ? checkMutual(context, path, endpoints)
      : checkStrict(context, tls, path, endpoints)),
  ];
};

const checkSecret = ({ world, namespace }: TlsContext, tls: ClientTls, fieldPath: string): readonly Finding[] => {
  if (tls.mode === 'DISABLE' || tls.mode === 'ISTIO_MUTUAL') return [];
  const needs: CredentialPart[] = [];
  if (tls.mode === 'MUTUAL') needs.push('certificate');
  if (!tls.insecureSkipVerify) needs.push('roots');
  return checkCredential(world, namespace, tls.credentialName, needs).map((found) => ({ ...found, fieldPath }));
};

const checkUnverified = (tls: ClientTls, path: string): readonly Finding[] =>
  tls.insecureSkipVerify && (tls.mode === 'SIMPLE' || tls.mode === 'MUTUAL')
    ? [warning(`${path}.insecureSkipVerify`, 'the server is not verified: whoever answers is believed')]
    : [];

/** Anything but mTLS is refused by who takes nothing else. */
const checkStrict = (
  { world }: TlsContext,
  { mode }: ClientTls,
  path: string,
  endpoints: readonly MeshEndpoint[],
): readonly Finding[] => {
  const strict = endpoints.flatMap((endpoint) => {
    const decision = inboundMode(world, endpoint, endpoint.port);
    return decision.mode === 'STRICT' ? [{ endpoint, policy: decision.decidedBy }] : [];
  });
  const [first] = strict;
  if (first === undefined) return [];
  const who = listed(strict.map(({ endpoint }) => nameOf(endpoint)));
  const why = `PeerAuthentication ${first.policy?.namespace}/${first.policy?.name}`;
  return [
    warning(
      `${path}.mode`,
      `${mode}: ${who} take mTLS alone (${why}), calls to them fail; want ISTIO_MUTUAL, or no tls`,
    ),
  ];
};

/** mTLS is not understood by who takes none. */
const checkMutual = (
  { world, service }: TlsContext,
  path: string,
  endpoints: readonly MeshEndpoint[],
): readonly Finding[] => {
  // Who stands behind a ServiceEntry says nothing of itself.
  if (service === undefined || service.kind === 'service-entry') return [];
  if (world.mesh().plaintext) {
    return [
      warning(
        `${path}.mode`,
        'ISTIO_MUTUAL: the control plane runs with --plaintext, calls fail: nobody has an identity',
      ),
    ];
  }
  const without = endpoints.filter(
    (endpoint) => !takesMutualTls(endpoint.labels) || inboundMode(world, endpoint, endpoint.port).mode === 'DISABLE',
  );
  if (without.length === 0) return [];
  const why =
    'no identity is known of them (label security.istio.io/tlsMode: istio), or PeerAuthentication says DISABLE';
  const who = listed(without.map(nameOf));
  return [warning(`${path}.mode`, `ISTIO_MUTUAL: ${who} take no mTLS, calls to them fail: ${why}`)];
};

const nameOf = ({ workload, address }: MeshEndpoint): string => workload || address;
