import { isIP } from 'node:net';
import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { Node } from '@inmesh/sdk/internal/gen/core';
import type { Principal } from '../auth/principal.ts';
import { defaultOf } from '../defaults.ts';
import { grpcTraits } from '../translate/client/grpc-client.ts';
import type { View } from '../translate/view.ts';
import { LOCAL, type Peer } from './peer.ts';

/**
 * Who is at the other end of a stream: what it says of itself in its Node, as far as what it has proven leaves that to it. Metadata
 * keys are Istio's, ours begin with INMESH_.
 */
export interface ClientIdentity {
  readonly id: string;
  readonly userAgent: string;
  readonly namespace: string;
  readonly workload: string;
  /** As it says, where nothing is proven. */
  readonly serviceAccount: string;
  readonly peer: Peer;
  readonly view: View;
  readonly addresses: readonly string[];
  readonly registrations: readonly Registration[];
  /** The newest revision it has seen, here or on another replica; empty where it has seen none. */
  readonly revision: string;
  /** What was wrong in the metadata; each with the key and what is allowed. */
  readonly faults: readonly string[];
  /** Of the Pod it has proven to be: what it says of its labels does not count. */
  readonly podLabels?: ReadonlyMap<string, string>;
  /** It says to be someone else than it has proven: the stream is refused. */
  readonly conflict?: string;
}

/** One service a process says it serves (metadata INMESH_REGISTER). */
export interface Registration {
  readonly service: string;
  /** The port the process itself listens on. */
  readonly port: number;
  readonly version?: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly address?: string;
  /** It takes connections of the mesh's own TLS; counts only for who has proven who it is. */
  readonly tls?: 'istio';
}

const isObject = (value: JsonValue | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

function text(metadata: JsonObject, key: string): string {
  const value = metadata[key];
  return typeof value === 'string' ? value : '';
}

function labelsOf(value: JsonValue | undefined): ReadonlyMap<string, string> {
  const labels = new Map<string, string>();
  if (isObject(value)) {
    for (const [name, label] of Object.entries(value)) if (typeof label === 'string') labels.set(name, label);
  }
  return labels;
}

/** Never `unix:PATH`: whoever calls the service would be sent to a socket of its own machine. */
const isReachable = (address: JsonValue): address is string =>
  typeof address === 'string' && (address === '' || isIP(address) !== 0 || HOST_NAME.test(address));
const HOST_NAME = /^[a-z0-9_]([-a-z0-9_.]{0,251}[a-z0-9_])?\.?$/i;

function registration(value: JsonValue, index: number, faults: string[]): Registration | undefined {
  const at = `INMESH_REGISTER[${index}]`;
  if (!isObject(value)) {
    faults.push(`${at}: got ${typeof value}, want an object with service and port`);
    return undefined;
  }
  const { service, port, version, address, tls } = value;
  if (typeof service !== 'string' || !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/i.test(service)) {
    faults.push(`${at}.service: got ${JSON.stringify(service)}, want a service name`);
    return undefined;
  }
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    faults.push(`${at}.port: got ${JSON.stringify(port)}, want an integer 1–65535`);
    return undefined;
  }
  if (address !== undefined && !isReachable(address)) {
    faults.push(`${at}.address: got ${JSON.stringify(address)?.slice(0, 64)}, want an IP address or a host name`);
    return undefined;
  }
  if (tls !== undefined && tls !== 'istio')
    faults.push(`${at}.tls: got ${JSON.stringify(tls)?.slice(0, 64)}, want "istio" or nothing`);
  return {
    service,
    port,
    labels: labelsOf(value.labels),
    ...(tls === 'istio' && { tls }),
    ...(typeof version === 'string' && version !== '' ? { version } : {}),
    ...(address !== undefined && address !== '' && { address }),
  };
}

