/** Names of what a CA keeps, as istiod names the files of a plugged-in CA and the keys of its Secret. */
export const ENTRY = {
  certificate: 'ca-cert.pem',
  key: 'ca-key.pem',
  chain: 'cert-chain.pem',
  roots: 'root-cert.pem',
  /** What the operator revoked; only read. */
  crl: 'ca-crl.pem',
  /** The root that signs next: trusted already. */
  nextCertificate: 'next-cert.pem',
  nextKey: 'next-key.pem',
  /** Roots that signed before, newest first, and their keys in the same order: they still sign revocation lists. */
  retiredCertificates: 'retired-cert.pem',
  retiredKeys: 'retired-key.pem',
  /** Times and revoked serial numbers; no secret. */
  state: 'ca-state.json',
} as const;

export type Entries = ReadonlyMap<string, string>;

export interface StoredEntries {
  readonly entries: Entries;
  /** Changes with the content. */
  readonly version: string;
}

/** Where a CA keeps its keys. Entries are texts by name; `ENTRY` has the names. */
export interface SecretStore {
  /** Stands at the head of errors: `directory /etc/inmesh/ca`, `Secret istio-system/istio-ca-secret`. */
  readonly name: string;
  /** undefined: there is nothing yet. */
  read(): Promise<StoredEntries | undefined>;
  /**
   * Replaces everything. `conflict`, and nothing is written, where what is there is no longer `version` (undefined: nothing
   * was there).
   */
  write(entries: Entries, version: string | undefined): Promise<'written' | 'conflict'>;
}

/** For as long as the process lives. */
export function memoryStore(): SecretStore {
  let held: StoredEntries | undefined;
  let count = 0;
  return {
    name: 'memory',
    read: () => Promise.resolve(held),
    write(entries, version) {
      if (held?.version !== version) return Promise.resolve('conflict');
      count += 1;
      held = { entries: new Map(entries), version: String(count) };
      return Promise.resolve('written');
    },
  };
}
