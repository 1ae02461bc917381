/** One request and its answer, whichever version of HTTP carries them. */

import type { Duplex } from 'node:stream';

export interface WireRequest {
  readonly method: string;
  /** With query string. */
  readonly path: string;
  /** Flat, with `host`. */
  readonly headers: string[];
  readonly body: Uint8Array | AsyncIterable<Uint8Array> | null;
  readonly upgrade: string | null;
}

/** Given at the moment the request is written. */
export interface RequestController {
  pause(): void;
  resume(): void;
  /** Ends the request with `onResponseError(…, reason)`, synchronously; on HTTP/1.1 its connection with it. */
  abort(reason: Error): void;
}

/** Header or trailer values by lower-case name. */
export type ParsedHeaders = Readonly<Record<string, string | string[] | undefined>>;

/** Callbacks of one request, in undici's names. After an end, an upgrade or an error none comes. */
export interface RequestHandler {
  /** The request is about to be written. A throw takes it back and leaves the connection as it was. */
  onRequestStart(controller: RequestController): void;
  /** All of the request has been handed to the connection. */
  onRequestSent(): void;
  /** The first byte of the response has come. */
  onResponseStarted(): void;
  /** Also for informational responses, status < 200. */
  onResponseStart(controller: RequestController, status: number, headers: ParsedHeaders, statusText?: string): void;
  onResponseData(controller: RequestController, chunk: Uint8Array): void;
  onResponseEnd(controller: RequestController, trailers: ParsedHeaders): void;
  onRequestUpgrade(controller: RequestController, status: number, headers: ParsedHeaders, socket: Duplex): void;
  onResponseError(controller: RequestController | null, error: Error): void;
}

/** Names come lower case; a repeated header stays repeated. Pseudo-headers are none (RFC 9113 §8.3). */
export function flattenHeaders(headers: ParsedHeaders): string[] {
  const flat: string[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string') flat.push(name, value);
    else if (value !== undefined) for (const one of value) flat.push(name, one);
  }
  return flat;
}
