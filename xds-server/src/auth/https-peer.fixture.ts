import type { IncomingMessage } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { createTestCa } from '../../../test/harness/certificates.ts';

export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly authorization: string | undefined;
  readonly body: unknown;
}

export interface Answer {
  readonly status: number;
  readonly body: unknown;
}

/** An HTTPS server of this machine whose answers a test gives; undefined: it never answers. */
export async function httpsPeer(answer: (asked: Asked) => Answer | undefined) {
  const ca = await createTestCa();
  const { pem, keyPem } = await ca.issue({ dns: ['localhost'], ips: ['127.0.0.1'], uses: ['server'] });
  const asked: Asked[] = [];
  const server = createServer({ cert: pem, key: keyPem }, async (request, response) => {
    const one = await read(request);
    asked.push(one);
    const said = answer(one);
    if (said === undefined) return;
    response.writeHead(said.status, { 'content-type': 'application/json' });
    response.end(typeof said.body === 'string' ? said.body : JSON.stringify(said.body));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
  return { url: `https://127.0.0.1:${port}`, ca: ca.pem, asked, close };
}

async function read(request: IncomingMessage): Promise<Asked> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    authorization: request.headers.authorization,
    body: text === '' ? undefined : JSON.parse(text),
  };
}
