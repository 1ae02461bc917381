import type { MeshRequest } from '../model/request.ts';
import type { CallBody } from './body-source.ts';

const CONTENT_LENGTH = 'content-length';

/** Headers as they are written, `host` first. undici adds `content-length` for bytes and for no body. */
export function wireHeaders({ authority, headers }: MeshRequest, body: CallBody): string[] {
  // What the caller wrote holds only for a stream whose length nobody else knows.
  const isKnown = body.kind !== 'stream' || body.length !== undefined;
  const kept = isKnown && headers.includes(CONTENT_LENGTH) ? without(headers, CONTENT_LENGTH) : headers;
  const wire = ['host', authority, ...kept];
  if (body.kind === 'stream' && body.length !== undefined) wire.push(CONTENT_LENGTH, String(body.length));
  return wire;
}

const without = (headers: readonly string[], name: string): string[] =>
  headers.filter((_, i) => headers[i - (i % 2)] !== name);
