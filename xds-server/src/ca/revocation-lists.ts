import type { Clock } from '@inmesh/sdk/internal/clock';
import { type Issuer, type Revocation, signCrl } from './issuer.ts';
import { pemBlocks } from './pem.ts';

export interface ListParts {
  readonly clock: Clock;
  readonly settings: { readonly maxCertificateMs: number; readonly backdateMs: number; readonly crlMs: number };
}

export interface ListQuestion {
  /** Of what is revoked and who signs; the same version, the same lists. */
  readonly version: string;
  readonly revoked: readonly Revocation[];
  readonly signers: readonly Pick<Issuer, 'certificate' | 'key'>[];
  /** PEM of lists that the operator of a plugged-in CA brought. */
  readonly operator: string;
}

/** Lists are signed anew after this part of their time, so that nobody ever holds one that is out of date. */
const PART = 1 / 30;

/** The revocation lists of every issuer whose key is here; nothing while nothing is revoked. */
export class RevocationLists {
  readonly #parts: ListParts;
  #signed = { version: '', atMs: 0, text: '' };

  constructor(parts: ListParts) {
    this.#parts = parts;
  }

  async text({ version, revoked, signers, operator }: ListQuestion): Promise<string | undefined> {
    const { clock, settings } = this.#parts;
    const nowMs = clock.wallTime();
    if (this.#signed.version !== version || nowMs - this.#signed.atMs >= settings.crlMs * PART) {
      // A certificate that has ended anyway needs no place on the list.
      const standing = revoked.filter(({ atMs }) => atMs > nowMs - settings.maxCertificateMs);
      const request = {
        revoked: standing,
        thisUpdateMs: nowMs - settings.backdateMs,
        nextUpdateMs: nowMs + settings.crlMs,
      };
      const texts = await Promise.all(standing.length === 0 ? [] : signers.map((signer) => signCrl(signer, request)));
      this.#signed = { version, atMs: nowMs, text: texts.join('') };
    }
    return this.#signed.text + pemBlocks(operator, 'X509 CRL').join('') || undefined;
  }
}
