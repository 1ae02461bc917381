import { readFileSync } from 'node:fs';
import type { Discovery } from '../../discovery/discovery.ts';
import type { Secret } from '../../model/secret.ts';
import { secretType } from '../../resource/tls/secret.ts';
import { createBundles } from '../bundles.ts';
import type { Svid } from '../identity.ts';
import { bundlesOfRoots, type MeshRoots, meshRootsOf } from '../mesh-roots.ts';
import type { IdentitySource, SourceListener } from '../source.ts';
import { readKey, readSvid } from '../svid.ts';

/** Names that Istio's agent and Envoy use for a workload's own. */
export const OWN_CERTIFICATE = 'default';
export const OWN_ROOTS = 'ROOTCA';

export interface SdsSourceParts {
  /** For humans: `SDS unix:/var/run/…`. */
  readonly from: string;
  readonly discovery: Pick<Discovery, 'subscribe' | 'close'>;
  /** The discovery is this source's alone: it ends with it. */
  readonly isOwn: boolean;
}

/** Certificate, key and roots as secrets of a discovery service: an agent's on a unix socket, or the control plane's. */
export const createSdsSource = (parts: SdsSourceParts): IdentitySource => new SdsSource(parts);

class SdsSource implements IdentitySource {
  readonly kind = 'sds';
  readonly from: string;
  readonly hasWholeBundles: boolean;
  readonly #parts: SdsSourceParts;
  readonly #ends: (() => void)[] = [];
  #svid: Svid | undefined;
  #roots: MeshRoots | undefined;

  constructor(parts: SdsSourceParts) {
    this.#parts = parts;
    this.from = parts.from;
    // An agent of its own is the authority on its trust domain; the control plane says it once either way.
    this.hasWholeBundles = parts.isOwn;
  }

  start(on: SourceListener): void {
    this.#watch(OWN_CERTIFICATE, on, (secret) => {
      const svid = svidOf(secret);
      if (typeof svid === 'string') return svid;
      this.#svid = svid;
      return undefined;
    });
    this.#watch(OWN_ROOTS, on, (secret) => {
      const roots = meshRootsOf(secret);
      if (typeof roots === 'string') return roots;
      this.#roots = roots;
      return undefined;
    });
  }

  close(): void {
    for (const end of this.#ends.splice(0)) end();
    if (this.#parts.isOwn) void this.#parts.discovery.close();
  }

  /** `take` says what is wrong. What is gone at the other end goes on here until it expires. */
  #watch(name: string, on: SourceListener, take: (secret: Secret) => string | undefined): void {
    const failed = (reason: string): void => on.failed(`secret ${name}: ${reason}`);
    const end = this.#parts.discovery.subscribe(secretType, name, {
      onResource: (secret) => {
        const fault = take(secret);
        if (fault !== undefined) failed(fault);
        else this.#tell(on);
      },
      onAbsent: failed,
      onError: failed,
    });
    this.#ends.push(end);
  }

  #tell(on: SourceListener): void {
    const svid = this.#svid;
    if (svid === undefined) return;
    // Without roots nobody could be verified: a certificate alone is no identity yet.
    if (this.#roots === undefined) return;
    on.found({ svid, bundles: createBundlesOf(this.#roots, svid) });
  }
}

const createBundlesOf = (roots: MeshRoots, svid: Svid) =>
  roots.own === '' && roots.byTrustDomain.size === 0 ? createBundles([]) : bundlesOfRoots(roots, svid.id.trustDomain);

function svidOf(secret: Secret): Svid | string {
  if (secret.kind !== 'certificate') return 'it is no certificate';
  const { certificate } = secret;
  try {
    const isFile = certificate.kind === 'files';
    const chain = isFile ? readFileSync(certificate.certificate, 'utf8') : certificate.certificate;
    const key = readKey(isFile ? readFileSync(certificate.key, 'utf8') : certificate.key);
    return typeof key === 'string' ? key : readSvid(chain, key);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
