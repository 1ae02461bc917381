import {
  type DirectResponseActionSchema,
  RedirectAction_RedirectResponseCode,
  type RedirectActionSchema,
} from '@inmesh/sdk/internal/gen/route';
import type { HttpDirectResponse, HttpRedirect } from '../../schema/spec/virtual-service.ts';
import type { Fields } from '../proto.ts';

const CODES: Readonly<Record<HttpRedirect['redirectCode'], RedirectAction_RedirectResponseCode>> = {
  301: RedirectAction_RedirectResponseCode.MOVED_PERMANENTLY,
  302: RedirectAction_RedirectResponseCode.FOUND,
  303: RedirectAction_RedirectResponseCode.SEE_OTHER,
  307: RedirectAction_RedirectResponseCode.TEMPORARY_REDIRECT,
  308: RedirectAction_RedirectResponseCode.PERMANENT_REDIRECT,
};

/** Istio ApplyRedirect. `port` is the one the client dialled. */
export const redirectAction = (redirect: HttpRedirect, port: number): Fields<typeof RedirectActionSchema> => ({
  hostRedirect: redirect.authority ?? '',
  pathRewriteSpecifier: { case: 'pathRedirect', value: redirect.uri ?? '' },
  ...(redirect.scheme ? { schemeRewriteSpecifier: { case: 'schemeRedirect', value: redirect.scheme } as const } : {}),
  portRedirect: redirectPort(redirect, port),
  responseCode: CODES[redirect.redirectCode],
});

/** 0: Envoy's own, the default of the scheme. The default of the scheme is never written out. */
const redirectPort = (redirect: HttpRedirect, dialled: number): number => {
  const port = redirect.port ?? (redirect.derivePort === 'FROM_REQUEST_PORT' ? dialled : 0);
  const standard = (redirect.scheme || 'http') === 'https' ? 443 : 80;
  return port === standard ? 0 : port;
};

export const directResponseAction = ({
  status,
  body,
}: HttpDirectResponse): Fields<typeof DirectResponseActionSchema> => {
  if (body?.bytes !== undefined) {
    return { status, body: { specifier: { case: 'inlineBytes', value: body.bytes } } };
  }
  if (body?.string !== undefined) {
    return { status, body: { specifier: { case: 'inlineString', value: body.string } } };
  }
  return { status };
};
