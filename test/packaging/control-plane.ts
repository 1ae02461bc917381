import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createXdsServer, memorySource } from '@inmesh/xds-server';

/** A control plane on a port that knows one host, `ratings.example`, whose endpoint answers "five", and a POST with its own body. */
const mesh = (port: number): string => `
apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: { name: ratings, namespace: default }
spec:
  hosts: [ratings.example]
  ports: [{ number: 80, name: http, protocol: HTTP }]
  location: MESH_INTERNAL
  resolution: STATIC
  endpoints: [{ address: 127.0.0.1, ports: { http: ${port} } }]
`;

export interface ControlPlane {
  /** What an application needs to be part of this mesh. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

export async function startControlPlane(): Promise<ControlPlane> {
  const origin = http.createServer((request, response) => {
    if (request.method === 'POST') request.pipe(response);
    else response.end('five');
  });
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const server = createXdsServer({ source: memorySource(mesh((origin.address() as AddressInfo).port)) });
  const { xds } = await server.listen({ xds: '127.0.0.1:0' });
  const close = async (): Promise<void> => {
    await server.close();
    origin.closeAllConnections();
    origin.close();
  };
  return { env: { INMESH_XDS: xds, INMESH_REQUIRED: '1' }, close };
}
