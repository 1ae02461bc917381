import { checkService } from '../checks/service.ts';
import { list, mapOf, message, required, supported, unused } from '../message.ts';
import type {
  EndpointAddress,
  EndpointPort,
  EndpointSliceSpec,
  EndpointsSpec,
  NamespaceSpec,
  NodeSpec,
  ObjectReference,
  PodContainer,
  PodSpec,
  PodStatus,
  ServiceAccountSpec,
  ServicePort,
  ServiceSpec,
  SliceEndpoint,
} from '../spec/core.ts';
import { host, ip, ipOrHost, isDnsLabel, isIP, labelValue, wrongLabelName } from '../syntax.ts';
import { flag, portNumber, portOrName, simple, type Type, text, textThat, truth, word, wordOr } from '../type.ts';

const transport = wordOr('TCP', 'UDP', 'SCTP');
const portName = textThat('a port name (a–z, 0–9, "-")', (value) => value !== '' && !isDnsLabel(value));

export const namespace = message<NamespaceSpec>({}, { others: unused('finalizers') });

export const serviceAccount = message<ServiceAccountSpec>(
  {},
  { others: unused('secrets', 'imagePullSecrets', 'automountServiceAccountToken') },
);

/** Only a Node's labels are read (its place); the rest is the cluster's own. */
export const node = message<NodeSpec>({}, { unknown: 'ignore' });

const servicePort = message<ServicePort>(
  {
    port: required(portNumber),
    name: supported(portName),
    protocol: supported(transport),
    appProtocol: supported(text()),
    targetPort: supported(portOrName),
  },
  { others: unused('nodePort') },
);

const clusterIP = textThat('an IP address, "None" or ""', (value) => value !== '' && value !== 'None' && !isIP(value));

export const service = message<ServiceSpec>(
  {
    type: supported(wordOr('ClusterIP', 'NodePort', 'LoadBalancer', 'ExternalName')),
    clusterIP: supported(clusterIP),
    clusterIPs: supported(list(clusterIP)),
    externalName: supported(host),
    selector: supported(mapOf(labelValue, wrongLabelName)),
    ports: supported(list(servicePort)),
    publishNotReadyAddresses: supported(flag),
    trafficDistribution: supported(text()),
  },
  {
    others: {
      sessionAffinity: {
        kind: 'ignored',
        because: 'no session is bound to an endpoint: write consistentHash in a DestinationRule',
        quietly: 'None',
      },
      internalTrafficPolicy: {
        kind: 'ignored',
        because: 'clients do not say which node they are on',
        quietly: 'Cluster',
      },
      ...unused(
        'sessionAffinityConfig',
        'externalIPs',
        'loadBalancerIP',
        'loadBalancerClass',
        'loadBalancerSourceRanges',
        'allocateLoadBalancerNodePorts',
        'externalTrafficPolicy',
        'healthCheckNodePort',
        'ipFamilies',
        'ipFamily',
        'ipFamilyPolicy',
      ),
    },
    check: checkService,
  },
);

const objectReference = message<ObjectReference>(
  { kind: supported(text()), name: supported(text()), namespace: supported(text()) },
  { others: unused('apiVersion', 'fieldPath', 'resourceVersion', 'uid') },
);

const endpointPort = message<EndpointPort>({
  name: supported(portName),
  port: supported(portNumber),
  protocol: supported(transport),
  appProtocol: supported(text()),
});

const endpointAddress = message<EndpointAddress>({
  ip: required(ip),
  hostname: supported(text()),
  nodeName: supported(text()),
  targetRef: supported(objectReference),
});

export const endpoints = message<EndpointsSpec>({
  subsets: supported(
    list(
      message<EndpointsSpec['subsets'][number]>({
        addresses: supported(list(endpointAddress)),
        notReadyAddresses: supported(list(endpointAddress)),
        ports: supported(list(endpointPort)),
      }),
    ),
  ),
});

/** discovery.k8s.io/v1 EndpointConditions: an absent one reads as ready, serving, not terminating. */
const conditions: Type<SliceEndpoint['conditions']> = {
  ...message<SliceEndpoint['conditions']>({
    ready: supported({ ...truth, absent: () => true }),
    serving: supported({ ...truth, absent: () => true }),
    terminating: supported(flag),
  }),
  absent: () => ({ ready: true, serving: true, terminating: false }),
};

export const endpointSlice = message<EndpointSliceSpec>({
  addressType: required(word('IPv4', 'IPv6', 'FQDN')),
  endpoints: supported(
    list(
      message<SliceEndpoint>(
        {
          addresses: required(list(ipOrHost, 100)),
          conditions: supported(conditions),
          hostname: supported(text()),
          targetRef: supported(objectReference),
          nodeName: supported(text()),
          zone: supported(text()),
        },
        { others: unused('hints', 'deprecatedTopology') },
      ),
      1_000,
    ),
  ),
  ports: supported(list(endpointPort, 20_000)),
});

/** A Pod has far more fields than a mesh reads; those are not looked at, right or wrong. */
const OPEN = { unknown: 'ignore' } as const;

const podContainer = message<PodContainer>(
  {
    name: required(text()),
    ports: supported(
      list(
        message<PodContainer['ports'][number]>(
          { name: supported(portName), containerPort: required(portNumber), protocol: supported(transport) },
          OPEN,
        ),
      ),
    ),
  },
  OPEN,
);

export const pod = message<PodSpec>(
  {
    serviceAccountName: supported(text()),
    nodeName: supported(text()),
    hostname: supported(text()),
    containers: supported(list(podContainer)),
  },
  OPEN,
);

const conditionStatus = simple('"True", "False" or "Unknown"', (value) =>
  typeof value === 'string' ? value : undefined,
);

export const podStatus = message<PodStatus>(
  {
    phase: supported(text()),
    podIP: supported(ip),
    podIPs: supported(list(message<{ readonly ip: string }>({ ip: required(ip) }, OPEN))),
    conditions: supported(
      list(
        message<PodStatus['conditions'][number]>(
          { type: required(text()), status: supported({ ...conditionStatus, absent: () => 'Unknown' }) },
          OPEN,
        ),
      ),
    ),
  },
  OPEN,
);
