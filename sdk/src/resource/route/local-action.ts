import type { SubstitutionFormatString } from '../../../gen/core.js';
import type { DirectResponseAction, RedirectAction as RedirectMessage } from '../../../gen/route.js';
import { RedirectAction_RedirectResponseCode as Code } from '../../../gen/route.js';
import { defaultOf } from '../../defaults.ts';
import type { Action, BodyFormat, RedirectAction } from '../../model/action.ts';
import type { Scope } from '../scope.ts';
import { inRange } from '../values.ts';
import { decodeRegexRewrite } from './rewrite.ts';

const CODES: ReadonlyMap<Code, RedirectAction['code']> = new Map([
  [Code.MOVED_PERMANENTLY, 301],
  [Code.FOUND, 302],
  [Code.SEE_OTHER, 303],
  [Code.TEMPORARY_REDIRECT, 307],
  [Code.PERMANENT_REDIRECT, 308],
]);

/** Envoy config.route.v3.RedirectAction. */
export function decodeRedirect(message: RedirectMessage, at: Scope): Action {
  const { schemeRewriteSpecifier: scheme, hostRedirect, portRedirect } = message;
  const code = CODES.get(message.responseCode);
  if (code === undefined) at.at('response_code').error(`${message.responseCode}, 0 to 4 allowed`);
  if (portRedirect > 0) inRange(portRedirect, 1, 65_535, at.at('port_redirect'));
  return {
    kind: 'redirect',
    code: code ?? 301,
    ...(scheme.case === 'httpsRedirect' && scheme.value && { scheme: 'https' }),
    ...(scheme.case === 'schemeRedirect' && { scheme: scheme.value }),
    ...(hostRedirect !== '' && { host: hostRedirect }),
    ...(portRedirect !== 0 && { port: portRedirect }),
    ...redirectPath(message.pathRewriteSpecifier, at),
    stripQuery: message.stripQuery,
  };
}

function redirectPath(
  path: RedirectMessage['pathRewriteSpecifier'],
  at: Scope,
): Pick<RedirectAction, 'path' | 'prefix' | 'regex' | 'format'> {
  if (path.case === 'pathRedirect') return { path: path.value };
  if (path.case === 'pathRewrite') return { format: path.value };
  if (path.case === 'prefixRewrite') return { prefix: path.value };
  if (path.case === 'regexRewrite') return { regex: decodeRegexRewrite(path.value, at.at('regex_rewrite')) };
  return {};
}

/** Envoy SubstitutionFormatString; a reason to refuse it where it would publish a file or a variable of ours. */
function decodeBodyFormat(message: SubstitutionFormatString, at: Scope): BodyFormat | string {
  const { format, omitEmptyValues: omitEmpty, contentType } = message;
  const about = { omitEmpty, ...(contentType !== '' && { contentType }) };
  if (format.case === 'jsonFormat') return { template: { kind: 'json', value: format.value }, ...about };
  if (format.case === 'textFormat') return { template: { kind: 'text', text: format.value }, ...about };
  const source = format.value?.specifier;
  if (source === undefined || source.case === undefined)
    at.error('no format, one of text_format_source, json_format is required');
  else if (source.case === 'inlineBytes')
    return { template: { kind: 'text', text: decoder.decode(source.value) }, ...about };
  else if (source.case !== 'inlineString') return `${at.path}: ${source.case} is not read, inline formats are allowed`;
  return { template: { kind: 'text', text: typeof source?.value === 'string' ? source.value : '' }, ...about };
}

const decoder = new TextDecoder();
const encoder = new TextEncoder();

/** Envoy config.route.v3.DirectResponseAction; `limit` is RouteConfiguration.max_direct_response_body_size_bytes. */
export function decodeDirectResponse(message: DirectResponseAction, limit: number | undefined, at: Scope): Action {
  const specifier = message.body?.specifier;
  if (specifier?.case === 'filename' || specifier?.case === 'environmentVariable') {
    // A control plane must not choose which of our files or variables to publish.
    return { kind: 'refuse', reason: `${at.path}.body: ${specifier.case} is not read, inline bodies are allowed` };
  }
  const body = specifier?.case === 'inlineString' ? encoder.encode(specifier.value) : specifier?.value;
  const format = message.bodyFormat && decodeBodyFormat(message.bodyFormat, at.at('body_format'));
  if (typeof format === 'string') return { kind: 'refuse', reason: format };
  const longest = limit ?? defaultOf('directResponseBytes');
  if (body !== undefined && body.length > longest)
    at.at('body').error(`${body.length} bytes, at most ${longest} allowed`);
  return {
    kind: 'respond',
    status: inRange(message.status, 200, 599, at.at('status')),
    body: body ?? new Uint8Array(),
    ...(format && { format }),
  };
}
