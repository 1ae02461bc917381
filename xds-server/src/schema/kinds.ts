import type { PodStatus } from './spec/core.ts';
import { dnsLabel, isDnsLabel, isDnsSubdomain } from './syntax.ts';
import { callPolicy } from './tables/call-policy.ts';
import { endpointSlice, endpoints, namespace, node, pod, podStatus, service, serviceAccount } from './tables/core.ts';
import { destinationRule } from './tables/destination-rule.ts';
import { configMap } from './tables/mesh-config.ts';
import { peerAuthentication } from './tables/peer-authentication.ts';
import { secret } from './tables/secret.ts';
import { serviceEntry, workloadEntry, workloadGroup } from './tables/service-entry.ts';
import { sidecar } from './tables/sidecar.ts';
import { virtualService } from './tables/virtual-service.ts';
import { type Type, textThat } from './type.ts';
import type { Kind, SpecOf } from './types.ts';

export interface KindTable<K extends Kind = Kind> {
  readonly apiVersions: readonly string[];
  readonly spec: Type<SpecOf[K]>;
  /** `top`: the fields stand beside metadata, there is no `spec` (Endpoints, EndpointSlice, ServiceAccount). */
  readonly layout: 'spec' | 'top';
  readonly specRequired: boolean;
  readonly clusterScoped: boolean;
  readonly name: Type<string>;
}

/** The first is the one to write; the others are the same object (Istio serves all three). */
const ISTIO = ['networking.istio.io/v1', 'networking.istio.io/v1beta1', 'networking.istio.io/v1alpha3'];
const ISTIO_SECURITY = ['security.istio.io/v1', 'security.istio.io/v1beta1'];
const CORE = ['v1'];

const subdomain = textThat('a DNS name (a–z, 0–9, "-", ".")', (name) => !isDnsSubdomain(name));
/** RFC 1035. */
const serviceName = textThat(
  'a DNS label (up to 63 of a–z, 0–9, "-") that begins with a letter',
  (name) => !isDnsLabel(name) || !/^[a-z]/.test(name),
);

const table = <K extends Kind>(
  spec: Type<SpecOf[K]>,
  apiVersions: readonly string[],
  more: Partial<KindTable<K>> = {},
): KindTable<K> => ({
  spec,
  apiVersions,
  layout: 'spec',
  specRequired: true,
  clusterScoped: false,
  name: subdomain,
  ...more,
});

export const KINDS: { readonly [K in Kind]: KindTable<K> } = {
  Namespace: table<'Namespace'>(namespace, CORE, {
    specRequired: false,
    clusterScoped: true,
    name: dnsLabel,
  }),
  Node: table<'Node'>(node, CORE, { specRequired: false, clusterScoped: true }),
  ConfigMap: table<'ConfigMap'>(configMap, CORE, { layout: 'top' }),
  Service: table<'Service'>(service, CORE, { name: serviceName }),
  Endpoints: table<'Endpoints'>(endpoints, CORE, { layout: 'top' }),
  EndpointSlice: table<'EndpointSlice'>(endpointSlice, ['discovery.k8s.io/v1'], { layout: 'top' }),
  Pod: table<'Pod'>(pod, CORE),
  ServiceAccount: table<'ServiceAccount'>(serviceAccount, CORE, { layout: 'top' }),
  ServiceEntry: table<'ServiceEntry'>(serviceEntry, ISTIO),
  WorkloadEntry: table<'WorkloadEntry'>(workloadEntry, ISTIO),
  WorkloadGroup: table<'WorkloadGroup'>(workloadGroup, ISTIO),
  VirtualService: table<'VirtualService'>(virtualService, ISTIO),
  DestinationRule: table<'DestinationRule'>(destinationRule, ISTIO),
  Sidecar: table<'Sidecar'>(sidecar, ISTIO),
  PeerAuthentication: table<'PeerAuthentication'>(peerAuthentication, ISTIO_SECURITY, { specRequired: false }),
  Secret: table<'Secret'>(secret, CORE, { layout: 'top' }),
  CallPolicy: table<'CallPolicy'>(callPolicy, ['inmesh.io/v1alpha1']),
};

