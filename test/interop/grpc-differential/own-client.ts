import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { createMesh, type Mesh } from '../../../sdk/src/mesh.ts';
import type { CallOrder, GrpcChannel, GrpcClient, Reply } from './clients.ts';

/** The mesh's channel under a client of grpc-js, in this process, by the same bootstrap as the others have. */
export const ownClient = (protocol: 'delta' | 'sotw'): GrpcClient => ({
  async open({ bootstrap, target }) {
    const mesh = createMesh(
      { outboundPolicy: 'REGISTRY_ONLY', configTimeoutMs: 20_000, protocol },
      { env: { GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) } },
    );
    return channelOf(mesh, target);
  },
  stop: async () => {},
});

function channelOf(mesh: Mesh, target: string): GrpcChannel {
  const client = new Client(target, credentials.createInsecure(), mesh.grpc());
  return {
    call: (order) => callOf(client, order),
    async close() {
      client.close();
      await mesh.close();
    },
  };
}

const pass = (bytes: Buffer): Buffer => bytes;

function callOf(client: Client, { path, metadata: pairs, timeoutMs, wait }: CallOrder): Promise<Reply> {
  const metadata = new Metadata({ waitForReady: wait });
  for (const [name, value] of pairs) metadata.add(name, name.endsWith('-bin') ? Buffer.from(value) : value);
  return new Promise((resolve) => {
    const done = (error: ServiceError | null, value?: Buffer): void =>
      resolve(
        error
          ? { status: status[error.code] ?? String(error.code), details: error.details, body: '' }
          : { status: 'OK', details: '', body: String(value) },
      );
    client.makeUnaryRequest(path, pass, pass, Buffer.alloc(0), metadata, { deadline: Date.now() + timeoutMs }, done);
  });
}

/** The same host by meshFetch: whom it reaches is told, and not with which status it fails. */
export const fetchClient: GrpcClient = {
  async open({ bootstrap, target }) {
    const mesh = createMesh(
      { outboundPolicy: 'REGISTRY_ONLY', configTimeoutMs: 20_000 },
      { env: { GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) } },
    );
    return {
      async call({ path, metadata, timeoutMs }) {
        const headers = new Headers({ 'content-type': 'application/grpc', te: 'trailers' });
        for (const [name, value] of metadata) headers.append(name, value);
        const signal = AbortSignal.timeout(timeoutMs);
        const answer = await mesh.fetch(`http://${target.slice('xds:///'.length)}${path}`, {
          method: 'POST',
          headers,
          body: Buffer.alloc(5),
          signal,
        });
        const body = Buffer.from(await answer.arrayBuffer());
        return {
          status: body.length > 5 ? 'OK' : 'UNAVAILABLE',
          details: `${answer.status}`,
          body: String(body.subarray(5)),
        };
      },
      close: () => mesh.close(),
    };
  },
  stop: async () => {},
};
