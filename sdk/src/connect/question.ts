import type { ConnectionQuestion } from '../explain/connection.ts';
import type { ExplainOptions } from '../options.ts';
import { destinationOf } from './destination.ts';

/** A connection to be explained, read as `mesh.connect` reads it; undefined: the URL is one of requests. */
export function connectionQuestionOf({ url, random = 0 }: ExplainOptions): ConnectionQuestion | undefined {
  const parsed = URL.parse(String(url));
  if (parsed === null || !/^(tcp|tls):$/.test(parsed.protocol)) return undefined;
  const { target, port, serverName, address } = destinationOf({ host: parsed.hostname, port: Number(parsed.port) });
  return {
    target,
    url: `${parsed.protocol}//${target}`,
    random,
    request: { method: 'CONNECT', scheme: 'http', authority: target, path: '', headers: [] },
    connection: { port, ...(serverName && { serverName }), ...(address && { address }) },
  };
}