/** Of the kinds whose `status` is read. */
export const STATUS: { readonly Pod: Type<PodStatus> } = { Pod: podStatus };

/** Known by name and accepted: a whole cluster's folder must not drown in errors. */
export interface KnownKind {
  readonly severity: 'warning' | 'info';
  readonly message: string;
}

const policy: KnownKind = { severity: 'warning', message: 'not yet enforced: accepted and without effect' };
const running: KnownKind = {
  severity: 'info',
  message: 'not used here: processes register themselves (inmesh run), or write a Pod, WorkloadEntry or EndpointSlice',
};
const other: KnownKind = { severity: 'info', message: 'not used by the mesh' };

const of = (known: KnownKind, ...kinds: readonly string[]): [string, KnownKind][] => kinds.map((kind) => [kind, known]);

/** `group/Kind`; the core group is empty. */
export const KNOWN_KINDS: ReadonlyMap<string, KnownKind> = new Map([
  ...of(policy, 'networking.istio.io/Gateway', 'networking.istio.io/EnvoyFilter'),
  ...of(policy, 'networking.istio.io/ProxyConfig', 'telemetry.istio.io/Telemetry'),
  ...of(policy, 'extensions.istio.io/WasmPlugin', 'extensions.istio.io/TrafficExtension'),
  ...of(policy, 'security.istio.io/RequestAuthentication', 'security.istio.io/AuthorizationPolicy'),
  ...of(policy, 'install.istio.io/IstioOperator'),
  ...['GatewayClass', 'Gateway', 'HTTPRoute', 'GRPCRoute', 'TLSRoute', 'TCPRoute', 'UDPRoute', 'ReferenceGrant']
    .concat(['BackendTLSPolicy', 'ListenerSet'])
    .flatMap((kind) => of(policy, `gateway.networking.k8s.io/${kind}`)),
  ...['XBackend', 'XBackendTrafficPolicy', 'XMesh', 'XTelemetryPolicy', 'XListenerSet'].flatMap((kind) =>
    of(policy, `gateway.networking.x-k8s.io/${kind}`),
  ),
  ...of(
    running,
    'apps/Deployment',
    'apps/StatefulSet',
    'apps/DaemonSet',
    'apps/ReplicaSet',
    'batch/Job',
    'batch/CronJob',
  ),
  ...of(running, '/ReplicationController'),
  ...of(other, '/ConfigMap', '/Secret', '/Event', '/LimitRange', '/ResourceQuota', '/PodTemplate'),
  ...of(
    other,
    '/PersistentVolume',
    '/PersistentVolumeClaim',
    'networking.k8s.io/Ingress',
    'networking.k8s.io/NetworkPolicy',
  ),
  ...of(other, 'networking.k8s.io/IngressClass', 'autoscaling/HorizontalPodAutoscaler', 'policy/PodDisruptionBudget'),
  ...['Role', 'RoleBinding', 'ClusterRole', 'ClusterRoleBinding'].flatMap((kind) =>
    of(other, `rbac.authorization.k8s.io/${kind}`),
  ),
  ...of(
    other,
    'apiextensions.k8s.io/CustomResourceDefinition',
    'storage.k8s.io/StorageClass',
    'coordination.k8s.io/Lease',
  ),
  ...of(
    other,
    'scheduling.k8s.io/PriorityClass',
    'kustomize.config.k8s.io/Kustomization',
    'cert-manager.io/Certificate',
  ),
  ...of(other, 'admissionregistration.k8s.io/MutatingWebhookConfiguration'),
  ...of(other, 'admissionregistration.k8s.io/ValidatingWebhookConfiguration'),
]);

/** Groups whose kinds are listed completely: a kind of theirs that is not known is a typing error. */
export const OWN_GROUPS: ReadonlySet<string> = new Set([
  'networking.istio.io',
  'security.istio.io',
  'telemetry.istio.io',
  'extensions.istio.io',
  'discovery.k8s.io',
  'inmesh.io',
  '',
]);
