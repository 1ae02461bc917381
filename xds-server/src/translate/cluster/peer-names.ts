import type { World } from '../world.ts';
import type { ClusterBasis } from './basis.ts';

const SPIFFE = 'spiffe://';

/**
 * Names that a mesh peer may carry: those written for the service, and the accounts its endpoints run as, each in the mesh's
 * trust domain and its aliases (Istio initServiceAccounts, spiffe.ExpandWithTrustDomains).
 */
export const peerNames = (world: World, { key, service }: ClusterBasis): readonly string[] => {
  const { trustDomain, trustDomainAliases } = world.mesh();
  const own = world.peers(service.key, key.port).accounts.map((account) => `${SPIFFE}${trustDomain}/${account}`);
  const names = new Set([...service.subjectAltNames, ...own]);
  for (const name of [...names]) {
    const path = name.startsWith(SPIFFE) ? name.slice(SPIFFE.length).split('/').slice(1).join('/') : '';
    // Only names of a workload have another trust domain's.
    if (!/^ns\/[^/]+\/sa\/[^/]+$/.test(path)) continue;
    for (const alias of trustDomainAliases) names.add(`${SPIFFE}${alias}/${path}`);
  }
  return [...names].sort();
};
