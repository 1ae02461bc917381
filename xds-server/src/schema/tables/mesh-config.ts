import {
  ignored,
  ignoredAll,
  later,
  list,
  mapOf,
  message,
  required,
  supported,
  translatedOnly,
  unused,
} from '../message.ts';
import type { ConfigMapSpec, LabelSelector, MeshConfigSpec, OutboundTrafficPolicy } from '../spec/mesh-config.ts';
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
    'the platform’s roots and TLS versions are used, and there are no certificates of the mesh yet',
    'verifyCertificateAtClient',
    'certificates',
    'caCertificates',
    'ca',
    'meshMTLS',
    'tlsDefaults',
  ),
  ...ignoredAll('write it in the DestinationRule of each host', 'h2UpgradePolicy'),
  ...ignoredAll('configuration comes from where the control plane was told to read', 'configSources'),
  ...ignoredAll('there is one cluster, and Thrift is bytes', 'serviceSettings', 'serviceScopeConfigs', 'thriftConfig'),
};

const meshConfig = message<MeshConfigSpec>(
  {
    rootNamespace: supported(dnsLabel),
    trustDomain: later(trustDomain),
    trustDomainAliases: later(list(trustDomain)),
    outboundTrafficPolicy: supported(outboundTrafficPolicy),
    defaultHttpRetryPolicy: supported(httpRetry),
    connectTimeout: supported(duration()),
    tcpKeepalive: supported(keepalive),
    // Envoy refuses a shorter one (Cluster.dns_refresh_rate).
    dnsRefreshRate: supported(duration(2)),
    localityLbSetting: supported(locality),
    // Quiet: it is `true` in every installation, and there is no mTLS it could switch on yet.
    enableAutoMtls: translatedOnly(truth),
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
