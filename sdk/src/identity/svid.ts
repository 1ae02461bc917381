import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { pemBlocks } from './bundles.ts';
import type { Svid } from './identity.ts';
import { parseSpiffeId } from './spiffe-id.ts';

/** The private key in a PEM text; a reason without any part of the text when there is none that can be used. */
export function readKey(pem: string): KeyObject | string {
  try {
    return createPrivateKey(pem);
  } catch {
    return pem.includes('ENCRYPTED')
      ? 'the key is encrypted: no passphrase is taken'
      : 'there is no PEM private key in it';
  }
}

/** The identity that a certificate and its key are, or what is wrong with the two. Its dates are the reader's to judge. */
export function readSvid(pem: string, key: KeyObject): Svid | string {
  const chain = pemBlocks(pem, 'CERTIFICATE');
  const [first] = chain;
  if (first === undefined) return 'there is no PEM certificate in it';
  let leaf: X509Certificate;
  try {
    leaf = new X509Certificate(first);
  } catch (error) {
    return `the first certificate cannot be read: ${error instanceof Error ? error.message : String(error)}`;
  }
  if (leaf.ca) return 'the first certificate is a CA: the one of the workload comes first';
  if (!leaf.checkPrivateKey(key)) return 'the key is not that of the certificate';
  const uris = uriNames(leaf);
  const [uri] = uris;
  // X509-SVID §2: exactly one URI.
  if (uri === undefined || uris.length > 1)
    return `the certificate has ${uris.length} URI names, one SPIFFE ID is needed`;
  const id = parseSpiffeId(uri);
  if (typeof id === 'string') return `the certificate's name "${uri}" is no SPIFFE ID: ${id}`;
  return hidden({
    id,
    chain: chain.map((one) => `${one}\n`).join(''),
    key,
    notBeforeMs: leaf.validFromDate.getTime(),
    notAfterMs: leaf.validToDate.getTime(),
    serialNumber: leaf.serialNumber.toLowerCase(),
  });
}

/** Names with a comma are quoted by Node: none of them is a SPIFFE ID, and a quote is no start of one either. */
const uriNames = ({ subjectAltName = '' }: X509Certificate): string[] =>
  subjectAltName
    .split(', ')
    .filter((name) => name.startsWith('URI:'))
    .map((name) => name.slice('URI:'.length));

/** The same, printed without its key. */
function hidden(svid: Svid): Svid {
  const { id, notBeforeMs, notAfterMs, serialNumber } = svid;
  const shown = { id: id.uri, notBeforeMs, notAfterMs, serialNumber };
  Object.defineProperty(svid, Symbol.for('nodejs.util.inspect.custom'), { value: () => shown });
  Object.defineProperty(svid, 'toJSON', { value: () => shown });
  return svid;
}
