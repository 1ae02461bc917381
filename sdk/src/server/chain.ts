import { covers, parseIp } from '../match/ip-prefix.ts';
import type { AddressMatch, InboundChain, InboundListener } from '../model/inbound.ts';
import type { IpPrefix } from '../model/l4.ts';
import type { DownstreamTls } from '../model/tls.ts';

/** What a chain is chosen by. */
export interface Offer {
  readonly transport: 'tls' | 'raw_buffer';
  readonly alpn: readonly string[];
  readonly ends: Ends;
}

/** Both ends of a connection; undefined: not known, as of a unix socket. */
export interface Ends {
  readonly local: readonly number[] | undefined;
  readonly remote: readonly number[] | undefined;
  readonly remotePort: number;
}

export const NO_ENDS: Ends = { local: undefined, remote: undefined, remotePort: 0 };

/** `::ffff:1.2.3.4` is an IPv4 address. */
const MAPPED = /^::ffff:(?=[\d.]+$)/i;

const bytesOf = (address: string | undefined): readonly number[] | undefined =>
  address === undefined ? undefined : parseIp(address.replace(MAPPED, '').replace(/%.*$/, ''));

export const endsOf = ({
  localAddress,
  remoteAddress,
  remotePort,
}: {
  readonly localAddress?: string | undefined;
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
}): Ends => ({ local: bytesOf(localAddress), remote: bytesOf(remoteAddress), remotePort: remotePort ?? 0 });

/** What to do with connections where no control plane has a say; the names are PeerAuthentication's. */
export type InboundMode = 'STRICT' | 'PERMISSIVE' | 'DISABLE';

/**
 * `onlyMesh`: the application ends no TLS. PERMISSIVE tells the mesh by the ALPN of Istio's proxies, and clients of gRPC offer `h2`
 * alone: TLS that nobody else could take is taken as the mesh's, with all that is asked for there.
 */
export function chooseChain(listener: InboundListener, offer: Offer, onlyMesh = false): InboundChain | undefined {
  const chosen = choose(listener.chains, offer);
  if (!onlyMesh || offer.transport !== 'tls' || chosen?.tls !== undefined) return chosen;
  // Whatever the protocols, but not whatever the addresses: a chain is for whom it names.
  const mutual = listener.chains.filter(isMutual);
  return choose(mutual, { ...offer, alpn: undefined }) ?? chosen;
}

/** `alpn` undefined: no look at it. */
type Sought = Omit<Offer, 'alpn'> & { readonly alpn: readonly string[] | undefined };

/**
 * Step by step, as Envoy does and gRFC A36 repeats: of each criterion those chains stay that ask for it most closely, and no
 * later step goes back. Envoy prefers the chain whose application_protocols name what is offered before one that names none.
 */
function choose(chains: readonly InboundChain[], { transport, alpn, ends }: Sought): InboundChain | undefined {
  let left = chains.filter(({ isDefault }) => !isDefault);
  for (const closeness of [
    ({ addresses }: InboundChain) => closest(addresses?.destinations, ends.local),
    (chain: InboundChain) => among(chain.transport === undefined ? [] : [chain.transport], transport),
    ({ applicationProtocols }: InboundChain) => ofProtocols(applicationProtocols, alpn),
    ({ addresses }: InboundChain) => ofSourceType(addresses, ends),
    ({ addresses }: InboundChain) => closest(addresses?.sources, ends.remote),
    ({ addresses }: InboundChain) => among(addresses?.sourcePorts ?? [], ends.remotePort),
  ]) {
    left = mostClosely(left, closeness);
  }
  return left[0] ?? chains.find(({ isDefault }) => isDefault);
}

/** -1: it asks for something else; 0: it does not ask. */
function mostClosely(chains: readonly InboundChain[], closeness: (chain: InboundChain) => number): InboundChain[] {
  const found = chains.map(closeness);
  const most = Math.max(0, ...found);
  return chains.filter((_, index) => found[index] === most);
}

function ofProtocols(asked: readonly string[], offered: readonly string[] | undefined): number {
  if (asked.length === 0 || offered === undefined) return 0;
  return offered.some((name) => asked.includes(name)) ? 1 : -1;
}

const among = <T>(asked: readonly T[], found: T): number => (asked.length === 0 ? 0 : asked.includes(found) ? 1 : -1);

