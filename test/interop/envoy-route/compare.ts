import { isSingle } from '../../../sdk/src/match/headers.ts';
import type { HeaderList } from '../../../sdk/src/model/headers.ts';
import type { RouteAnswer } from '../../../sdk/src/route/answer.ts';
import type { LiveAnswer } from './live.ts';

/** What both sides are boiled down to. */
export interface Outcome {
  readonly status: number;
  readonly cluster?: string;
  readonly path?: string;
  readonly host?: string;
  readonly location?: string;
  readonly body?: string;
  readonly requestHeaders?: string;
  readonly responseHeaders: string;
}

/** The fields on which both differ, with either value; empty where they agree. */
export const differing = (ours: Outcome, theirs: Outcome): Readonly<Record<string, unknown>> =>
  Object.fromEntries(
    FIELDS.filter((field) => ours[field] !== theirs[field]).map((field) => [
      field,
      { ours: ours[field], theirs: theirs[field] },
    ]),
  );

const FIELDS = [
  ...(['status', 'cluster', 'path', 'host', 'location', 'body', 'requestHeaders', 'responseHeaders'] as const),
];

/** Of the connection, of HTTP/1.1 framing, or of Envoy itself; none of it is the route's doing. */
const NOT_THE_ROUTES = new Set([
  ...['host', 'connection', 'keep-alive', 'transfer-encoding', 'content-length', 'content-type', 'date', 'server'],
  ...['x-request-id', 'x-forwarded-proto', 'location'],
]);

/** By name, repeats in order; those that Envoy keeps as one are joined. */
export function flattened(headers: HeaderList): string {
  const values = new Map<string, string[]>();
  for (let i = 0; i + 1 < headers.length; i += 2) {
    const name = (headers[i] ?? '').toLowerCase();
    if (NOT_THE_ROUTES.has(name)) continue;
    const value = headers[i + 1] ?? '';
    // What a cookie is worth is chance.
    values.set(name, [...(values.get(name) ?? []), name === 'set-cookie' ? value.replace(/"\w*"/, '"*"') : value]);
  }
  return [...values]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(
      ([name, list]) =>
        `${name}: ${isSingle(name) ? list.filter((value) => value !== '').join(',') : list.join(' | ')}`,
    )
    .join('\n');
}

export function ours(answer: RouteAnswer): Outcome {
  const responseHeaders = flattened(answer.responseHeaders);
  const { redirect, directResponse, cluster } = answer;
  if (redirect) return { status: redirect.code, body: '', location: redirect.location, responseHeaders };
  if (directResponse) {
    const { code, body, location } = directResponse;
    const text = new TextDecoder().decode(body);
    return { status: code, body: text, ...(location !== undefined && { location }), responseHeaders };
  }
  if (answer.route === undefined) return { status: 404, body: '', responseHeaders };
  if (cluster === undefined) return { status: answer.clusterNotFound, body: '', responseHeaders };
  return {
    status: 200,
    cluster,
    path: answer.pathRewrite,
    host: answer.hostRewrite,
    requestHeaders: flattened(answer.requestHeaders),
    responseHeaders: flattened([
      ...answer.responseHeaders,
      ...(answer.setCookies ?? []).flatMap((cookie) => ['set-cookie', cookie]),
    ]),
  };
}

/** Envoy answers gRPC callers itself in gRPC's way; so do calls (test/interop/envoy-policy, grpc-*), and not what is compared here. */
export const isGrpcReply = ({ upstream, headers }: LiveAnswer): boolean =>
  upstream === undefined && valueIn(headers, 'grpc-status') !== undefined;

export function theirs({ status, headers, body, upstream }: LiveAnswer): Outcome {
  const responseHeaders = flattened(headers);
  if (upstream === undefined) {
    const location = valueIn(headers, 'location');
    return {
      status,
      body,
      ...(location !== undefined && { location }),
      responseHeaders,
    };
  }
  return {
    status,
    cluster: upstream.cluster,
    path: upstream.path,
    host: valueIn(upstream.headers, 'host') ?? '',
    requestHeaders: flattened(upstream.headers),
    responseHeaders,
  };
}

const valueIn = (headers: HeaderList, name: string): string | undefined =>
  headers[headers.findIndex((header, i) => i % 2 === 0 && header.toLowerCase() === name) + 1 || -1];
