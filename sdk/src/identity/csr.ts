import { type KeyObject, sign } from 'node:crypto';
import { CertificationRequest, CertificationRequestInfo } from '@peculiar/asn1-csr';
import { AsnConvert, OctetString } from '@peculiar/asn1-schema';
import {
  AlgorithmIdentifier,
  Attribute,
  Extension,
  Extensions,
  GeneralName,
  id_ce_subjectAltName,
  Name,
  SubjectAlternativeName,
  SubjectPublicKeyInfo,
} from '@peculiar/asn1-x509';

/** PKCS #9 extensionRequest (RFC 2985 §5.4.2). */
const EXTENSION_REQUEST = '1.2.840.113549.1.9.14';
/** ecdsa-with-SHA256 (RFC 5758 §3.2). */
const ECDSA_SHA256 = '1.2.840.10045.4.3.2';

/**
 * A PEM certificate request for a P-256 key: no subject, and the SPIFFE ID as its one name where it is known, as Istio's agent
 * and ztunnel ask. The CA goes by who asks, not by the names asked for.
 */
export function createCsr(
  keys: { readonly publicKey: KeyObject; readonly privateKey: KeyObject },
  uri?: string,
): string {
  const spki = AsnConvert.parse(keys.publicKey.export({ type: 'spki', format: 'der' }), SubjectPublicKeyInfo);
  const certificationRequestInfo = new CertificationRequestInfo({ subject: new Name(), subjectPKInfo: spki });
  if (uri !== undefined) certificationRequestInfo.attributes.push(namesAsked(uri));
  const signed = Buffer.from(AsnConvert.serialize(certificationRequestInfo));
  const request = new CertificationRequest({
    certificationRequestInfo,
    signatureAlgorithm: new AlgorithmIdentifier({ algorithm: ECDSA_SHA256 }),
    signature: bytesOf(sign('sha256', signed, keys.privateKey)),
  });
  const base64 = Buffer.from(AsnConvert.serialize(request)).toString('base64');
  return `-----BEGIN CERTIFICATE REQUEST-----\n${base64.replace(/.{64}(?!$)/g, '$&\n')}\n-----END CERTIFICATE REQUEST-----\n`;
}

function namesAsked(uri: string): Attribute {
  const names = new SubjectAlternativeName([new GeneralName({ uniformResourceIdentifier: uri })]);
  const extension = new Extension({
    extnID: id_ce_subjectAltName,
    // RFC 5280 §4.2.1.6: critical where the subject is empty.
    critical: true,
    extnValue: new OctetString(AsnConvert.serialize(names)),
  });
  return new Attribute({ type: EXTENSION_REQUEST, values: [AsnConvert.serialize(new Extensions([extension]))] });
}

const bytesOf = (buffer: Buffer): ArrayBuffer => new Uint8Array(buffer).buffer;
