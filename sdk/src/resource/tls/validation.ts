import {
  type CertificateProviderPluginInstance,
  type CertificateValidationContext,
  CertificateValidationContext_TrustChainVerification as Chain,
  SPIFFECertValidatorConfigSchema,
} from '../../../gen/tls.js';
import type { CertificatePin, NameMatch, RootsSource, TlsEnd } from '../../model/tls.ts';
import { typeNameOf, unpack } from '../any.ts';
import { decodeList } from '../lists.ts';
import type { Scope } from '../scope.ts';
import { decodePem } from './data-source.ts';
import { decodeNameMatch, decodeSanMatch } from './san-match.ts';

/** What a CertificateValidationContext says of the peer. */
export interface Validation {
  /** undefined: it names none. */
  readonly roots?: RootsSource;
  readonly subjectAltNames: readonly NameMatch[];
  readonly crl?: NonNullable<TlsEnd['crl']>;
  readonly pins?: readonly CertificatePin[];
}

export const NO_VALIDATION: Validation = { subjectAltNames: [] };

export function decodeValidation(message: CertificateValidationContext, at: Scope): Validation {
  const roots = decodeRoots(message, at);
  const typed = decodeList(message.matchTypedSubjectAltNames, at.at('match_typed_subject_alt_names'), decodeSanMatch);
  const plain = decodeList(message.matchSubjectAltNames, at.at('match_subject_alt_names'), decodeNameMatch);
  const crl = message.crl && decodePem(message.crl, 'crl', at.at('crl'));
  const pins = [
    ...decodeList(message.verifyCertificateSpki, at.at('verify_certificate_spki'), decodeSpki),
    ...decodeList(message.verifyCertificateHash, at.at('verify_certificate_hash'), decodeHash),
  ];
  return {
    ...(roots && { roots }),
    // The newer field takes the place of the older one (Envoy CertificateValidationContext).
    subjectAltNames: (typed.length > 0 ? typed : plain).filter(isName),
    ...(crl && { crl }),
    ...(pins.length > 0 && { pins }),
  };
}

const isName = (match: NameMatch | undefined): match is NameMatch => match !== undefined;

/** The base64 of 32 bytes. */
function decodeSpki(text: string, at: Scope): CertificatePin {
  if (!/^[A-Za-z0-9+/]{43}=$/.test(text)) at.error(`"${text.slice(0, 80)}", a SHA-256 in base64 allowed`);
  return { of: 'public-key', sha256: text };
}

function decodeHash(text: string, at: Scope): CertificatePin {
  const hex = text.replaceAll(':', '');
  if (!/^[0-9A-Fa-f]{64}$/.test(hex)) at.error(`"${text.slice(0, 120)}", a SHA-256 in hexadecimal allowed`);
  return { of: 'certificate', sha256: Buffer.from(hex, 'hex').toString('base64') };
}

function decodeRoots(message: CertificateValidationContext, at: Scope): RootsSource | undefined {
  const { customValidatorConfig, caCertificateProviderInstance: instance, trustedCa } = message;
  const isOwn = customValidatorConfig !== undefined || instance !== undefined;
  if (message.trustChainVerification === Chain.ACCEPT_UNTRUSTED) {
    if (!isOwn) {
      at.at('trust_chain_verification').warn('ACCEPT_UNTRUSTED: whoever answers is taken for the peer');
      return { kind: 'unchecked' };
    }
    at.at('trust_chain_verification').error('ACCEPT_UNTRUSTED, a peer of the mesh is never trusted unchecked');
  }
  if (customValidatorConfig !== undefined) return decodeBundles(message, at.at('custom_validator_config'));
  if (instance !== undefined) return decodeProvider(instance, at.at('ca_certificate_provider_instance'));
  if (trustedCa !== undefined) return decodePem(trustedCa, 'certificate', at.at('trusted_ca'));
  return message.systemRootCerts === undefined ? undefined : { kind: 'system' };
}

/** envoy.tls.cert_validator.spiffe: a bundle a trust domain. */
function decodeBundles({ customValidatorConfig }: CertificateValidationContext, at: Scope): RootsSource | undefined {
  const any = customValidatorConfig?.typedConfig;
  const type = any === undefined ? '' : typeNameOf(any);
  const here = at.at('typed_config');
  if (any === undefined || type !== SPIFFECertValidatorConfigSchema.typeName) {
    here.error(`type "${type}", ${SPIFFECertValidatorConfigSchema.typeName} allowed`);
    return undefined;
  }
  const message = unpack(any, SPIFFECertValidatorConfigSchema, here);
  if (message === undefined) return undefined;
  const list = here.at('trust_domains');
  if (message.trustDomains.length === 0) list.error('empty, a trust domain at least is required');
  const bundles = new Map<string, string>();
  for (const [index, { name, trustBundle }] of message.trustDomains.entries()) {
    const trustDomain = name.toLowerCase();
    if (!TRUST_DOMAIN.test(trustDomain)) list.at(index).at('name').error(`"${name}", a trust domain allowed`);
    if (bundles.has(trustDomain)) list.at(index).at('name').error(`"${name}" stands twice, each once allowed`);
    const source = decodePem(trustBundle, 'certificate', list.at(index).at('trust_bundle'));
    if (source?.kind === 'file')
      list.at(index).at('trust_bundle').error('filename, inline_string or inline_bytes allowed');
    if (source?.kind === 'inline') bundles.set(trustDomain, source.pem);
  }
  return { kind: 'bundles', bundles };
}

/** SPIFFE-ID standard §2.1. */
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/;

/** gRFC A29: this process has one provider, `default`, and it is the mesh's. */
export function decodeProvider(
  { instanceName, certificateName }: Pick<CertificateProviderPluginInstance, 'instanceName' | 'certificateName'>,
  at: Scope,
): RootsSource | undefined {
  requireDefault(instanceName, at);
  if (!ROOT_NAMES.has(certificateName)) {
    at.at('certificate_name').error(`"${certificateName}", "ROOTCA", "default" or nothing allowed`);
  }
  return { kind: 'mesh' };
}

export function requireDefault(instanceName: string, at: Scope): void {
  if (instanceName !== 'default') at.at('instance_name').error(`"${instanceName}", "default" allowed`);
}

const ROOT_NAMES: ReadonlySet<string> = new Set(['', 'ROOTCA', 'default']);
