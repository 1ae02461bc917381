/** Why a certificate is not issued; stable, for the audit log and the status of the answer. */
export type RefusalReason =
  | 'too-large'
  | 'malformed'
  | 'signature'
  | 'key'
  | 'lifetime'
  | 'names'
  | 'unauthenticated'
  | 'impersonation'
  | 'rate'
  | 'unavailable';

/** The certificate that was asked for is not issued. The message may be told to whoever asked. */
export class CertificateRefused extends Error {
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, message: string) {
    super(message);
    this.name = 'CertificateRefused';
    this.reason = reason;
  }
}
