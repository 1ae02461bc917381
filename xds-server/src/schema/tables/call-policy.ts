import { checkCallPolicy, checkHealthCheck, checkHedging, checkTarget } from '../checks/call-policy.ts';
import { list, message, required, supported } from '../message.ts';
import type {
  CallPolicySpec,
  CallPolicyTarget,
  HealthCheckSettings,
  Hedging,
  KeepAliveSettings,
  MirrorCompare,
  WeightedByLoad,
} from '../spec/call-policy.ts';
import { host } from '../syntax.ts';
import {
  decimal,
  duration,
  flag,
  integer,
  nonEmptyText,
  portNumber,
  type Type,
  text,
  textThat,
  truth,
  uint32,
  word,
} from '../type.ts';

const target = message<CallPolicyTarget>(
  {
    group: supported(text()),
    kind: required(word('Service', 'ServiceEntry', 'VirtualService')),
    name: required(nonEmptyText),
    sectionName: supported(nonEmptyText),
  },
  { check: checkTarget },
);

const fixedDelay = duration(1, ' or p95');
const delay: Type<number | 'p95'> = {
  wants: fixedDelay.wants,
  read: (value, place) => (value === 'p95' ? value : fixedDelay.read(value, place)),
};

/** More would be an amplifier, not a remedy. */
const MOST_HEDGES = 10;

const hedging = message<Hedging>(
  {
    delay: supported(delay),
    maxHedges: supported(integer(1, MOST_HEDGES)),
    onPerTryTimeout: supported(truth),
  },
  { check: checkHedging },
);

const mirror = message<NonNullable<CallPolicySpec['mirror']>>({
  compare: required(
    message<MirrorCompare>({ status: supported(flag), json: supported(flag), latency: supported(flag) }),
  ),
});

const healthCheck = message<HealthCheckSettings>(
  {
    http: supported(
      message<NonNullable<HealthCheckSettings['http']>>({
        path: required(textThat('a path that begins with "/"', (value) => !value.startsWith('/'))),
        host: supported(host),
        method: supported(word('GET', 'HEAD', 'OPTIONS')),
        expectedStatuses: supported(list(integer(100, 599))),
      }),
    ),
    tcp: supported(message<object>({})),
    grpc: supported(message<NonNullable<HealthCheckSettings['grpc']>>({ service: supported(text()) })),
    port: supported(portNumber),
    interval: supported(duration()),
    timeout: supported(duration()),
    unhealthyThreshold: supported(integer(1, 1_000)),
    healthyThreshold: supported(integer(1, 1_000)),
  },
  { check: checkHealthCheck },
);

const keepAlive = message<KeepAliveSettings>({
  idleTimeout: supported(duration()),
  http2Ping: supported(
    message<NonNullable<KeepAliveSettings['http2Ping']>>({
      interval: required(duration()),
      timeout: supported(duration()),
    }),
  ),
});

const weightedByLoad = message<WeightedByLoad>({
  outOfBandPeriod: supported(duration()),
  blackoutPeriod: supported(duration(0)),
  weightExpirationPeriod: supported(duration()),
  // A58: shorter ones are taken for 100 ms.
  weightUpdatePeriod: supported(duration(100)),
  errorUtilizationPenalty: supported(decimal(0, 1_000)),
  utilizationMetrics: supported(list(nonEmptyText, 16)),
});

export const callPolicy = message<CallPolicySpec>(
  {
    targetRefs: required(list(target, 16)),
    hedging: supported(hedging),
    bodyBuffer: supported(uint32),
    faultScope: supported(word('call', 'attempt')),
    mirror: supported(mirror),
    healthCheck: supported(healthCheck),
    keepAlive: supported(keepAlive),
    retryNonIdempotent: supported(truth),
    weightedByLoad: supported(weightedByLoad),
  },
  { check: checkCallPolicy },
);
