import type { Place } from '../place.ts';
import type {
  ClientTls,
  ConsistentHash,
  DestinationRuleSpec,
  LocalityLoadBalancer,
  TrafficPolicy,
} from '../spec/destination-rule.ts';

/** Rules between fields, as Istio's ValidateDestinationRule has them. */

export const checkConsistentHash = (hash: ConsistentHash, place: Place): void => {
  const keys = (['httpHeaderName', 'httpCookie', 'useSourceIp', 'httpQueryParameterName'] as const).filter(
    (name) => hash[name] !== undefined,
  );
  const wanted = 'want exactly one of httpHeaderName, httpCookie, useSourceIp, httpQueryParameterName';
  if (keys.length === 0) place.error(`nothing to hash, ${wanted}`);
  if (keys[1] !== undefined) place.at(keys[1]).error(`${keys[0]} is set too, ${wanted}`);
  if (hash.ringHash !== undefined && hash.maglev !== undefined) {
    place.at('maglev').error('ringHash is set too, want only one of ringHash, maglev');
  }
  if (hash.minimumRingSize !== undefined)
    place.at('minimumRingSize').warn('deprecated, write ringHash.minimumRingSize');
  const table = hash.maglev?.tableSize;
  // Envoy MaglevLbConfig.table_size: prime, at most 5000011.
  if (table !== undefined && table !== 0 && !(isPrime(table) && table <= 5_000_011)) {
    place.in('maglev', 'tableSize').error(`got ${table}, want a prime number up to 5000011`);
  }
  const ring = hash.ringHash?.minimumRingSize ?? hash.minimumRingSize ?? 0;
  // Envoy RingHashLbConfig.minimum_ring_size.
  if (ring > 8_388_608) place.error(`minimumRingSize is ${ring}, want at most 8388608`);
};

const isPrime = (value: number): boolean => {
  if (value < 2) return false;
  for (let divisor = 2; divisor * divisor <= value && divisor < 3_000; divisor += 1) {
    if (value % divisor === 0) return false;
  }
  return true;
};

/** validateLocalityLbSetting: one way of choosing, and shares that add up to 100. */
export const checkLocality = (locality: LocalityLoadBalancer, place: Place): void => {
  if (locality.distribute.length > 0 && locality.failover.length > 0) {
    place.at('failover').error('distribute is set too, want only one of distribute, failover');
  }
  if (locality.distribute.length > 0 && locality.failoverPriority.length > 0) {
    place.at('failoverPriority').error('distribute is set too, want only one of distribute, failoverPriority');
  }
  for (const [index, { to }] of locality.distribute.entries()) {
    const total = [...to.values()].reduce((sum, share) => sum + share, 0);
    if (total !== 100) place.in('distribute', index, 'to').error(`the shares add up to ${total}, want 100`);
  }
  for (const [index, { from, to }] of locality.failover.entries()) {
    if (from === to) place.in('failover', index).error(`from and to are both ${from}, want two regions`);
  }
};

export const checkTls = (tls: ClientTls, place: Place): void => {
  if (tls.mode === 'MUTUAL' && tls.credentialName === undefined) {
    for (const name of ['clientCertificate', 'privateKey'] as const) {
      if (!tls[name]) place.error(`${name} is missing, mode MUTUAL wants it (or credentialName)`);
    }
  }
  if (tls.mode === 'SIMPLE' || tls.mode === 'MUTUAL') checkOrigination(tls, place);
  if (tls.mode !== 'ISTIO_MUTUAL') return;
  for (const name of ['clientCertificate', 'privateKey', 'caCertificates', 'credentialName'] as const) {
    if (tls[name]) place.at(name).error('not allowed with mode ISTIO_MUTUAL, which brings its own');
  }
};

/** What would contradict itself (Istio validateTLS). */
const checkOrigination = (tls: ClientTls, place: Place): void => {
  const refuse = (names: readonly (keyof ClientTls)[], reason: string): void => {
    for (const name of names) {
      const value = tls[name];
      if (value !== undefined && value !== '' && !(Array.isArray(value) && value.length === 0)) {
        place.at(name).error(`not allowed beside ${reason}`);
      }
    }
  };
  if (tls.credentialName) {
    refuse(['clientCertificate', 'privateKey', 'caCertificates', 'caCrl'], 'credentialName, which brings its own');
  }
  if (!tls.insecureSkipVerify) return;
  refuse(['caCertificates', 'subjectAltNames', 'caCrl'], 'insecureSkipVerify, which checks neither');
  if (tls.mode === 'SIMPLE') refuse(['credentialName'], 'insecureSkipVerify: in mode SIMPLE it brings roots alone');
};

export const checkPolicy = (policy: TrafficPolicy, place: Place): void => {
  const empty = policy.portLevelSettings.length === 0 && Object.keys(policy).length === 1;
  if (empty) place.error('want at least one of loadBalancer, connectionPool, outlierDetection, tls, portLevelSettings');
  const seen = new Set<number>();
  for (const [index, entry] of policy.portLevelSettings.entries()) {
    const at = place.in('portLevelSettings', index);
    if (Object.keys(entry).length === 1)
      at.error('want at least one of loadBalancer, connectionPool, outlierDetection, tls');
    if (seen.has(entry.port.number)) at.warn(`port ${entry.port.number} has an entry before, which is used`);
    seen.add(entry.port.number);
  }
};

export const checkDestinationRule = (spec: DestinationRuleSpec, place: Place): void => {
  const seen = new Set<string>();
  for (const [index, { name }] of spec.subsets.entries()) {
    if (seen.has(name)) place.in('subsets', index, 'name').error(`${name} is defined twice, want unique subset names`);
    seen.add(name);
  }
};
