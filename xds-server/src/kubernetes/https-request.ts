import { request as requestPlain } from 'node:http';
import { Agent, request as requestTls } from 'node:https';
import { isLoopback } from '../loopback.ts';

export interface HttpsRequest {
  readonly method?: 'GET' | 'POST' | 'PUT';
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** PEM; the platform's roots where absent. */
  readonly ca?: string;
  /** PEM of a client certificate. */
  readonly cert?: string;
  readonly key?: string;
  /** The name the server must prove instead of the URL's. */
  readonly servername?: string;
  readonly timeoutMs: number;
  readonly maxBytes: number;
}

export interface HttpsResponse {
  readonly status: number;
  readonly body: string;
}

/** No session is resumed: Node does not look at the server's name again on a resumed one. */
const agent = new Agent({ maxCachedSessions: 0 });

/** One small request, no redirects; rejects with a message that quotes neither headers nor bodies. Plain http only to this machine. */
export function httpsRequest(url: URL, options: HttpsRequest): Promise<HttpsResponse> {
  const { method = 'GET', headers, body, ca, cert, key, servername, timeoutMs, maxBytes } = options;
  const where = `${url.protocol}//${url.host}${url.pathname}`;
  if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback(url.hostname)))
    return Promise.reject(new Error(`${where}: want https (http only to a loopback address)`));
  return new Promise((resolve, reject) => {
    const fail = (why: string): void => reject(new Error(`${method} ${where}: ${why}`));
    const shape = {
      method,
      headers: { ...headers, ...(body !== undefined && { 'content-length': Buffer.byteLength(body) }) },
    };
    const tls = {
      agent,
      // Said outright: NODE_TLS_REJECT_UNAUTHORIZED is not to decide whose keys and reviews count.
      rejectUnauthorized: true,
      ...(ca !== undefined && { ca }),
      ...(cert !== undefined && { cert }),
      ...(key !== undefined && { key }),
      ...(servername !== undefined && { servername }),
    };
    const request = url.protocol === 'https:' ? requestTls(url, { ...shape, ...tls }) : requestPlain(url, shape);
    const deadline = setTimeout(() => {
      fail(`no answer within ${timeoutMs} ms`);
      request.destroy();
    }, timeoutMs);
    request.on('close', () => clearTimeout(deadline));
    request.on('error', (error) => fail('code' in error ? `${String(error.code)}: ${error.message}` : error.message));
    request.on('response', (response) => {
      const chunks: Buffer[] = [];
      let length = 0;
      response.on('data', (chunk: Buffer) => {
        length += chunk.length;
        chunks.push(chunk);
        if (length <= maxBytes) return;
        fail(`answers more than ${maxBytes} bytes`);
        request.destroy();
      });
      response.on('error', (error) => fail(error.message));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks).toString('utf8') }),
      );
    });
    request.end(body);
  });
}
