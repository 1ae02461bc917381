import type { MeshEndpoint } from '../registry/read-model.ts';
import { takesMutualTls } from '../registry/tls-mode.ts';

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
