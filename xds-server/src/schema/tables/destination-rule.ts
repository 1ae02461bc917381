import {
  checkConsistentHash,
  checkDestinationRule,
  checkLocality,
  checkPolicy,
  checkTls,
} from '../checks/destination-rule.ts';
import type { Fields } from '../message.ts';
import { ignored, later, list, mapOf, message, oneOf, required, supported, translatedOnly } from '../message.ts';
import type {
  ClientTls,
  ConnectionPool,
  ConsistentHash,
  DestinationRuleSpec,
  HttpCookie,
  LoadBalancerSettings,
  LocalityLoadBalancer,
  OutlierDetectionSettings,
  PortPolicy,
  PortTrafficPolicy,
  Subset,
  TrafficPolicy,
} from '../spec/destination-rule.ts';
import { dnsLabel, exportScope, labelValue, wildcardHost, wrongLabelName } from '../syntax.ts';
import {
  count,
  decimal,
  duration,
  integer,
  nonEmptyText,
  portNumber,
  type Type,
  text,
  truth,
  uint32,
  word,
  wordOr,
} from '../type.ts';

const ringSize = integer(0, Number.MAX_SAFE_INTEGER);

const httpCookie = message<HttpCookie>({
  name: required(nonEmptyText),
  path: supported(text()),
  ttl: supported(duration(0)),
  attributes: supported(
    list(
      message<{ name: string; value: string }>({
        name: required(text()),
        value: supported({ ...text(), absent: () => '' }),
      }),
    ),
  ),
});

const consistentHash = message<ConsistentHash>(
  {
    httpHeaderName: supported(nonEmptyText),
    httpCookie: supported(httpCookie),
    useSourceIp: supported(truth),
    httpQueryParameterName: supported(nonEmptyText),
    ringHash: supported(message<{ readonly minimumRingSize?: number }>({ minimumRingSize: supported(ringSize) })),
    maglev: supported(message<{ readonly tableSize?: number }>({ tableSize: supported(ringSize) })),
    minimumRingSize: supported(ringSize),
  },
  { check: checkConsistentHash },
);

export const locality = message<LocalityLoadBalancer>(
  {
    distribute: supported(
      list(
        message<LocalityLoadBalancer['distribute'][number]>({
          from: required(text()),
          to: supported(mapOf(integer(0, 100))),
        }),
      ),
    ),
    failover: supported(
      list(message<LocalityLoadBalancer['failover'][number]>({ from: required(text()), to: required(text()) })),
    ),
    failoverPriority: supported(list(text())),
    enabled: supported(truth),
  },
  { check: checkLocality },
);

const loadBalancer = message<LoadBalancerSettings>(
  {
    simple: supported(word('UNSPECIFIED', 'LEAST_CONN', 'RANDOM', 'PASSTHROUGH', 'ROUND_ROBIN', 'LEAST_REQUEST')),
    consistentHash: supported(consistentHash),
    localityLbSetting: supported(locality),
    warmupDurationSecs: supported(duration()),
    warmup: supported(
      message<NonNullable<LoadBalancerSettings['warmup']>>({
        duration: required(duration()),
        minimumPercent: supported(decimal(0, 100)),
        aggression: supported(decimal(1, Number.MAX_VALUE)),
      }),
    ),
  },
  {
    aliases: {
      consistentHashLB: {
        as: 'consistentHash',
        warning: 'taken as consistentHash: Istio has no field consistentHashLB',
      },
    },
    others: { zoneAwareLbSetting: { kind: 'ignored', because: 'zone-aware balancing is not served' } },
    check: (value, place) => oneOf(value, ['simple', 'consistentHash'], place),
  },
);

const keepAlive = { kind: 'ignored', because: 'a CallPolicy sends pings (keepAlive.http2Ping)' } as const;

const SYSTEM_PROBES = 'Node sets the time before the first probe, the others are the operating system’s';

export const keepalive = message<NonNullable<NonNullable<ConnectionPool['tcp']>['tcpKeepalive']>>({
  probes: ignored(uint32, SYSTEM_PROBES),
  time: supported(duration()),
  interval: ignored(duration(), SYSTEM_PROBES),
});

