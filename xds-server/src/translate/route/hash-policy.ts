import type { RouteAction_HashPolicySchema } from '@inmesh/sdk/internal/gen/route';
import type { ConsistentHash } from '../../schema/spec/destination-rule.ts';
import { duration } from '../duration.ts';
import type { Fields } from '../proto.ts';

export type HashPolicyInit = Fields<typeof RouteAction_HashPolicySchema>;

/** DestinationRule consistentHash → RouteAction.hash_policy: the key is the route's, the ring the cluster's. */
export const hashPolicy = (hash: ConsistentHash): HashPolicyInit | undefined => {
  if (hash.httpHeaderName !== undefined) {
    return { policySpecifier: { case: 'header', value: { headerName: hash.httpHeaderName } } };
  }
  if (hash.httpCookie !== undefined) {
    const { name, path = '', ttl, attributes } = hash.httpCookie;
    const value = { name, path, attributes: [...attributes], ...(ttl === undefined ? {} : { ttl: duration(ttl) }) };
    return { policySpecifier: { case: 'cookie', value } };
  }
  if (hash.useSourceIp !== undefined) {
    return { policySpecifier: { case: 'connectionProperties', value: { sourceIp: hash.useSourceIp } } };
  }
  if (hash.httpQueryParameterName !== undefined) {
    return { policySpecifier: { case: 'queryParameter', value: { name: hash.httpQueryParameterName } } };
  }
  return undefined;
};
