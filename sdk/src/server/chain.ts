import type { InboundChain, InboundListener } from '../model/inbound.ts';
import type { DownstreamTls } from '../model/tls.ts';

/** What a chain is chosen by. */
export interface Offer {
  readonly transport: 'tls' | 'raw_buffer';
  readonly alpn: readonly string[];
}

/** What to do with connections where no control plane has a say; the names are PeerAuthentication's. */
export type InboundMode = 'STRICT' | 'PERMISSIVE' | 'DISABLE';

/**
 * Envoy prefers the chain whose application_protocols name what is offered before one that names none, whichever comes
 * first; transport_protocol is compared before (FilterChainMatch).
 *
 * `onlyMesh`: the application ends no TLS. PERMISSIVE tells the mesh by the ALPN of Istio's proxies, and clients of gRPC offer `h2`
 * alone: TLS that nobody else could take is taken as the mesh's, with all that is asked for there.
 */
export function chooseChain(listener: InboundListener, offer: Offer, onlyMesh = false): InboundChain | undefined {
  const chosen = choose(listener, offer);
  return onlyMesh && offer.transport === 'tls' && chosen?.tls === undefined
    ? (listener.chains.find(isMutual) ?? chosen)
    : chosen;
}

function choose({ chains }: InboundListener, offer: Offer): InboundChain | undefined {
  const fitting = chains.filter(({ transport }) => transport === undefined || transport === offer.transport);
  const exact = fitting.filter(({ transport }) => transport !== undefined);
  const candidates = exact.length > 0 ? exact : fitting;
  return (
    candidates.find(({ applicationProtocols }) => applicationProtocols.some((name) => offer.alpn.includes(name))) ??
    candidates.find(({ applicationProtocols }) => applicationProtocols.length === 0)
  );
}

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
