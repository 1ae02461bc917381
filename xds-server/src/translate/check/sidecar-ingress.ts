import type { ConnectionPool } from '../../schema/spec/destination-rule.ts';
import type { SidecarIngress } from '../../schema/spec/sidecar.ts';
import { inboundMode } from '../peer-authentication.ts';
import type { Sidecar, World } from '../world.ts';
import { checkCredential } from './credential.ts';
import { type Finding, warning } from './finding.ts';

/** What of a Sidecar's inbound side will not happen as written. */
export const checkIngress = (world: World, sidecar: Sidecar): readonly Finding[] => [
  ...checkPool(sidecar.spec.inboundConnectionPool, 'spec.inboundConnectionPool'),
  ...sidecar.spec.ingress.flatMap((entry, index) => {
    const path = `spec.ingress[${index}]`;
    return [
      ...checkPool(entry.connectionPool, `${path}.connectionPool`),
      ...checkEndpoint(entry, `${path}.defaultEndpoint`),
      ...checkTls(world, sidecar, entry, `${path}.tls`),
    ];
  }),
];

/** They say how to call, and a guarded server is called. */
const CALLING = {
  tcp: ['connectTimeout', 'tcpKeepalive'],
  http: ['http1MaxPendingRequests', 'maxRetries', 'h2UpgradePolicy', 'useClientProtocol'],
} as const;

const checkPool = (pool: ConnectionPool | undefined, path: string): readonly Finding[] => {
  const unused = [
    ...CALLING.tcp.filter((name) => pool?.tcp?.[name] !== undefined).map((name) => `tcp.${name}`),
    ...CALLING.http.filter((name) => pool?.http?.[name] !== undefined).map((name) => `http.${name}`),
  ];
  return unused.map((name) =>
    warning(
      `${path}.${name}`,
      'no effect on a guarded server, which calls nobody: only an Envoy calls the application behind it',
    ),
  );
};

const checkEndpoint = ({ port, defaultEndpoint }: SidecarIngress, path: string): readonly Finding[] => {
  if (defaultEndpoint === undefined || defaultEndpoint.endsWith(`:${port.number}`)) return [];
  const message = `only an Envoy forwards to ${defaultEndpoint}: a guarded server is the application itself, and listens on ${port.number}`;
  return [warning(path, message)];
};

/** TLS of the service's own is only spoken where the mesh's is not (Istio). */
const checkTls = (
  world: World,
  { namespace, spec }: Sidecar,
  { port, tls }: SidecarIngress,
  path: string,
): readonly Finding[] => {
  if (tls === undefined) return [];
  const labels = spec.workloadSelector?.labels ?? new Map<string, string>();
  const { mode, decidedBy } = inboundMode(world, { namespace, labels }, port.number);
  const needs = tls.mode === 'SIMPLE' ? (['certificate'] as const) : (['certificate', 'roots'] as const);
  const fieldPath = `${path}.credentialName`;
  const findings: Finding[] = checkCredential(world, namespace, tls.credentialName, needs).map((found) => ({
    ...found,
    fieldPath,
  }));
  if (mode !== 'DISABLE') {
    const why =
      decidedBy === undefined ? 'by default' : `by PeerAuthentication ${decidedBy.namespace}/${decidedBy.name}`;
    findings.push(
      warning(
        path,
        `no effect: port ${port.number} is ${mode} ${why}, want a PeerAuthentication with mode DISABLE for it`,
      ),
    );
  }
  return findings;
};
