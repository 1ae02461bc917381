/** One request and its answer, whichever version of HTTP carries them. */

import type { Duplex } from 'node:stream';
import { headerValue } from '../match/headers.ts';

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

/** As they come: by name from undici's parser, in one flat list from HTTP/2. */
export type AnswerFields = ParsedHeaders | string[];

/** Callbacks of one request, in undici's names. After an end, an upgrade or an error none comes. */
export interface RequestHandler {
  /** The request is about to be written. A throw takes it back and leaves the connection as it was. */
  onRequestStart(controller: RequestController): void;
  /** All of the request has been handed to the connection. */
  onRequestSent(): void;
  /** The first byte of the response has come. */
  onResponseStarted(): void;
  /** Also for informational responses, status < 200. */
  onResponseStart(controller: RequestController, status: number, headers: AnswerFields, statusText?: string): void;
  onResponseData(controller: RequestController, chunk: Uint8Array): void;
  onResponseEnd(controller: RequestController, trailers: AnswerFields): void;
  onRequestUpgrade(controller: RequestController, status: number, headers: AnswerFields, socket: Duplex): void;
  onResponseError(controller: RequestController | null, error: Error): void;
}

/** Names come lower case; a repeated header stays repeated. Pseudo-headers are none (RFC 9113 §8.3). */
export function flattenHeaders(headers: AnswerFields): string[] {
  if (Array.isArray(headers)) return headers;
  const flat: string[] = [];
  for (const name in headers) {
    const value = headers[name];
    if (typeof value === 'string') flat.push(name, value);
    else if (value !== undefined) for (const one of value) flat.push(name, one);
  }
  return flat;
}

/** One that is not repeated. */
export const fieldOf = (headers: AnswerFields, name: string): string | string[] | undefined =>
  Array.isArray(headers) ? headerValue(headers, name) : headers[name];
