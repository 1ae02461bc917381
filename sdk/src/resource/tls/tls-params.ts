import { type TlsParameters, TlsParameters_TlsProtocol as Version } from '../../../gen/tls.js';
import type { TlsEnd, TlsVersion } from '../../model/tls.ts';
import type { Scope } from '../scope.ts';

type Params = Pick<TlsEnd, 'minVersion' | 'maxVersion' | 'cipherSuites'>;

/** Envoy TlsParameters. TLS 1.0 and 1.1 are not spoken, whatever is asked for: a lower minimum is 1.2. */
export function decodeTlsParams(message: TlsParameters | undefined, at: Scope): Params {
  if (message === undefined) return {};
  const minVersion = VERSIONS.get(message.tlsMinimumProtocolVersion);
  const maxVersion = maximum(message.tlsMaximumProtocolVersion, at.at('tls_maximum_protocol_version'));
  if (minVersion === 'TLSv1.3' && maxVersion === 'TLSv1.2')
    at.at('tls_minimum_protocol_version').error('TLSv1_3, which is more than tls_maximum_protocol_version');
  const cipherSuites = message.cipherSuites.flatMap((text, index) =>
    decodeCiphers(text, at.at('cipher_suites').at(index)),
  );
  return {
    ...(minVersion && { minVersion }),
    ...(maxVersion && { maxVersion }),
    ...(cipherSuites.length > 0 && { cipherSuites }),
  };
}

const VERSIONS: ReadonlyMap<Version, TlsVersion> = new Map([
  [Version.TLSv1_2, 'TLSv1.2'],
  [Version.TLSv1_3, 'TLSv1.3'],
]);

function maximum(version: Version, at: Scope): TlsVersion | undefined {
  if (version !== Version.TLS_AUTO && !VERSIONS.has(version))
    at.error(`${Version[version] ?? version}, TLSv1_2 or TLSv1_3 allowed`);
  return VERSIONS.get(version);
}

/** BoringSSL writes suites of one rank as `[A|B]`; OpenSSL has no such ranks and takes them in turn. */
function decodeCiphers(text: string, at: Scope): readonly string[] {
  const names = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1).split('|') : [text];
  const known = process.getBuiltinModule('node:tls').getCiphers();
  for (const name of names) {
    if (!known.includes(name.toLowerCase())) at.error(`"${name}", a cipher suite that OpenSSL knows allowed`);
  }
  return names;
}
