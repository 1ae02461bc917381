import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import { connect, type DetailedPeerCertificate, type TLSSocket } from 'node:tls';
import { certificateBlocks } from '../../ca/pem.ts';
import { UsageError } from '../usage.ts';

const PATIENCE_MS = 10_000;

interface ChainSource {
  /** The file's name or the address. */
  readonly from: string;
  readonly chain: readonly X509Certificate[];
}

export interface ReadOptions {
  /** For addresses: the name asked for; the address's own where absent. */
  readonly sni?: string | undefined;
  /** ALPN, for servers that take no other. */
  readonly alpn?: readonly string[] | undefined;
}

/** The certificates of a PEM file, or those that the server at `tls://HOST:PORT` presents. */
export async function readChain(where: string, options: ReadOptions = {}): Promise<ChainSource> {
  const address = /^tls:\/\/(\[[^\]]+\]|[^:/]+):(\d+)\/?$/.exec(where);
  if (address === null && where.startsWith('tls:')) throw new UsageError(`got "${where}", want tls://HOST:PORT`);
  const [, host = '', port = ''] = address ?? [];
  const chain =
    address === null
      ? certificatesOf(await readFile(where, 'utf8'), where)
      : await presented(host.replace(/^\[|\]$/g, ''), Number(port), options);
  return { from: where, chain };
}

function certificatesOf(text: string, where: string): readonly X509Certificate[] {
  const blocks = certificateBlocks(text);
  if (blocks.length === 0) throw new Error(`${where}: no certificate in PEM`);
  return blocks.map((block, index) => {
    try {
      return new X509Certificate(block);
    } catch {
      throw new Error(`${where}: certificate ${index + 1} cannot be read`);
    }
  });
}

/** What a server presents, trusted or not. Nothing is sent to it, and the connection ends with the handshake. */
function presented(host: string, port: number, { sni, alpn }: ReadOptions): Promise<readonly X509Certificate[]> {
  return new Promise((resolve, reject) => {
    const socket = connect({
      host,
      port,
      servername: sni ?? (isIP(host) === 0 ? host : ''),
      ...(alpn === undefined ? {} : { ALPNProtocols: [...alpn] }),
      // A list of no roots: whatever comes is refused, once it has been looked at.
      ca: [],
      timeout: PATIENCE_MS,
    });
    let chain: readonly X509Certificate[] = [];
    // Before the socket's own listener, which refuses the peer and forgets what it presented.
    socket.prependListener('secure', () => {
      chain = chainOf(socket);
    });
    const end = (error?: Error): void => {
      socket.destroy();
      if (chain.length > 0) resolve(chain);
      else reject(error ?? new Error(`tls://${host}:${port}: it presents no certificate`));
    };
    socket.on('secureConnect', () => end());
    socket.on('error', (error) => end(new Error(`tls://${host}:${port}: ${error.message}`)));
    socket.on('timeout', () => end(new Error(`tls://${host}:${port}: no handshake within ${PATIENCE_MS / 1_000} s`)));
  });
}

function chainOf(socket: TLSSocket): readonly X509Certificate[] {
  const chain: X509Certificate[] = [];
  let peer: DetailedPeerCertificate | undefined = socket.getPeerCertificate(true);
  // A self-signed one is its own issuer.
  while (peer?.raw !== undefined && !chain.some(({ fingerprint256 }) => fingerprint256 === peer?.fingerprint256)) {
    chain.push(new X509Certificate(peer.raw));
    peer = peer.issuerCertificate;
  }
  return chain;
}
