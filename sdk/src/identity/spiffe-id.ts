/** A SPIFFE ID (SPIFFE-ID standard §2), or Istio's form of it. */
export interface SpiffeId {
  /** `spiffe://TRUST-DOMAIN/PATH`, the trust domain in lower case. */
  readonly uri: string;
  readonly trustDomain: string;
  /** With its leading slash; empty where the id names a trust domain alone. */
  readonly path: string;
  /** Istio: exactly `/ns/NAMESPACE/sa/SERVICE-ACCOUNT`; undefined for any other path. */
  readonly workload?: { readonly namespace: string; readonly serviceAccount: string };
}

/** SPIFFE-ID §2.3: implementations must take ids of up to 2048 bytes and should make none that is longer. */
const LONGEST_URI = 2_048;
/** SPIFFE-ID §2.3. */
const LONGEST_TRUST_DOMAIN = 255;

/** SPIFFE-ID §2.1; upper case is let through here and compared in lower case (RFC 3986 §6.2.2.1: hosts are caseless). */
const TRUST_DOMAIN = /^[a-zA-Z0-9._-]+$/;
/** SPIFFE-ID §2.2: letters, digits, dots, dashes and underscores; no percent-encoding. */
const SEGMENT = /^[a-zA-Z0-9._-]+$/;

/** The id a URI stands for, or what is wrong with the URI. Nothing is decoded or normalised but the trust domain's case. */
export function parseSpiffeId(uri: string): SpiffeId | string {
  if (!uri.startsWith('spiffe://')) return 'it does not begin with spiffe://';
  if (uri.length > LONGEST_URI) return `it is longer than ${LONGEST_URI} bytes`;
  const slash = uri.indexOf('/', 'spiffe://'.length);
  const name = uri.slice('spiffe://'.length, slash < 0 ? undefined : slash);
  const wrongName = trustDomainFault(name);
  if (wrongName !== undefined) return wrongName;
  const path = slash < 0 ? '' : uri.slice(slash);
  const wrongPath = pathFault(path);
  if (wrongPath !== undefined) return wrongPath;
  const trustDomain = name.toLowerCase();
  const workload = workloadOf(path);
  return { uri: `spiffe://${trustDomain}${path}`, trustDomain, path, ...(workload && { workload }) };
}

/** What is wrong with the name of a trust domain; undefined when nothing is. */
export function trustDomainFault(name: string): string | undefined {
  if (name === '') return 'it has no trust domain';
  if (name.length > LONGEST_TRUST_DOMAIN) return `its trust domain is longer than ${LONGEST_TRUST_DOMAIN} bytes`;
  // User information, a port, a query, a fragment and percent-encoding all need characters that are not among these.
  if (!TRUST_DOMAIN.test(name)) return 'its trust domain holds more than letters, digits, ".", "-" and "_"';
  return undefined;
}

function pathFault(path: string): string | undefined {
  if (path === '') return undefined;
  for (const segment of path.slice(1).split('/')) {
    if (segment === '') return 'its path has an empty segment';
    if (segment === '.' || segment === '..') return 'its path has a segment that is "." or ".."';
    if (!SEGMENT.test(segment)) return 'its path holds more than letters, digits, ".", "-" and "_"';
  }
  return undefined;
}

function workloadOf(path: string): SpiffeId['workload'] {
  const [root, ns, namespace, sa, serviceAccount, ...rest] = path.split('/');
  if (root !== '' || ns !== 'ns' || sa !== 'sa' || rest.length > 0) return undefined;
  return namespace !== undefined && serviceAccount !== undefined ? { namespace, serviceAccount } : undefined;
}

/** The id Istio gives a workload. */
export const workloadUri = (trustDomain: string, namespace: string, serviceAccount: string): string =>
  `spiffe://${trustDomain.toLowerCase()}/ns/${namespace}/sa/${serviceAccount}`;
