import { fromBinary } from '@bufbuild/protobuf';
import { X509SVIDResponseSchema } from '../../gen/spiffe.js';

/** SPIFFE Workload API §6. A stream: the server sends anew when anything changes. */
export const FETCH_X509_SVID = '/SpiffeWorkloadAPI/FetchX509SVID';

/** SPIFFE Workload Endpoint §6: who could make a process send a request somewhere cannot make it send this header. */
export const WORKLOAD_METADATA = { 'workload.spiffe.io': 'true' } as const;

/** All of it DER; certificates one after the other. */
export interface WorkloadIdentities {
  /** The first is the default. */
  readonly svids: readonly {
    readonly id: string;
    readonly certificates: Uint8Array;
    /** PKCS #8. */
    readonly key: Uint8Array;
    readonly bundle: Uint8Array;
  }[];
  readonly revocationLists: readonly Uint8Array[];
  /** By SPIFFE ID of the trust domain. */
  readonly federated: ReadonlyMap<string, Uint8Array>;
}

/** Throws where the bytes are no X509SVIDResponse. */
export function readWorkloadIdentities(bytes: Uint8Array): WorkloadIdentities {
  const { svids, crl, federatedBundles } = fromBinary(X509SVIDResponseSchema, bytes);
  return {
    svids: svids.map(({ spiffeId, x509Svid, x509SvidKey, bundle }) => ({
      id: spiffeId,
      certificates: x509Svid,
      key: x509SvidKey,
      bundle,
    })),
    revocationLists: crl,
    federated: new Map(Object.entries(federatedBundles)),
  };
}
