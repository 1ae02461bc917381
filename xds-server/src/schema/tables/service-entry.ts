import { checkServiceEntry, checkWorkloadEntry } from '../checks/service-entry.ts';
import { ignored, list, mapOf, message, required, supported } from '../message.ts';
import type {
  ServiceEntryPort,
  ServiceEntrySpec,
  WorkloadEntrySpec,
  WorkloadGroupSpec,
} from '../spec/service-entry.ts';
import { cidrOrIP, exportScope, isDnsLabel, labelValue, wildcardHost, wrongLabelName } from '../syntax.ts';
import { portNumber, type Type, text, textThat, uint32, wordOr } from '../type.ts';

const portName = textThat('a port name (letters, digits, "-")', (value) => !isDnsLabel(value.toLowerCase()));

/** Istio protocol.Parse; case does not matter. */
const PROTOCOLS = [
  'HTTP',
  'HTTPS',
  'HTTP2',
  'GRPC',
  'GRPC-WEB',
  'TCP',
  'TLS',
  'UDP',
  'MONGO',
  'REDIS',
  'MYSQL',
  'HTTP_PROXY',
];

const protocol: Type<string> = {
  wants: `one of ${PROTOCOLS.join(', ')}`,
  absent: () => '',
  read(value, place) {
    const given = text(this.wants).read(value, place)?.toUpperCase();
    if (given === undefined || given === '' || PROTOCOLS.includes(given)) return given;
    return place.error(`got ${JSON.stringify(value)}, want ${this.wants}`);
  },
};

const port = message<ServiceEntryPort>({
  number: required(portNumber),
  name: required(portName),
  protocol: supported(protocol),
  targetPort: supported(portNumber),
});

const wrongPortName = (name: string): string | undefined =>
  isDnsLabel(name.toLowerCase()) ? undefined : 'not a port name: want letters, digits, "-"';

const workloadFields = (addressRequired: boolean): Type<WorkloadEntrySpec> =>
  message<WorkloadEntrySpec>(
    {
      address: supported({ ...text(), absent: () => '' }),
      ports: supported(mapOf(portNumber, wrongPortName)),
      labels: supported(mapOf(labelValue, wrongLabelName)),
      network: supported(text()),
      locality: supported(text()),
      weight: supported(uint32),
      serviceAccount: supported(text()),
    },
    { check: (value, place) => checkWorkloadEntry(value, place, addressRequired) },
  );

export const workloadEntry = workloadFields(true);

export const serviceEntry = message<ServiceEntrySpec>(
  {
    hosts: required(list(wildcardHost, 256)),
    addresses: supported(list(cidrOrIP, 256)),
    ports: supported(list(port, 256)),
    location: supported(wordOr('MESH_EXTERNAL', 'MESH_INTERNAL')),
    resolution: supported(wordOr('NONE', 'STATIC', 'DNS', 'DNS_ROUND_ROBIN', 'DYNAMIC_DNS')),
    endpoints: supported(list(workloadEntry, 4096)),
    workloadSelector: supported(
      message<NonNullable<ServiceEntrySpec['workloadSelector']>>({
        labels: supported(mapOf(labelValue, wrongLabelName)),
      }),
    ),
    exportTo: supported(list(exportScope)),
    subjectAltNames: supported(list(text())),
  },
  { check: checkServiceEntry },
);

const OWN_WORDS = 'a process that registers itself says itself what it is';

export const workloadGroup = message<WorkloadGroupSpec>(
  {
    metadata: ignored(
      message<NonNullable<WorkloadGroupSpec['metadata']>>({
        labels: supported(mapOf(labelValue, wrongLabelName)),
        annotations: supported(mapOf(text())),
      }),
      OWN_WORDS,
    ),
    template: { ...ignored(workloadFields(false), OWN_WORDS), required: true },
  },
  {
    others: { probe: { kind: 'ignored', because: 'a registered process is alive while its stream is' } },
  },
);
