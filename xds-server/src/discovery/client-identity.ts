import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import type { Node } from '@inmesh/sdk/internal/gen/core';
import { defaultOf } from '../defaults.ts';
import type { View } from '../translate/view.ts';

/** Who is at the other end of a stream, read from its Node. Metadata keys are Istio's, ours begin with INMESH_. */
export interface ClientIdentity {
  readonly id: string;
  readonly userAgent: string;
  readonly namespace: string;
  readonly workload: string;
  readonly serviceAccount: string;
  readonly view: View;
  readonly addresses: readonly string[];
  readonly registrations: readonly Registration[];
  /** The newest revision it has seen, here or on another replica; empty where it has seen none. */
  readonly revision: string;
  /** What was wrong in the metadata; each with the key and what is allowed. */
  readonly faults: readonly string[];
}

/** One service a process says it serves (metadata INMESH_REGISTER). */
export interface Registration {
  readonly service: string;
  /** The port the process itself listens on. */
  readonly port: number;
  readonly version?: string;
  readonly labels: ReadonlyMap<string, string>;
  readonly address?: string;
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

function registration(value: JsonValue, index: number, faults: string[]): Registration | undefined {
  const at = `INMESH_REGISTER[${index}]`;
  if (!isObject(value)) {
    faults.push(`${at}: got ${typeof value}, want an object with service and port`);
    return undefined;
  }
  const { service, port, version, address } = value;
  if (typeof service !== 'string' || !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/i.test(service)) {
    faults.push(`${at}.service: got ${JSON.stringify(service)}, want a service name`);
    return undefined;
  }
  if (typeof port !== 'number' || !Number.isInteger(port) || port < 1 || port > 65_535) {
    faults.push(`${at}.port: got ${JSON.stringify(port)}, want an integer 1–65535`);
    return undefined;
  }
  return {
    service,
    port,
    labels: labelsOf(value.labels),
    ...(typeof version === 'string' && version !== '' ? { version } : {}),
    ...(typeof address === 'string' && address !== '' ? { address } : {}),
  };
}

function registrationsOf(listed: JsonValue | undefined, faults: string[]): readonly Registration[] {
  if (listed === undefined) return [];
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

export function clientIdentity(node: Node): ClientIdentity {
  const metadata: JsonObject = node.metadata ?? {};
  const faults: string[] = [];
  const registrations = registrationsOf(metadata.INMESH_REGISTER, faults);
  const namespace = text(metadata, 'NAMESPACE') || 'default';
  const addresses = text(metadata, 'INSTANCE_IPS')
    .split(',')
    .filter((address) => address !== '');
  return {
    id: node.id,
    userAgent:
      `${node.userAgentName} ${node.userAgentVersionType.case === 'userAgentVersion' ? node.userAgentVersionType.value : ''}`.trim(),
    namespace,
    workload: text(metadata, 'WORKLOAD_NAME') || node.id,
    serviceAccount: text(metadata, 'SERVICE_ACCOUNT') || 'default',
    addresses,
    registrations,
    revision: text(metadata, 'INMESH_REVISION'),
    faults,
    view: {
      kind: kindOf(metadata, node.userAgentName),
      namespace,
      labels: labelsOf(metadata.LABELS),
      locality: {
        region: node.locality?.region ?? '',
        zone: node.locality?.zone ?? '',
        subZone: node.locality?.subZone ?? '',
      },
    },
  };
}