function registrationsOf(listed: JsonValue | undefined, peer: Peer, faults: string[]): readonly Registration[] {
  if (listed === undefined) return [];
  if (peer.isPublic) {
    faults.push('INMESH_REGISTER: only who proves who it is, or runs on this machine, joins the mesh');
    return [];
  }
  if (!Array.isArray(listed)) {
    faults.push(`INMESH_REGISTER: got ${JSON.stringify(listed)}, want a list`);
    return [];
  }
  const limit = defaultOf('registrationsPerStream');
  if (listed.length > limit) faults.push(`INMESH_REGISTER: got ${listed.length} services, want at most ${limit}`);
  const registrations = listed.slice(0, limit).map((value, index) => registration(value, index, faults));
  return registrations.filter((one) => one !== undefined);
}

/** Only the SDK says its kind; whoever says nothing is taken for a gRPC client (they all speak on-demand SotW). */
function kindOf(metadata: JsonObject, userAgent: string): View['kind'] {
  if (text(metadata, 'INMESH_KIND') === 'sdk') return 'sdk';
  return userAgent.startsWith('envoy') ? 'envoy' : 'grpc';
}

const versionOf = ({ userAgentVersionType: said }: Node): string =>
  said.case === 'userAgentVersion' ? said.value : '';

/**
 * The namespace of who is nobody: no object can be in it, so all it sees is what is exported to everyone (`~` is in no name of
 * Kubernetes).
 */
const NOWHERE = '~public';

/** Node metadata may only narrow what is proven: naming another namespace or service account is refused, saying nothing is not. */
function conflictOf(metadata: JsonObject, principal: Principal | undefined): { conflict?: string } {
  if (principal === undefined) return {};
  const proven = { NAMESPACE: principal.namespace, SERVICE_ACCOUNT: principal.serviceAccount };
  for (const [key, want] of Object.entries(proven)) {
    const said = text(metadata, key);
    if (said !== '' && said !== want)
      return { conflict: `node metadata ${key} says "${said.slice(0, 64)}", the credential proves "${want}"` };
  }
  return {};
}

/** Labels choose what a workload is told: those of a proven Pod are the cluster's word, not its own. */
function falseLabels(claimed: ReadonlyMap<string, string>, of: ReadonlyMap<string, string> | undefined): string[] {
  if (of === undefined) return [];
  const wrong = [...claimed].filter(([name, value]) => of.get(name) !== value).map(([name]) => name.slice(0, 64));
  return wrong.length === 0 ? [] : [`LABELS: ${wrong.slice(0, 8).join(', ')}: not so on its Pod, whose labels count`];
}

export function clientIdentity(
  node: Node,
  peer: Peer = LOCAL,
  podLabels?: ReadonlyMap<string, string>,
): ClientIdentity {
  const metadata: JsonObject = node.metadata ?? {};
  const faults: string[] = [];
  const kind = kindOf(metadata, node.userAgentName);
  const { principal, isPublic } = peer;
  const registrations = registrationsOf(metadata.INMESH_REGISTER, peer, faults);
  const namespace = principal?.namespace ?? (isPublic ? NOWHERE : text(metadata, 'NAMESPACE') || 'default');
  const claimed = labelsOf(metadata.LABELS);
  faults.push(...falseLabels(claimed, podLabels));
  const addresses = text(metadata, 'INSTANCE_IPS')
    .split(',')
    .filter((address) => isIP(address) !== 0);
  return {
    id: node.id,
    userAgent: `${node.userAgentName} ${versionOf(node)}`.trim(),
    namespace,
    workload: text(metadata, 'WORKLOAD_NAME') || node.id,
    serviceAccount: principal?.serviceAccount ?? (text(metadata, 'SERVICE_ACCOUNT') || 'default'),
    peer,
    addresses,
    registrations,
    revision: text(metadata, 'INMESH_REVISION'),
    faults,
    ...(podLabels && { podLabels }),
    ...conflictOf(metadata, principal),
    view: {
      kind,
      ...(kind === 'grpc' ? grpcTraits({ userAgent: node.userAgentName, version: versionOf(node) }) : {}),
      namespace,
      labels: podLabels ?? claimed,
      locality: {
        region: node.locality?.region ?? '',
        zone: node.locality?.zone ?? '',
        subZone: node.locality?.subZone ?? '',
      },
    },
  };
}
