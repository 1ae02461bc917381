import { createClient, type Interceptor, type Transport } from '@connectrpc/connect';
import { compressionGzip } from '@connectrpc/connect-node';
import { createMesh } from '@inmesh/sdk';
import {
  createConnectTransport,
  createGrpcTransport,
  createGrpcWebTransport,
  type MeshConnectTransportOptions,
} from '@inmesh/sdk/connectrpc';

const mesh = createMesh();
const baseUrl = 'http://echo';
const pass: Interceptor = (next) => (request) => next(request);
const options: MeshConnectTransportOptions = {
  baseUrl,
  mesh,
  httpVersion: '2',
  interceptors: [pass],
  sendCompression: compressionGzip,
  useHttpGet: true,
  policy: { timeoutMs: 1_000, idempotent: true },
};
const transports: readonly Transport[] = [
  createConnectTransport(options),
  createGrpcTransport({ baseUrl, mesh, defaultTimeoutMs: 1_000 }),
  createGrpcWebTransport({ baseUrl, useBinaryFormat: false }),
];
process.stdout.write(`${transports.length} ${typeof createClient}`);
