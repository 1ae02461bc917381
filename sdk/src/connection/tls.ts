import type { Cluster, Endpoint } from '../model/cluster.ts';
import type { UpstreamTls } from '../model/tls.ts';
import { transportOf } from '../model/transport.ts';

/** What is spoken on a connection, as far as ALPN says so. `auto`: what TLS agrees on; `none`: nothing is offered. */
export type Spoken = 'http1' | 'http2' | 'auto' | 'tcp' | 'none';

/** Whom to expect behind a TLS connection. */
export interface TlsTarget {
  readonly tls: UpstreamTls;
  /** The name that was dialled: asked for and verified where the settings name nobody else. */
  readonly name: string;
  /** Of the endpoint, for settings that ask it by its own name. */
  readonly hostname?: string;
}

/** What the caller's own `https:` asks for: the name that was dialled, by the platform's roots. */
const OWN_HTTPS: UpstreamTls = { alpn: [], roots: { kind: 'system' }, subjectAltNames: [] };

export const tlsByCaller = (name: string): TlsTarget => ({ tls: OWN_HTTPS, name });

/** TLS to one endpoint of a cluster, as the cluster asks for it; undefined: in clear. */
export function tlsToEndpoint(cluster: Cluster, endpoint: Endpoint, dialled: string): TlsTarget | undefined {
  const tls = transportOf(cluster, endpoint);
  if (tls === undefined) return undefined;
  const { hostname } = endpoint;
  return hostname === undefined ? { tls, name: dialled } : { tls, name: dialled, hostname };
}

const verified = new WeakMap<UpstreamTls, UpstreamTls>();

/** Whoever dials `https:` has its peer verified, also where the configuration would let it be (insecureSkipVerify). */
export function verifiedTarget(target: TlsTarget): TlsTarget {
  if (target.tls.roots.kind !== 'unchecked') return target;
  let tls = verified.get(target.tls);
  if (tls === undefined) {
    tls = { ...target.tls, roots: { kind: 'system' } };
    verified.set(target.tls, tls);
  }
  return { ...target, tls };
}

/** Istio's sign that a connection is the mesh's own TLS and not the application's. */
const ISTIO = 'istio';

/** What Istio's sidecars offer in the mesh (its ALPN filter), and elsewhere what is spoken. */
const IN_MESH: Readonly<Record<'http1' | 'http2' | 'auto', readonly string[]>> = {
  http1: ['istio-http/1.1', ISTIO, 'http/1.1'],
  http2: ['istio-h2', ISTIO, 'h2'],
  auto: ['istio-h2', 'istio-http/1.1', ISTIO, 'h2', 'http/1.1'],
};
const OUTSIDE: typeof IN_MESH = { http1: ['http/1.1'], http2: ['h2'], auto: ['h2', 'http/1.1'] };

/** Whoever agrees on this sends a header of its own first (Istio's metadata exchange), which nobody here would read. */
const PEER_EXCHANGE = 'istio-peer-exchange';

/** Protocols to offer: for HTTP what is spoken, whatever the cluster's list says; else that list. */
export function alpnFor({ alpn }: UpstreamTls, spoken: Spoken): readonly string[] {
  if (spoken === 'none') return [];
  if (spoken === 'tcp') return alpn.filter((name) => name !== PEER_EXCHANGE);
  return (alpn.includes(ISTIO) ? IN_MESH : OUTSIDE)[spoken];
}

/** HTTP/2 was agreed on. */
export const isHttp2 = (agreed: string | false | null): boolean => agreed === 'h2' || agreed === 'istio-h2';

const derived = new WeakMap<UpstreamTls, Map<string, UpstreamTls>>();
/** Names may be as many as an application dials. */
const MOST_DERIVED = 256;

/** The settings for one name and protocol; the same object for the same question. */
export function settingsFor({ tls, name, hostname }: TlsTarget, spoken: Spoken): UpstreamTls {
  const sni = tls.sniFrom === undefined ? tls.sni : sniFor(tls, name, hostname);
  const key = sni === undefined ? spoken : `${spoken} ${sni}`;
  let known = derived.get(tls);
  if (known === undefined) {
    known = new Map();
    derived.set(tls, known);
  }
  let settings = known.get(key);
  if (settings === undefined) {
    if (known.size >= MOST_DERIVED) known.clear();
    settings = { ...tls, alpn: alpnFor(tls, spoken), ...(sni !== undefined && { sni }) };
    known.set(key, settings);
  }
  return settings;
}

/** gRFC A101: an endpoint without a name of its own is asked by the cluster's. */
const sniFor = (tls: UpstreamTls, name: string, hostname: string | undefined): string | undefined =>
  tls.sniFrom === 'authority' ? name : (hostname ?? tls.sni);
