import type { RouteAction_RequestMirrorPolicy } from '../../../gen/route.js';
import type { MirrorPolicy } from '../../model/action.ts';
import { NONE } from '../lists.ts';
import type { Scope } from '../scope.ts';
import { sharedName } from '../shared.ts';
import { headerName, required, runtimeFraction } from '../values.ts';

const ALWAYS = { numerator: 100, denominator: 100 } as const;

/** Envoy RouteAction.RequestMirrorPolicy; without runtime_fraction every request is mirrored. */
export function decodeMirrors(list: readonly RouteAction_RequestMirrorPolicy[], at: Scope): readonly MirrorPolicy[] {
  if (list.length === 0) return NONE;
  return list.map((policy, index) => {
    const here = at.at('request_mirror_policies').at(index);
    const { cluster, clusterHeader, hostRewriteLiteral } = policy;
    if (cluster !== '' && clusterHeader !== '') here.error('both, cluster or cluster_header allowed');
    return {
      cluster: clusterHeader === '' ? sharedName(required(cluster, here.at('cluster'))) : '',
      ...(clusterHeader !== '' && { clusterHeader: headerName(clusterHeader, here.at('cluster_header')) }),
      fraction: policy.runtimeFraction ? runtimeFraction(policy.runtimeFraction, here.at('runtime_fraction')) : ALWAYS,
      shadowSuffix: !policy.disableShadowHostSuffixAppend,
      ...(hostRewriteLiteral !== '' && { hostRewrite: hostRewriteLiteral }),
    };
  });
}
