import type { IdentitySettings, TokenSettings } from '../bootstrap/identity-settings.ts';
import type { ServerTlsFiles } from '../bootstrap/server-address.ts';
import { MeshError } from '../errors.ts';
import type { ChannelCredentials } from '../wire/channel.ts';
import type { Svid } from './identity.ts';

export interface CredentialsParts {
  readonly settings: IdentitySettings;
  /** This process's own certificate as it is now. */
  readonly svid: () => Svid | undefined;
  /** Of the server's own entry in a gRPC bootstrap. */
  readonly files?: ServerTlsFiles | undefined;
}

/** What the control plane and its CA are shown: the token as it stands now, and the certificate that is held. */
export function createCredentials({ settings, svid, files = {} }: CredentialsParts): ChannelCredentials {
  const { token } = settings;
  const { certificate, key } = files;
  return {
    roots: files.roots ?? settings.caRoot,
    ...(token !== undefined && { token: () => readToken(token, svid() !== undefined) }),
    // Where it may go was looked at with the bootstrap.
    isTokenOptional: true,
    certificate() {
      if (certificate !== undefined && key !== undefined) {
        return { chain: read(certificate), key: read(key) };
      }
      const held = svid();
      return held && { chain: held.chain, key: held.key.export({ type: 'pkcs8', format: 'pem' }).toString() };
    },
  };
}

/** Kubernetes replaces the file long before its token ends. `mayLack`: a certificate proves as much. */
function readToken(token: TokenSettings, mayLack: boolean): string | undefined {
  if (token.kind === 'text') return token.text;
  let text: string;
  try {
    text = read(token.path).trim();
  } catch (cause) {
    if (mayLack) return undefined;
    throw new MeshError('MESH_IDENTITY_UNAVAILABLE', `${token.source}: "${token.path}" cannot be read`, { cause });
  }
  // What else stands in it could end the header.
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  if (mayLack) return undefined;
  throw new MeshError('MESH_IDENTITY_UNAVAILABLE', `${token.source}: there is no token in "${token.path}"`);
}

const read = (path: string): string => process.getBuiltinModule('node:fs').readFileSync(path, 'utf8');
