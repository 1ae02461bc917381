/** Connect over the mesh: transports for clients of `@connectrpc/connect`, in the place of those of `@connectrpc/connect-node`. */

export type {
  MeshConnectTransportOptions,
  MeshGrpcTransportOptions,
  MeshGrpcWebTransportOptions,
} from './connectrpc/options.ts';
export { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from './connectrpc/transports.ts';