/** The longest prefix; one of no bits is more than none at all. */
function closest(prefixes: readonly IpPrefix[] = [], address: readonly number[] | undefined): number {
  if (prefixes.length === 0) return 0;
  const lengths = prefixes
    .filter((one) => address !== undefined && covers(one, address))
    .map(({ length }) => length + 1);
  return lengths.length === 0 ? -1 : Math.max(...lengths);
}

function ofSourceType(addresses: AddressMatch | undefined, { local, remote }: Ends): number {
  const asked = addresses?.sourceType ?? 'any';
  if (asked === 'any') return 0;
  const isHere = remote !== undefined && (isLoopback(remote) || String(remote) === String(local));
  return (asked === 'same-ip-or-loopback') === isHere ? 1 : -1;
}

const LOOPBACK_6 = String(parseIp('::1'));

const isLoopback = (address: readonly number[]): boolean =>
  address.length === 4 ? address[0] === 127 : String(address) === LOOPBACK_6;

/** Connections are all taken alike, as they come: nothing has to be read before. */
export const needsNoLook = ({ chains }: InboundListener): boolean =>
  chains.every(
    ({ transport, applicationProtocols, tls }) =>
      transport === undefined && applicationProtocols.length === 0 && tls === undefined,
  );

/** Whoever was taken by the one has proven what the other asks for: roots, names, whether a certificate must be shown. */
export function asksTheSame(one: DownstreamTls | undefined, other: DownstreamTls | undefined): boolean {
  return one === other || (one !== undefined && other !== undefined && demandsOf(one) === demandsOf(other));
}

function demandsOf(tls: DownstreamTls): string {
  const { roots, subjectAltNames, requireClientCertificate, ownTrustDomain, crl, minVersion } = tls;
  const by = roots.kind === 'bundles' ? [...roots.bundles] : roots;
  return JSON.stringify([by, subjectAltNames, requireClientCertificate, ownTrustDomain, crl, minVersion]);
}

/** TLS with this workload's own certificate; a port may have others (Sidecar ingress[].tls). */
const isMutual = ({ tls }: InboundChain): boolean => tls?.certificate.kind === 'identity';

export const acceptsMutualTls = ({ chains }: InboundListener): boolean => chains.some(isMutual);

/** Nobody is served without TLS of the mesh: of no use before there is an identity. */
export const needsIdentity = ({ chains }: InboundListener): boolean => chains.every(isMutual);

/** What istiod names as protocols of TLS between sidecars (pilot/pkg/networking/util ALPNInMesh and its like). */
const MESH_PROTOCOLS = ['istio-peer-exchange', 'istio', 'istio-http/1.0', 'istio-http/1.1', 'istio-h2'];

const MUTUAL_TLS: DownstreamTls = {
  alpn: ['h2', 'http/1.1'],
  roots: { kind: 'mesh' },
  subjectAltNames: [],
  certificate: { kind: 'identity' },
  requireClientCertificate: true,
  // As the control plane would have it: another trust domain calls where a listener says so.
  ownTrustDomain: true,
  minVersion: 'TLSv1.2',
};

const PLAIN: InboundChain = {
  name: 'plain',
  applicationProtocols: [],
  clientCertificate: { mode: 'APPEND_FORWARD', parts: new Set(['subject', 'dns', 'uri']) },
};

const CHAINS: Readonly<Record<InboundMode, readonly InboundChain[]>> = {
  STRICT: [{ ...PLAIN, name: 'mutual-tls', transport: 'tls', tls: MUTUAL_TLS }],
  PERMISSIVE: [
    { ...PLAIN, name: 'mutual-tls', transport: 'tls', tls: MUTUAL_TLS, applicationProtocols: MESH_PROTOCOLS },
    { ...PLAIN, name: 'own-tls', transport: 'tls' },
    { ...PLAIN, transport: 'raw_buffer' },
  ],
  DISABLE: [PLAIN],
};

/** A listener as PeerAuthentication of this mode makes it. */
export const listenerOfMode = (mode: InboundMode, address: string, port: number): InboundListener => ({
  name: `${mode} by the application's own options`,
  address,
  port,
  chains: CHAINS[mode],
  limits: {},
});
