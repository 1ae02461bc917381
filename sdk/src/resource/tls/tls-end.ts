import type { CommonTlsContext } from '../../../gen/tls.js';
import type { CertificatePin, CertificateSource, RootsSource, TlsEnd } from '../../model/tls.ts';
import { NONE } from '../lists.ts';
import type { Scope } from '../scope.ts';
import { decodeCertificate } from './certificate.ts';
import { rootsByName } from './sds-name.ts';
import { decodeTlsParams } from './tls-params.ts';
import { decodeProvider, decodeValidation, NO_VALIDATION, type Validation } from './validation.ts';

/** What both ends of a connection may be told in the same words. */
export interface Common extends Omit<TlsEnd, 'roots'> {
  /** undefined: it names none. */
  readonly roots?: RootsSource;
  readonly certificate?: CertificateSource;
  readonly pins?: readonly CertificatePin[];
}

/** A private key stands in the configuration itself. */
export const holdsKeyIn = ({ certificate }: Pick<Common, 'certificate'>): boolean => certificate?.kind === 'inline';

export const NOTHING: Common = { alpn: NONE, subjectAltNames: NONE };

export function decodeCommon(context: CommonTlsContext, at: Scope): Common {
  const certificate = decodeCertificate(context, at);
  const validation = decodeValidationSource(context, at);
  return {
    alpn: context.alpnProtocols,
    ...decodeTlsParams(context.tlsParams, at.at('tls_params')),
    ...validation,
    ...(certificate && { certificate }),
  };
}

function decodeValidationSource(context: CommonTlsContext, at: Scope): Validation {
  const { validationContextType: source } = context;
  switch (source.case) {
    case 'validationContext':
      return decodeValidation(source.value, at.at('validation_context'));
    case 'validationContextSdsSecretConfig': {
      const here = at.at('validation_context_sds_secret_config').at('name');
      return { subjectAltNames: NONE, roots: rootsByName(source.value.name, here) };
    }
    case 'combinedValidationContext':
      return decodeCombined(source.value, at.at('combined_validation_context'));
    case 'validationContextCertificateProviderInstance':
      return withProvider(NO_VALIDATION, source.value, at.at('validation_context_certificate_provider_instance'));
    default:
      // Its field row has refused any other.
      return NO_VALIDATION;
  }
}

type Combined = Extract<
  CommonTlsContext['validationContextType'],
  { readonly case: 'combinedValidationContext' }
>['value'];

/** What comes by SDS is put over the default context (Envoy: MergeFrom). */
function decodeCombined(message: Combined, at: Scope): Validation {
  const { defaultValidationContext: context, validationContextSdsSecretConfig: secret } = message;
  const own = context ? decodeValidation(context, at.at('default_validation_context')) : NO_VALIDATION;
  const provider = message.validationContextCertificateProviderInstance;
  if (provider !== undefined)
    return withProvider(own, provider, at.at('validation_context_certificate_provider_instance'));
  if (secret === undefined) return own;
  return over(own, rootsByName(secret.name, at.at('validation_context_sds_secret_config').at('name')), at);
}

function withProvider(own: Validation, provider: Parameters<typeof decodeProvider>[0], at: Scope): Validation {
  const roots = decodeProvider(provider, at);
  return roots === undefined ? own : over(own, roots, at);
}

/** Whoever asks for the mesh's roots gets those: a context that would trust anybody beside them is refused. */
function over(own: Validation, roots: RootsSource, at: Scope): Validation {
  if (own.roots?.kind !== 'unchecked') return { ...own, roots };
  if (roots.kind === 'mesh') at.error('ACCEPT_UNTRUSTED, a peer of the mesh is never trusted unchecked');
  return own;
}
