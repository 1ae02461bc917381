import type { GrpcCase } from './case.ts';

/** Where our gRPC path does otherwise than grpc-go and grpcio: on purpose and why, or what is not there yet. By name of case. */
type Reason = Pick<GrpcCase, 'differs' | 'notYet'>;

const ENVOY_TYPES =
  'A cluster of this type is taken, as in Envoy: it has no endpoints here, so its calls fail all the same.';
const BYTES =
  'The name is read even of what cannot be read whole: its calls fail at once, and do not wait 15 s for a resource that does not come.';
const PANIC = "Envoy's panic threshold holds: below half of its endpoints well, a priority uses all of them.";
const LOCALITY_WEIGHTS =
  'Locality weights count where the cluster says `locality_weighted_lb_config` or WrrLocality, as in Envoy.';
const TAKEN = 'Taken, as Envoy does.';
const BALANCED = 'Envoy balances so too: the SDK has the policy that this asks for.';

export const REASONS: Readonly<Record<string, Reason>> = {
  'match-path-separated-prefix': { differs: 'Taken, as in Envoy: prefixes of Gateway API are written so.' },
  'match-connect-matcher': { differs: 'Taken, as in Envoy, and matches CONNECT alone.' },
  'match-header-joined': { differs: 'Repeats of a header are several values, each looked at, as in Envoy since 1.39.' },
  'match-header-binary': { differs: 'A `-bin` header is a header like others, its value in base64, as in Envoy.' },
  'match-header-user-agent': { differs: '`user-agent` is a header like others, as in Envoy.' },
  'match-header-old-empty': { differs: 'A header of which nothing is asked must be there, as in Envoy.' },
  'match-dynamic-metadata': {
    differs:
      'A rule about what is never there does not match, as in Envoy: proxyless clients drop the rule and take the route.',
  },
  'match-tls-context': {
    differs:
      'A rule about what is never there does not match, as in Envoy: proxyless clients drop the rule and take the route.',
  },
  'match-action-redirect': { differs: 'A redirect is answered, as Envoy does: 301 is UNKNOWN to gRPC.' },
  'match-action-cluster-header': {
    differs:
      '`cluster_header` is honoured, as in Envoy: the call fails where the header names no cluster of the routes.',
  },
  'match-domain-port': {
    differs:
      'A domain without a port is tried where none has the port: control planes that write names alone are understood.',
  },
  'retry-zero': { differs: 'No retries are no error, as in Envoy.' },
  'retry-back-off-order': { differs: 'Refused, as Envoy does.' },
  'timeout-waiting': {
    differs:
      '`waitForReady` waits to the deadline of the caller; what a route limits begins when there is an endpoint.',
  },
  'balance-locality-weights': { differs: LOCALITY_WEIGHTS },
  'balance-locality-no-weight': { differs: LOCALITY_WEIGHTS },
  'balance-locality-no-weights': { differs: LOCALITY_WEIGHTS },
  'balance-locality-zero': { differs: LOCALITY_WEIGHTS },
  'balance-locality-twice': { differs: TAKEN },
  'balance-endpoint-twice': { differs: TAKEN },
  'balance-priority-gap': { differs: TAKEN },
  'balance-health': { differs: 'DEGRADED endpoints are used where too few are well, as in Envoy.' },
  'balance-health-draining': { differs: PANIC },
  'balance-health-none': { differs: PANIC },
  'balance-typed-random': { differs: BALANCED },
  'balance-random': { differs: BALANCED },
  'balance-maglev': { differs: BALANCED },
  'hash-header-binary': { differs: 'A `-bin` header is hashed like others, as in Envoy.' },
  'hash-header-several': { differs: 'The values of a repeated header are hashed in sorted order, as in Envoy.' },
  'hash-size-cap': {
    differs: "A ring is as large as it is said to be, up to Envoy's 8388608; gRPC clients cut it to 4096.",
  },
  'hash-weights': {
    differs: 'The ring has the weights of endpoints, and of localities only where the cluster says so, as in Envoy.',
  },
  'fault-per-route-alone': { differs: 'A fault of a route needs no filter in the Listener.' },
  'life-listener-missing': {
    differs: 'A Listener that the answer leaves out does not exist: the call fails at once, and does not wait 15 s.',
  },
  'check-bytes': { differs: BYTES },
  'check-cluster-bytes': { differs: BYTES },
  'check-endpoint-bytes': { differs: BYTES },
  'check-route-bytes': { differs: BYTES },
  'check-domain-twice': { differs: 'Refused, as Envoy does.' },
  'check-plugin': { differs: 'A plugin that no route uses does no harm.' },
  'check-plugin-optional': { differs: 'The call fails: a route that cannot be followed is not passed over.' },
  'check-per-filter': {
    differs: 'A configuration for a filter that the Listener has not says nothing, unless it is one that guards.',
  },
  'check-strict-dns': { differs: ENVOY_TYPES },
  'check-static': { differs: ENVOY_TYPES },
  'check-original-dst': { differs: ENVOY_TYPES },
  'check-one-bad': { differs: ENVOY_TYPES },
  'check-locality-none': { differs: TAKEN },
  'tls-sds': { differs: 'Secrets of SDS are taken, as Istio names them: they stand for the identity of this process.' },
  'tls-no-validation': {
    differs: 'It is taken, and its calls fail: a server that nobody vouches for is not spoken to.',
  },
  'tls-params': { differs: '`tls_params` are honoured, as in Envoy.' },
  'tls-spki': { differs: 'Pins are honoured, as in Envoy: this server has another key.' },
  'tls-http-proxy': { differs: 'RawBuffer is plain text, as in Envoy.' },
  'cluster-aggregate-provided': { differs: TAKEN },
  'cluster-aggregate-bad': { differs: ENVOY_TYPES },
};
