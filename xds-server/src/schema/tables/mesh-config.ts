import { ignored, ignoredAll, later, list, mapOf, message, required, supported, unused } from '../message.ts';
import { isPem } from '../pem.ts';
import type {
  CaCertificate,
  ConfigMapSpec,
  LabelSelector,
  MeshConfigSpec,
  OutboundTrafficPolicy,
} from '../spec/mesh-config.ts';
import { dnsLabel, exportScope, isHost, labelValue, wrongLabelName } from '../syntax.ts';
import { duration, type Type, text, textThat, truth, word, wordOr } from '../type.ts';
import { yamlText } from '../yaml-text.ts';
import { keepalive, locality } from './destination-rule.ts';
import { httpRetry } from './http-route.ts';

const trustDomain = textThat('a trust domain like "cluster.local"', (value) => !isHost(value));

export const outboundTrafficPolicy = message<OutboundTrafficPolicy>(
  { mode: supported(wordOr('REGISTRY_ONLY', 'ALLOW_ANY')) },
  { others: { egressProxy: { kind: 'ignored', because: 'unknown hosts are called directly' } } },
);

const labelSelector = message<LabelSelector>({
  matchLabels: supported(mapOf(labelValue, wrongLabelName)),
  matchExpressions: supported(
    list(
      message<LabelSelector['matchExpressions'][number]>({
        key: required(text()),
        operator: required(word('In', 'NotIn', 'Exists', 'DoesNotExist')),
        values: supported(list(text())),
      }),
    ),
  ),
});

const pathNormalization = message<NonNullable<MeshConfigSpec['pathNormalization']>>({
  normalization: supported(word('DEFAULT', 'NONE', 'BASE', 'MERGE_SLASHES', 'DECODE_AND_MERGE_SLASHES')),
});

const caCertificate = message<CaCertificate>({
  pem: supported(textThat('certificates in PEM', (value) => !isPem(value, 'certificate'))),
  spiffeBundleUrl: ignored(text(), 'nothing is fetched from there, write the certificates as pem'),
  certSigners: ignored(list(text()), 'the certificates count whoever signs'),
  trustDomains: supported(list(trustDomain)),
});

/** Fields that say nothing about what is here; said all the same, since whoever wrote one expects something of it. */
const OTHERS = {
  ...ignoredAll(
    'there is no proxy beside the application',
    'proxyListenPort',
    'proxyInboundListenPort',
    'proxyHttpPort',
    'protocolDetectionTimeout',
    'defaultConfig',
    'inboundTrafficPolicy',
    'hboneIdleTimeout',
  ),
  ...ignoredAll('Ingress is not served', 'ingressClass', 'ingressService', 'ingressControllerMode', 'ingressSelector'),
  ...ignoredAll(
    'telemetry is the application’s own',
    'enableTracing',
    'enableEnvoyAccessLogService',
    'disableEnvoyListenerLog',
    'enablePrometheusMerge',
    'inboundClusterStatName',
    'outboundClusterStatName',
    'extensionProviders',
    'defaultProviders',
  ),
  ...ignoredAll(
    'TLS is 1.2 or 1.3 with the platform’s ciphers, and a server is always verified',
    'verifyCertificateAtClient',
    'meshMTLS',
    'tlsDefaults',
  ),
  ...ignoredAll('certificates are issued by the control plane, or by whom each process was told', 'certificates', 'ca'),
  ...ignoredAll('write it in the DestinationRule of each host', 'h2UpgradePolicy'),
  ...ignoredAll('configuration comes from where the control plane was told to read', 'configSources'),
  ...ignoredAll('there is one cluster, and Thrift is bytes', 'serviceSettings', 'serviceScopeConfigs', 'thriftConfig'),
};

const meshConfig = message<MeshConfigSpec>(
  {
    rootNamespace: supported(dnsLabel),
    trustDomain: supported(trustDomain),
    trustDomainAliases: supported(list(trustDomain)),
    caCertificates: supported(list(caCertificate)),
    outboundTrafficPolicy: supported(outboundTrafficPolicy),
    defaultHttpRetryPolicy: supported(httpRetry),
    connectTimeout: supported(duration()),
    tcpKeepalive: supported(keepalive),
    // Envoy refuses a shorter one (Cluster.dns_refresh_rate).
    dnsRefreshRate: supported(duration(2)),
    localityLbSetting: supported(locality),
    enableAutoMtls: supported(truth),
    defaultServiceExportTo: supported(list(exportScope)),
    defaultVirtualServiceExportTo: supported(list(exportScope)),
    defaultDestinationRuleExportTo: supported(list(exportScope)),
    discoverySelectors: supported(list(labelSelector)),
    pathNormalization: ignored(
      pathNormalization,
      'clients normalise paths as URLs before they are routed, as BASE does; slashes are neither merged nor decoded',
    ),
    accessLogFile: later(text()),
    accessLogFormat: later(text()),
    accessLogEncoding: later(word('TEXT', 'JSON')),
  },
  { others: OTHERS },
);

const data: Type<ConfigMapSpec['data']> = {
  ...message<ConfigMapSpec['data']>({ mesh: supported(yamlText(meshConfig)) }, { unknown: 'ignore' }),
  absent: () => ({}),
};

export const configMap = message<ConfigMapSpec>(
  { data: supported(data) },
  { others: unused('binaryData', 'immutable') },
);
