import type { DataSource } from '../../../gen/core.js';
import type { Scope } from '../scope.ts';

/** Bytes of the configuration itself, or the name of a file that has them. */
export type PemSource =
  | { readonly kind: 'inline'; readonly pem: string }
  | { readonly kind: 'file'; readonly path: string };

/** What PEM calls it: a certificate, a revocation list, some private key. */
export const PEM = {
  certificate: /-----BEGIN CERTIFICATE-----/,
  key: /-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----/,
  crl: /-----BEGIN X509 CRL-----/,
} as const;

const utf8 = new TextDecoder();

/** Says what is wrong without a word of what stands there: it may be a key. */
export function decodePem(source: DataSource | undefined, kind: keyof typeof PEM, at: Scope): PemSource | undefined {
  const specifier = source?.specifier;
  switch (specifier?.case) {
    case 'filename':
      if (specifier.value === '') return wrong(at.at('filename'), 'empty, the name of a file allowed');
      return { kind: 'file', path: specifier.value };
    case 'inlineString':
      return inline(specifier.value, kind, at.at('inline_string'));
    case 'inlineBytes':
      return inline(utf8.decode(specifier.value), kind, at.at('inline_bytes'));
    default:
      // A control plane has no business with what stands in the environment of the process.
      return wrong(at, `${specifier?.case ?? 'missing'}, filename, inline_string or inline_bytes allowed`);
  }
}

function inline(pem: string, kind: keyof typeof PEM, at: Scope): PemSource | undefined {
  if (!PEM[kind].test(pem)) return wrong(at, `no ${WORDS[kind]} in PEM`);
  return { kind: 'inline', pem };
}

const WORDS = { certificate: 'certificate', key: 'private key', crl: 'revocation list' } as const;

function wrong(at: Scope, what: string): undefined {
  at.error(what);
}
