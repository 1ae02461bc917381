import { headerValue } from '../match/headers.ts';
import type { HeaderList, HeaderMutation } from '../model/headers.ts';
import type { FormatContext } from './format.ts';
import type { RouteDecision } from './table.ts';

/** The path to send, query string included; `context` is what a formatted one is made from. */
export const rewritePath = (decision: RouteDecision, path: string, context: FormatContext): string =>
  decision.rewritePath?.(path, context) ?? path;

/**
 * Adds the old authority to `x-forwarded-host`, where the route rewrites the host and asks for it, unless it is the last
 * value there already (Envoy RouteAction.append_x_forwarded_host).
 */
export function appendForwardedHost(headers: HeaderList, authority: string): HeaderList {
  if (authority === '') return headers;
  const present = headerValue(headers, FORWARDED_HOST);
  if (present === undefined || present === '')
    return [...withoutHeader(headers, FORWARDED_HOST), FORWARDED_HOST, authority];
  if (present.split(',').at(-1) === authority) return headers;
  return [...withoutHeader(headers, FORWARDED_HOST), FORWARDED_HOST, `${present},${authority}`];
}

const FORWARDED_HOST = 'x-forwarded-host';

/** With this value, and no other of the name. */
export const withHeader = (headers: HeaderList, name: string, value: string): string[] => [
  ...withoutHeader(headers, name),
  name,
  value,
];

function withoutHeader(headers: readonly string[], name: string): string[] {
  return headers.filter((_, i) => headers[i - (i % 2)] !== name);
}

/** A weighted cluster's own mutations come before the route's, whatever the order of the other levels. */
export function mutationsFor(own: HeaderMutation, ofDecision: readonly HeaderMutation[]): readonly HeaderMutation[] {
  return own.set.length === 0 && own.remove.length === 0 ? ofDecision : [own, ...ofDecision];
}
