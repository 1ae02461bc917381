import type { KeyObject } from 'node:crypto';
import type { Clock, Timer } from '@inmesh/sdk/internal/clock';
import { createBundles } from '@inmesh/sdk/internal/identity/bundles';
import type { Identity, IdentityState } from '@inmesh/sdk/internal/identity/identity';
import { parseSpiffeId } from '@inmesh/sdk/internal/identity/spiffe-id';
import type { Authority, IssuedCertificate } from '../ca/authority.ts';
import { defaultOf } from '../defaults.ts';

export interface OwnCertificateParts {
  readonly authority: Authority;
  /** Names that clients know this server by. */
  readonly dns: readonly string[];
  readonly ips: readonly string[];
  readonly clock: Clock;
  /** It could not be renewed; it is tried again. */
  readonly failed: (message: string) => void;
}

/** istiod's own name: what Istio's clients expect of their control plane where they look for a SPIFFE ID. */
const PATH = '/ns/istio-system/sa/istiod';
const HALF = 0.5;

type KeyPair = IssuedCertificate & { readonly key: KeyObject };

/**
 * The control plane's own certificate, from its own CA: made at the start, renewed at half of its life. The roots beside it are
 * those of the moment.
 */
export async function createOwnCertificate(parts: OwnCertificateParts): Promise<Identity> {
  const own = new OwnCertificate(parts);
  await own.issue();
  return own;
}

class OwnCertificate implements Identity {
  readonly missing = 'the control plane has no certificate';
  readonly #parts: OwnCertificateParts;
  readonly #listeners = new Set<(state: IdentityState | undefined) => void>();
  readonly #stopBundle: () => void;
  #held: KeyPair | undefined;
  #issuedMs = 0;
  #state: IdentityState | undefined;
  #generation = 0;
  #timer: Timer | undefined;
  #isClosed = false;

  constructor(parts: OwnCertificateParts) {
    this.#parts = parts;
    this.#stopBundle = parts.authority.onBundle(() => this.#renew());
  }

  async issue(): Promise<void> {
    const { authority, dns, ips, clock } = this.#parts;
    const uris = [`spiffe://${authority.trustDomain}${PATH}`];
    this.#held = await authority.issueKeyPair({ names: { uris, dns, ips }, ttlMs: 0 });
    this.#issuedMs = clock.wallTime();
    this.#renew();
    if (!this.#isClosed) this.#wait((this.#held.notAfterMs - this.#issuedMs) * HALF);
  }

  current(): IdentityState | undefined {
    return this.#state;
  }

  ready(): Promise<IdentityState> {
    return this.#state === undefined ? Promise.reject(new Error(this.missing)) : Promise.resolve(this.#state);
  }

  onChange(listener: (state: IdentityState | undefined) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  close(): void {
    this.#isClosed = true;
    this.#timer?.cancel();
    this.#stopBundle();
  }

  #wait(ms: number): void {
    this.#timer = this.#parts.clock.after(ms, () => {
      this.issue().catch((error: unknown) => {
        this.#parts.failed(`its own certificate cannot be renewed: ${error instanceof Error ? error.message : error}`);
        if (!this.#isClosed) this.#wait(defaultOf('renewalRetryMs'));
      });
    });
  }

  #renew(): void {
    const { authority } = this.#parts;
    const held = this.#held;
    const id = parseSpiffeId(`spiffe://${authority.trustDomain}${PATH}`);
    if (held === undefined || typeof id === 'string') return;
    const { roots, crl } = authority.bundle();
    this.#generation += 1;
    this.#state = {
      generation: this.#generation,
      svid: {
        id,
        chain: held.chain.slice(0, -1).join('\n'),
        key: held.key,
        notBeforeMs: this.#issuedMs,
        notAfterMs: held.notAfterMs,
        serialNumber: held.serial,
      },
      bundles: createBundles([[authority.trustDomain, roots]], crl === undefined ? [] : [crl]),
      trustDomains: [authority.trustDomain],
    };
    for (const listener of [...this.#listeners]) listener(this.#state);
  }
}
