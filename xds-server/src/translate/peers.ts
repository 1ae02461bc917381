import type { MeshEndpoint } from '../registry/read-model.ts';

/** Label of a workload whose port takes mTLS (Istio label.SecurityTlsMode). */
export const TLS_MODE_LABEL = 'security.istio.io/tlsMode';
const ISTIO = 'istio';

/** Says that a process proved its identity and takes mTLS, or that a proxy beside it does. */
export const takesMutualTls = (labels: ReadonlyMap<string, string>): boolean => labels.get(TLS_MODE_LABEL) === ISTIO;

/** Who stands behind a port, as far as a cluster depends on it: an endpoint more of the same kind is no change. */
export interface Peers {
  /** `ns/NAMESPACE/sa/ACCOUNT`, sorted. */
  readonly accounts: readonly string[];
  /** Some of them take mTLS. */
  readonly mutual: boolean;
}

export const peersOf = (endpoints: readonly MeshEndpoint[]): Peers => {
  const accounts = new Set<string>();
  let mutual = false;
  for (const { namespace, serviceAccount, labels } of endpoints) {
    if (serviceAccount) accounts.add(`ns/${namespace}/sa/${serviceAccount}`);
    mutual ||= takesMutualTls(labels);
  }
  return { accounts: [...accounts].sort(), mutual };
};

export const samePeers = (a: Peers, b: Peers): boolean =>
  a.mutual === b.mutual &&
  a.accounts.length === b.accounts.length &&
  a.accounts.every((account, index) => account === b.accounts[index]);
