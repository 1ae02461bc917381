import type { RouteAction_HashPolicy } from '../../../gen/route.js';
import type { HashPolicy } from '../../model/action.ts';
import type { Scope } from '../scope.ts';
import { durationMs, required } from '../values.ts';
import { decodeRegexRewrite } from './rewrite.ts';

const CHANNEL_ID = 'io.grpc.channel_id';

/** Envoy RouteAction.HashPolicy; undefined for one that never yields a hash here. */
export function decodeHashPolicy(
  { policySpecifier, terminal }: RouteAction_HashPolicy,
  at: Scope,
): HashPolicy | undefined {
  switch (policySpecifier.case) {
    case 'header': {
      const { headerName, regexRewrite } = policySpecifier.value;
      const header = at.at('header');
      return {
        kind: 'header',
        name: required(headerName, header.at('header_name')).toLowerCase(),
        ...(regexRewrite && { regexRewrite: decodeRegexRewrite(regexRewrite, header.at('regex_rewrite')) }),
        terminal,
      };
    }
    case 'cookie': {
      const { name, path, ttl, attributes } = policySpecifier.value;
      const cookie = at.at('cookie');
      const ttlMs = durationMs(ttl, cookie.at('ttl'));
      return {
        kind: 'cookie',
        name: required(name, cookie.at('name')),
        path,
        ...(ttlMs !== undefined && { ttlMs }),
        ...(attributes.length > 0 && { attributes: attributes.map(({ name, value }) => ({ name, value })) }),
        terminal,
      };
    }
    case 'queryParameter':
      return {
        kind: 'query-parameter',
        name: required(policySpecifier.value.name, at.at('query_parameter').at('name')),
        terminal,
      };
    case 'connectionProperties':
      return policySpecifier.value.sourceIp ? { kind: 'source-ip', terminal } : undefined;
    case 'filterState':
      if (policySpecifier.value.key === CHANNEL_ID) return { kind: 'channel', terminal };
      at.at('filter_state')
        .at('key')
        .warn(`ignored: "${policySpecifier.value.key}", of filter state there is ${CHANNEL_ID} alone`);
      return undefined;
    default:
      return undefined;
  }
}
