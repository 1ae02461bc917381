import type { NameMatch, RootsSource, UpstreamTls } from '../model/tls.ts';
import { transportOf } from '../model/transport.ts';
import type { Upstream } from '../upstream/types.ts';

/** What of this process's identity is said. */
export interface OwnIdentity {
  readonly id: string | undefined;
  /** Why there is none. */
  readonly missing: string;
}

/** How the endpoints of a cluster are spoken to: by which TLS, as whom, and who is expected there; or why in clear. */
export function transportNotes(upstream: Upstream | undefined, own: OwnIdentity | undefined): string[] {
  if (upstream === undefined) return [];
  const members = upstream.members();
  if (members[0] !== upstream) {
    return members.flatMap((member) => transportNotes(member, own).map((note) => `${member.name}: ${note}`));
  }
  const { cluster, assignment } = upstream.config();
  if (cluster.tls === undefined && cluster.transportMatches === undefined) return [];
  const counts = new Map<UpstreamTls | undefined, number>();
  const endpoints = assignment?.localities.flatMap((locality) => locality.endpoints) ?? [];
  for (const endpoint of endpoints) {
    const tls = transportOf(cluster, endpoint);
    counts.set(tls, (counts.get(tls) ?? 0) + 1);
  }
  if (counts.size === 0) counts.set(cluster.tls, 0);
  const isMixed = counts.size > 1;
  return [...counts].map(([tls, count]) => {
    const where = isMixed ? `, ${count} of ${endpoints.length} endpoints` : '';
    return tls === undefined ? `${inClear(upstream)}${where}` : `${describeTls(tls, own)}${where}`;
  });
}

function inClear(upstream: Upstream): string {
  const { transportMatches = [] } = upstream.config().cluster;
  const wanted = transportMatches.flatMap(({ tls, match }) =>
    tls === undefined ? [] : [[...match].map(([key, value]) => `${key}=${value}`).join(' and ')],
  );
  const why = wanted.length === 0 ? 'the cluster says so' : `TLS is for endpoints with ${wanted.join(' or ')}`;
  return `plain text: ${why}`;
}

function describeTls(tls: UpstreamTls, own: OwnIdentity | undefined): string {
  const { sni, roots, subjectAltNames, certificate, pins } = tls;
  const isMutual = certificate !== undefined;
  const whom = subjectAltNames.length > 0 ? subjectAltNames.map(nameOf).join(' or ') : anybody(tls);
  const pinned = pins === undefined ? '' : ', of a pinned certificate';
  const asked = sni === undefined ? '' : `, asked for as ${sni}`;
  return `${isMutual ? 'mTLS' : 'TLS'}${asWhom(tls, own)}, expects ${whom}${pinned}, by ${ROOTS[roots.kind](roots)}${asked}`;
}

function asWhom({ certificate }: UpstreamTls, own: OwnIdentity | undefined): string {
  switch (certificate?.kind) {
    case undefined:
      return '';
    case 'identity':
      if (own === undefined) return ' as this workload';
      return own.id === undefined ? ` as nobody: calls fail (${own.missing})` : ` as ${own.id}`;
    case 'secret':
      return ` with the certificate of secret ${certificate.name}`;
    case 'files':
      return ` with the certificate of ${certificate.certificate}`;
    case 'inline':
      return ' with a certificate of the configuration';
  }
}

const anybody = ({ roots, sni }: UpstreamTls): string => {
  if (roots.kind === 'mesh' || roots.kind === 'bundles') return 'anybody of its trust domains';
  return roots.kind === 'unchecked' ? 'anybody' : (sni ?? 'the name that is dialled');
};

const nameOf = ({ kind, value }: NameMatch): string => (kind === 'exact' ? value : `${kind} ${value}`);

type Describe<Kind extends RootsSource['kind']> = (roots: Extract<RootsSource, { readonly kind: Kind }>) => string;

const ROOTS = {
  mesh: () => "the mesh's roots",
  system: () => "the platform's roots",
  secret: ({ name }) => `the roots of secret ${name}`,
  file: ({ path }) => `the roots of ${path}`,
  inline: () => 'roots of the configuration',
  bundles: ({ bundles }) => `roots of ${[...bundles.keys()].join(', ')}`,
  unchecked: () => 'no roots at all: its certificate is NOT checked',
} satisfies { [Kind in RootsSource['kind']]: Describe<Kind> } as Readonly<
  Record<RootsSource['kind'], (roots: RootsSource) => string>
>;
