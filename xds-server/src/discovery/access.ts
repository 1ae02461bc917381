import { type Principal, principalText } from '../auth/principal.ts';
import { isLoopback } from '../loopback.ts';
import type { EncodedResource } from '../snapshot/encoded-resource.ts';
import type { Lookup } from '../snapshot/lookup.ts';
import { LISTENER_TYPE, SECRET_TYPE } from '../translate/resource-types.ts';
import type { ClientIdentity } from './client-identity.ts';

/** Secrets that are made here and not out of the configuration. */
export interface OwnSecrets {
  /** The mesh's roots are asked for. */
  wanted(): void;
  /** A certificate with its key, of whoever has proven to be it. */
  svid(nodeId: string, principal: Principal): EncodedResource | undefined;
}

export interface AccessParts {
  readonly secrets: OwnSecrets | undefined;
  /** Whether somebody else than `namespace/service account` is known to run at the address. */
  readonly isAnothers: (address: string, asker: string) => boolean;
  /** Someone asked for what is not theirs; told once for each name of a stream. */
  readonly denied: (identity: ClientIdentity, typeUrl: string, name: string, why: string) => void;
}

/** Who may subscribe to what. A refusal reads "does not exist". */
export interface Access {
  /** `plain` finds what is served to clients that have the asker's View. */
  lookup(identity: ClientIdentity, typeUrl: string, plain: Lookup): Lookup;
  /** Why a name is not the asker's; undefined: it may ask for it. */
  refusal(identity: ClientIdentity, typeUrl: string, name: string): string | undefined;
}

export const ROOT_SECRET = 'ROOTCA';
export const OWN_SECRET = 'default';
const CREDENTIAL = 'kubernetes://';
const INBOUND = 'xds.istio.io/grpc/lds/inbound/';

/**
 * The access table. What a namespace may see of LDS, RDS, CDS and EDS (exportTo, Sidecar) is in the View, whose namespace is the proven
 * one; here is what belongs to one workload alone.
 *
 * | what | who |
 * | --- | --- |
 * | outbound listeners, routes, clusters, endpoints | what is exported to the proven namespace; of an unproven client of this machine, the one it names; of others, what is exported to everyone |
 * | the inbound listener of an address | who runs there |
 * | ROOTCA | everyone but unproven clients of other machines |
 * | default | an Envoy, its own; everyone else makes the key itself and sends a CSR |
 * | kubernetes://NAME | who has proven to be of the namespace it stands in |
 * | any other secret, any other type | nobody |
 */
export function createAccess(parts: AccessParts): Access {
  const told = new WeakMap<ClientIdentity, Set<string>>();
  const deny = (identity: ClientIdentity, typeUrl: string, name: string, why: string): undefined => {
    const names = told.get(identity) ?? new Set<string>();
    told.set(identity, names);
    if (names.has(name)) return;
    names.add(name);
    parts.denied(identity, typeUrl, name, why);
  };
  const refusal: Access['refusal'] = (identity, typeUrl, name) => {
    if (typeUrl === SECRET_TYPE) return secretFault(identity, name);
    if (typeUrl !== LISTENER_TYPE || !name.startsWith(INBOUND)) return undefined;
    return inboundFault(identity, name.slice(INBOUND.length), parts);
  };
  return {
    refusal,
    lookup(identity, typeUrl, plain) {
      if (typeUrl !== LISTENER_TYPE && typeUrl !== SECRET_TYPE) return plain;
      return (name) => {
        const fault = refusal(identity, typeUrl, name);
        if (fault !== undefined) return deny(identity, typeUrl, name, fault);
        return typeUrl === SECRET_TYPE ? secret(identity, name, parts, plain) : plain(name);
      };
    },
  };
}

function inboundFault(
  { peer, view, addresses }: ClientIdentity,
  target: string,
  { isAnothers }: AccessParts,
): string | undefined {
  if (peer.isPublic) return 'it has proven nothing';
  const host = target.slice(0, target.lastIndexOf(':')).replace(/^\[|\]$/g, '');
  if (host === peer.address || UNSPECIFIED.has(host) || isLoopback(host)) return undefined;
  // What it says of its own addresses counts where nobody else is known to be there (node metadata only narrows).
  const { principal } = peer;
  if (principal !== undefined && !addresses.includes(host)) return 'the address is not its own';
  const asker = `${view.namespace}/${principal?.serviceAccount ?? ''}`;
  return isAnothers(host, asker) ? 'somebody else runs at this address' : undefined;
}

/** Every address of whoever asks, and no one's but theirs; as are those of loopback. */
const UNSPECIFIED: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

function secretFault({ peer, view }: ClientIdentity, name: string): string | undefined {
  const { principal, isPublic } = peer;
  if (isPublic) return 'it has proven nothing';
  if (name === ROOT_SECRET) return undefined;
  if (principal === undefined) return 'it has proven nothing';
  if (name === OWN_SECRET) return view.kind === 'envoy' ? undefined : 'it is no Envoy: it makes its key itself';
  if (!name.startsWith(CREDENTIAL)) return 'no secret has such a name';
  // Istio: `kubernetes://NAME` is of the client's own namespace, `kubernetes://NAMESPACE/NAME` must be.
  const [namespace] = name.slice(CREDENTIAL.length).split('/');
  const isQualified = name.slice(CREDENTIAL.length).includes('/');
  return isQualified && namespace !== principal.namespace
    ? `${principalText(principal)} is of another namespace`
    : undefined;
}

function secret(
  { id, peer }: ClientIdentity,
  name: string,
  { secrets }: AccessParts,
  plain: Lookup,
): EncodedResource | undefined {
  if (name === OWN_SECRET) return peer.principal && secrets?.svid(id, peer.principal);
  if (name === ROOT_SECRET) secrets?.wanted();
  return plain(name);
}
