import type { UniversalClientFn } from '@connectrpc/connect/protocol';
import { createNodeHttpClient, Http2SessionManager } from '@connectrpc/connect-node';

/** connect-node's own HTTP client, made when a call is none of the mesh's. */
export function createPlainClient(baseUrl: string, version: '1.1' | '2'): UniversalClientFn {
  let made: UniversalClientFn | undefined;
  return (request) => {
    made ??= version === '2' ? http2Client(baseUrl) : createNodeHttpClient({ httpVersion: '1.1' });
    return made(request);
  };
}

function http2Client(baseUrl: string): UniversalClientFn {
  const session = new Http2SessionManager(baseUrl);
  return createNodeHttpClient({ httpVersion: '2', sessionProvider: () => session });
}