export const connectionPool = message<ConnectionPool>({
  tcp: supported(
    message<NonNullable<ConnectionPool['tcp']>>({
      maxConnections: supported(count),
      connectTimeout: supported(duration()),
      tcpKeepalive: supported(keepalive),
      maxConnectionDuration: supported(duration()),
      idleTimeout: supported(duration(0)),
    }),
  ),
  http: supported(
    message<NonNullable<ConnectionPool['http']>>(
      {
        http1MaxPendingRequests: supported(count),
        http2MaxRequests: supported(count),
        maxRequestsPerConnection: supported(count),
        maxRetries: supported(count),
        idleTimeout: supported(duration()),
        h2UpgradePolicy: supported(word('DEFAULT', 'DO_NOT_UPGRADE', 'UPGRADE')),
        useClientProtocol: later(truth),
        maxConcurrentStreams: supported(count),
      },
      {
        others: { http2KeepAlive: keepAlive },
      },
    ),
  ),
});

const outlierDetection = message<OutlierDetectionSettings>(
  {
    consecutiveErrors: supported(count),
    splitExternalLocalOriginErrors: supported(truth),
    consecutiveLocalOriginFailures: supported(uint32),
    consecutiveGatewayErrors: supported(uint32),
    consecutive5xxErrors: supported(uint32),
    interval: supported(duration()),
    baseEjectionTime: supported(duration()),
    maxEjectionPercent: supported(integer(0, 100)),
    minHealthPercent: supported(integer(0, 100)),
  },
  {
    others: { outlierDetectionHttpErrorCodes: { kind: 'ignored', because: 'Istio does not serve it yet' } },
    check(value, place) {
      if (value.consecutiveErrors !== undefined) {
        place.at('consecutiveErrors').warn('deprecated, write consecutiveGatewayErrors or consecutive5xxErrors');
      }
    },
  },
);

const tls = message<ClientTls>(
  {
    mode: supported(wordOr('DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL')),
    clientCertificate: supported(text()),
    privateKey: supported(text()),
    caCertificates: supported(text()),
    credentialName: supported(text()),
    subjectAltNames: supported(list(text())),
    sni: supported(text()),
    insecureSkipVerify: supported(truth),
    caCrl: supported(text()),
  },
  { check: checkTls },
);

const policyFields: Fields<PortPolicy> = {
  loadBalancer: supported(loadBalancer),
  connectionPool: supported(connectionPool),
  outlierDetection: supported(outlierDetection),
  tls: supported(tls),
};

const portTrafficPolicy = message<PortTrafficPolicy>({
  ...policyFields,
  port: required(message<{ readonly number: number }>({ number: required(portNumber) })),
});

const trafficPolicy: Type<TrafficPolicy> = message<TrafficPolicy>(
  {
    ...policyFields,
    portLevelSettings: supported(list(portTrafficPolicy, 4096)),
    tunnel: translatedOnly(
      message<NonNullable<TrafficPolicy['tunnel']>>({
        protocol: supported(text()),
        targetHost: required(nonEmptyText),
        targetPort: required(portNumber),
      }),
    ),
    proxyProtocol: translatedOnly(
      message<NonNullable<TrafficPolicy['proxyProtocol']>>({ version: supported(word('V1', 'V2')) }),
    ),
    retryBudget: supported(
      message<NonNullable<TrafficPolicy['retryBudget']>>(
        { percent: supported(decimal(0, 100)), minRetryConcurrency: supported(uint32) },
        { others: { budgetInterval: { kind: 'ignored', because: 'Istio does not serve it yet' } } },
      ),
    ),
  },
  { check: checkPolicy },
);

const subset = message<Subset>({
  name: required(dnsLabel),
  labels: supported(mapOf(labelValue, wrongLabelName)),
  trafficPolicy: supported(trafficPolicy),
});

export const destinationRule = message<DestinationRuleSpec>(
  {
    host: required(wildcardHost),
    trafficPolicy: supported(trafficPolicy),
    subsets: supported(list(subset)),
    exportTo: supported(list(exportScope)),
    workloadSelector: supported(
      message<NonNullable<DestinationRuleSpec['workloadSelector']>>({
        matchLabels: supported(mapOf(labelValue, wrongLabelName)),
      }),
    ),
  },
  { check: checkDestinationRule },
);
