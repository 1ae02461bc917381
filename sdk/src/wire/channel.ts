import { isIP, connect as netConnect, type Socket } from 'node:net';
import { type DialAddress, mayTakeToken, parseServerAddress } from '../bootstrap/server-address.ts';
import { MeshError } from '../errors.ts';

/** What we show of ourselves to a server, and by what we know it. Each is asked for anew with every call and connection. */
export interface ChannelCredentials {
  /** A bearer token; undefined: none. Throws what is wrong with it, without its text. */
  readonly token?: () => string | undefined;
  /** The token was found, not given: where it must not be sent it stays behind, and that is no fault. */
  readonly isTokenOptional?: boolean;
  /** Of a file: PEM certificates, of which one must have issued the server's. The platform's where undefined. */
  readonly roots?: string | undefined;
  /** PEM. undefined: the server is not told who asks by a certificate. */
  readonly certificate?: () => { readonly chain: string; readonly key: string } | undefined;
}

/** A gRPC server, and how to come to it. */
export interface Channel {
  readonly address: DialAddress;
  /** Goes with each call. Throws a MeshError where the token cannot be had. */
  metadata(): Readonly<Record<string, string>>;
  /** A new connection. Throws where a file cannot be read. */
  dial(): Socket;
  /** Of a connection that did not come to be: what its TLS went by. */
  readonly trust: string;
}

/**
 * Throws MESH_BOOTSTRAP_INVALID when the address cannot be read, and when a token would have to go in plain text to another
 * machine: everyone on the way could take this process's name with it.
 */
export function createChannel(server: string, credentials: ChannelCredentials = {}): Channel {
  const address = parseServerAddress(server);
  if (typeof address === 'string') throw new MeshError('MESH_BOOTSTRAP_INVALID', address);
  const { token, roots } = credentials;
  const mayTell = mayTakeToken(address);
  if (token !== undefined && !mayTell && credentials.isTokenOptional !== true) throw plaintextToken(server);
  return {
    address,
    metadata() {
      const text = mayTell ? token?.() : undefined;
      return text === undefined ? {} : { authorization: `Bearer ${text}` };
    },
    dial: () => (address.tlsName === undefined ? netConnect(address.connect) : dialTls(address, credentials)),
    trust:
      address.tlsName === undefined
        ? ''
        : `; its certificate is held against ${roots === undefined ? "the platform's roots: INMESH_CA_ROOT names others" : `the roots in ${roots}`}`,
  };
}

const plaintextToken = (server: string): MeshError =>
  new MeshError('MESH_BOOTSTRAP_INVALID', `a token is not sent to "${server}": plain text, and not on this machine`, {
    hint: 'write tls://host:port, or take INMESH_TOKEN and INMESH_TOKEN_FILE away',
  });

/** No session is kept: Node would not verify the server of a resumed one. */
function dialTls({ connect, tlsName = '' }: DialAddress, { roots, certificate }: ChannelCredentials): Socket {
  const own = certificate?.();
  // Loaded with the first TLS connection.
  const socket = process.getBuiltinModule('node:tls').connect({
    ...connect,
    ...(isIP(tlsName) === 0 && { servername: tlsName }),
    ALPNProtocols: ['h2'],
    minVersion: 'TLSv1.2',
    // Said outright: NODE_TLS_REJECT_UNAUTHORIZED is not to decide who gets the token.
    rejectUnauthorized: true,
    ...(roots !== undefined && { ca: readRoots(roots) }),
    ...(own !== undefined && { cert: own.chain, key: own.key }),
  });
  socket.once('secureConnect', () => {
    // gRPC over TLS is chosen by ALPN (PROTOCOL-HTTP2, "TLS"). Not at once: Node's HTTP/2 takes the socket over by this very
    // event, and one that is destroyed by then ends the process (an assertion in Http2Session::Consume).
    if (socket.alpnProtocol === 'h2') return;
    queueMicrotask(() => socket.destroy(new Error('the server does not offer HTTP/2 (ALPN h2)')));
  });
  return socket;
}

function readRoots(file: string): string {
  const pem = process.getBuiltinModule('node:fs').readFileSync(file, 'utf8');
  // Without one nobody could be verified; OpenSSL would not mind.
  if (!pem.includes('-----BEGIN CERTIFICATE-----')) throw new Error(`${file}: there is no PEM certificate in it`);
  return pem;
}
