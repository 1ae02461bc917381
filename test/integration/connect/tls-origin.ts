import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { TEST_CERTIFICATE, TEST_KEY } from '../../../sdk/src/connection/certificates.fixture.ts';

/** An HTTP server on one port that takes TLS and clear text, and says which it was. */
export interface TlsOrigin {
  readonly port: number;
  /** Server names asked for, by connection. */
  readonly serverNames: string[];
  close(): Promise<void>;
}

const HANDSHAKE = 0x16;

export async function startTlsOrigin(name = ''): Promise<TlsOrigin> {
  const sockets = new Set<Socket>();
  const serverNames: string[] = [];
  const answer: RequestListener = ({ socket }, response) => {
    response.end(`${name}${socket instanceof TLSSocket ? 'tls' : 'clear'}`);
  };
  const http = createHttpServer(answer);
  const secureContext = createSecureContext({ key: TEST_KEY, cert: TEST_CERTIFICATE });
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => {}).on('close', () => sockets.delete(socket));
    socket.once('readable', () => {
      const first: Buffer | null = socket.read();
      if (first === null) return;
      socket.unshift(first);
      if (first[0] !== HANDSHAKE) {
        http.emit('connection', socket);
        return;
      }
      const secure = new TLSSocket(socket, { isServer: true, secureContext });
      secure.on('error', () => socket.destroy());
      secure.once('secure', () => {
        serverNames.push((secure as unknown as { servername?: string }).servername || '');
        http.emit('connection', secure);
      });
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as AddressInfo).port,
    serverNames,
    close() {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}
