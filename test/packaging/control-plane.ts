import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { createXdsServer, memorySource } from '@inmesh/xds-server';
import { oneHost } from '../harness/one-host.ts';

export interface ControlPlane {
  /** What an application needs to be part of this mesh. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** A control plane on a port that knows one host, whose endpoint answers "five", and a POST with its own body. */
export async function startControlPlane(): Promise<ControlPlane> {
  const origin = http.createServer((request, response) => {
    if (request.method === 'POST') request.pipe(response);
    else response.end('five');
  });
  origin.listen(0, '127.0.0.1');
  await once(origin, 'listening');
  const server = createXdsServer({ source: memorySource(oneHost((origin.address() as AddressInfo).port)) });
  const { xds } = await server.listen({ xds: '127.0.0.1:0' });
  const close = async (): Promise<void> => {
    await server.close();
    origin.closeAllConnections();
    origin.close();
  };
  return { env: { INMESH_XDS: xds, INMESH_REQUIRED: '1' }, close };
}
