import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';

/**
 * Headers of Envoy's own that a peer must not set: what Envoy removes from requests of outside
 * (ConnectionManagerUtility::cleanInternalHeaders, and `x-envoy-internal` from every request), and what Istio's metadata
 * exchange removes after reading it. A peer of the mesh is outside too: an Envoy beside this application would have been inside.
 */
const STRIPPED: ReadonlySet<string> = new Set([
  'x-envoy-internal',
  'x-envoy-external-address',
  'x-envoy-decorator-operation',
  'x-envoy-downstream-service-cluster',
  'x-envoy-downstream-service-node',
  'x-envoy-retriable-status-codes',
  'x-envoy-retriable-header-names',
  'x-envoy-retry-on',
  'x-envoy-retry-grpc-on',
  'x-envoy-max-retries',
  'x-envoy-upstream-alt-stat-name',
  'x-envoy-upstream-rq-timeout-ms',
  'x-envoy-upstream-rq-per-try-timeout-ms',
  'x-envoy-upstream-rq-timeout-alt-response',
  'x-envoy-upstream-stream-duration-ms',
  'x-envoy-hedge-on-per-try-timeout',
  'x-envoy-force-trace',
  'x-envoy-ip-tags',
  'x-envoy-original-url',
  'x-envoy-original-path',
  'x-envoy-original-host',
  'x-envoy-peer-metadata',
  'x-envoy-peer-metadata-id',
]);

/**
 * Envoy removes it too. It stays here, whoever says it: it is how a deadline travels over hops (`propagate`), and all a peer
 * can do with it is to have less time.
 */
const KEPT = 'x-envoy-expected-rq-timeout-ms';

const PREFIX = 'x-envoy-';
export const CLIENT_CERTIFICATE = 'x-forwarded-client-cert';

/** Whether a header of this name, in lower case, is taken from a request. A proven peer of the mesh may set the harmless rest. */
export const isStripped = (name: string, isProven: boolean): boolean =>
  name.startsWith(PREFIX) && name !== KEPT && (!isProven || STRIPPED.has(name));

/** What a connection does to the headers of its requests. */
export interface HeaderRule {
  readonly isProven: boolean;
  /** The new x-forwarded-client-cert; undefined: none. */
  clientCertificate(sent: string | undefined): string | undefined;
}

/** Of HTTP/1.1: Node keeps headers three times over, and whoever reads one must not find in it what another has lost. */
export function cleanRequest(request: IncomingMessage, rule: HeaderRule): void {
  const { rawHeaders, headers } = request;
  const sent = headers[CLIENT_CERTIFICATE];
  const certificate = rule.clientCertificate(Array.isArray(sent) ? sent.join(',') : sent);
  const unwanted = namesToStrip(rawHeaders, rule.isProven);
  if (certificate !== undefined || sent !== undefined) unwanted.add(CLIENT_CERTIFICATE);
  if (unwanted.size === 0) return;
  // Read before the list changes: Node fills it on first use, by a count of its own.
  const distinct = request.headersDistinct;
  rewrite(rawHeaders, unwanted);
  for (const name of unwanted) {
    delete headers[name];
    delete distinct[name];
  }
  if (certificate === undefined) return;
  rawHeaders.push('X-Forwarded-Client-Cert', certificate);
  headers[CLIENT_CERTIFICATE] = certificate;
  distinct[CLIENT_CERTIFICATE] = [certificate];
}

/** Of HTTP/2, before anybody has seen them. */
export function cleanStreamHeaders(headers: IncomingHttpHeaders, rawHeaders: string[], rule: HeaderRule): void {
  const sent = headers[CLIENT_CERTIFICATE];
  const certificate = rule.clientCertificate(Array.isArray(sent) ? sent.join(',') : sent);
  const unwanted = namesToStrip(rawHeaders, rule.isProven);
  if (certificate !== undefined || sent !== undefined) unwanted.add(CLIENT_CERTIFICATE);
  if (unwanted.size === 0) return;
  rewrite(rawHeaders, unwanted);
  for (const name of unwanted) delete headers[name];
  if (certificate === undefined) return;
  rawHeaders.push(CLIENT_CERTIFICATE, certificate);
  headers[CLIENT_CERTIFICATE] = certificate;
}

function namesToStrip(rawHeaders: readonly string[], isProven: boolean): Set<string> {
  const names = new Set<string>();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] ?? '';
    // Nearly none begins so: the others are not copied to compare them.
    if (name.length <= PREFIX.length || (name[0] !== 'x' && name[0] !== 'X')) continue;
    const lower = name.toLowerCase();
    if (isStripped(lower, isProven)) names.add(lower);
  }
  return names;
}

/** In place: others hold the list already. */
function rewrite(rawHeaders: string[], unwanted: ReadonlySet<string>): void {
  let to = 0;
  for (let from = 0; from < rawHeaders.length; from += 2) {
    const name = rawHeaders[from] ?? '';
    if (unwanted.has(name.toLowerCase())) continue;
    rawHeaders[to++] = name;
    rawHeaders[to++] = rawHeaders[from + 1] ?? '';
  }
  rawHeaders.length = to;
}
