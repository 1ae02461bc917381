import { checkFault, checkHttpRoute, checkRedirect, checkRetry } from '../checks/http-route.ts';
import { list, mapOf, message, oneOf, required, supported, translatedOnly } from '../message.ts';
import type {
  CorsPolicy,
  Delegate,
  Destination,
  HeaderOperations,
  HeaderRules,
  HttpDestination,
  HttpDirectResponse,
  HttpFault,
  HttpMatch,
  HttpMirror,
  HttpRedirect,
  HttpRetry,
  HttpRewrite,
  HttpRoute,
  Percent,
  StringMatch,
} from '../spec/virtual-service.ts';
import {
  dnsLabel,
  host,
  isDnsSubdomain,
  labelValue,
  wildcardHost,
  wrongHeaderName,
  wrongLabelName,
} from '../syntax.ts';
import {
  bytes,
  count,
  decimal,
  duration,
  flag,
  INT32_MAX,
  integer,
  nonEmptyText,
  portNumber,
  simple,
  type Type,
  text,
  textThat,
  truth,
  word,
} from '../type.ts';
import { regex, regexOrAny } from './regex.ts';

/** `mesh`, `name` or `namespace/name` (Istio validateGatewayNames). */
export const gatewayName: Type<string> = textThat('mesh, a gateway name or namespace/name', (value) => {
  const parts = value.split('/');
  return parts.length > 2 || !parts.every(isDnsSubdomain);
});

const stringMatchBy = (pattern: Type<string>): Type<StringMatch> =>
  message<StringMatch>(
    { exact: supported(text()), prefix: supported(text()), regex: supported(pattern) },
    { check: (value, place) => oneOf(value, ['exact', 'prefix', 'regex'], place) },
  );

const stringMatch = stringMatchBy(regex);
const valueMatch = stringMatchBy(regexOrAny);

const percent = message<Percent>({ value: supported({ ...decimal(0, 100), absent: () => 0 }) });

export const destination = message<Destination>({
  host: required(wildcardHost),
  subset: supported(dnsLabel),
  port: supported(message<{ readonly number: number }>({ number: required(portNumber) })),
});

/** Envoy substitution formatters stay as written; a lone `%` would make Envoy refuse the route (ValidateHTTPHeaderValue). */
const headerValue = textThat('a header value (one line; write %% for a percent sign)', (value) => {
  // Envoy HeaderValue.value: no NUL, CR or LF (RFC 9110 §5.5).
  if (['\u0000', '\r', '\n'].some((character) => value.includes(character))) return true;
  return /%/.test(value.replace(/%%|%[A-Z_0-9]+(\([^)]*\))?(:\d+)?%/g, ''));
});

const headerName = textThat('a header name', (value) => wrongHeaderName(value) !== undefined);

const headerOperations = (side: 'request' | 'response'): Type<HeaderOperations> => {
  // Istio: only the authority may be set among what Envoy owns, and only on requests.
  const wrong = (name: string): string | undefined =>
    side === 'request' && /^(:authority|host)$/i.test(name) ? undefined : wrongHeaderName(name);
  return message<HeaderOperations>({
    set: supported(mapOf(headerValue, wrong)),
    add: supported(mapOf(headerValue, wrong)),
    remove: supported(list(headerName)),
  });
};

const headerRules = message<HeaderRules>({
  request: supported(headerOperations('request')),
  response: supported(headerOperations('response')),
});

const httpMatch = message<HttpMatch>({
  name: supported(text()),
  uri: supported(stringMatch),
  scheme: supported(stringMatch),
  method: supported(stringMatch),
  authority: supported(stringMatch),
  headers: supported(mapOf(valueMatch, wrongHeaderName)),
  port: supported(portNumber),
  sourceLabels: supported(mapOf(labelValue, wrongLabelName)),
  gateways: supported(list(gatewayName)),
  queryParams: supported(mapOf(valueMatch)),
  ignoreUriCase: supported(flag),
  withoutHeaders: supported(mapOf(valueMatch, wrongHeaderName)),
  sourceNamespace: supported(dnsLabel),
  statPrefix: supported(text()),
});

const httpDestination = message<HttpDestination>({
  destination: required(destination),
  weight: supported(integer(0, INT32_MAX)),
  headers: supported(headerRules),
});

const redirectCode = simple('one of 301, 302, 303, 307, 308', (value) =>
  ([301, 302, 303, 307, 308] as const).find((code) => code === value),
);

const httpRedirect = message<HttpRedirect>(
  {
    uri: supported(text()),
    authority: supported(text()),
    port: supported(portNumber),
    derivePort: supported(word('FROM_PROTOCOL_DEFAULT', 'FROM_REQUEST_PORT')),
    scheme: supported(word('http', 'https')),
    redirectCode: supported({ ...redirectCode, absent: () => 301 as const }),
  },
  {
    others: { prefixRewrite: { kind: 'ignored', because: 'not served yet: write the rule with uri or as a rewrite' } },
    check: checkRedirect,
  },
);

const httpDirectResponse = message<HttpDirectResponse>({
  // Envoy DirectResponseAction.status.
  status: required(integer(200, 599)),
  body: supported(
    message<NonNullable<HttpDirectResponse['body']>>(
      { string: supported(text()), bytes: supported(bytes) },
      { check: (value, place) => oneOf(value, ['string', 'bytes'], place) },
    ),
  ),
});

const httpRewrite = message<HttpRewrite>(
  {
    uri: supported(text()),
    authority: supported(text()),
    uriRegexRewrite: supported(
      message<NonNullable<HttpRewrite['uriRegexRewrite']>>({ match: required(regex), rewrite: required(text()) }),
    ),
  },
  {
    check(value, place) {
      if (Object.keys(value).length === 0) place.error('want at least one of uri, authority, uriRegexRewrite');
      oneOf(value, ['uri', 'uriRegexRewrite'], place);
    },
  },
);

export const httpRetry = message<HttpRetry>(
  {
    attempts: supported(count),
    perTryTimeout: supported(duration()),
    retryOn: supported(text()),
    retryRemoteLocalities: supported(truth),
    retryIgnorePreviousHosts: supported(truth),
    backoff: supported(duration()),
  },
  { check: checkRetry },
);

const httpFault = message<HttpFault>(
  {
    delay: supported(
      message<NonNullable<HttpFault['delay']>>({
        percent: supported(integer(0, 100)),
        percentage: supported(percent),
        fixedDelay: supported(duration()),
        exponentialDelay: supported(duration()),
      }),
    ),
    abort: supported(
      message<NonNullable<HttpFault['abort']>>({
        percentage: supported(percent),
        httpStatus: supported(integer(200, 599)),
        grpcStatus: supported(nonEmptyText),
        http2Error: supported(nonEmptyText),
      }),
    ),
  },
  { check: checkFault },
);

const corsPolicy = message<CorsPolicy>({
  allowOrigin: supported(list(text())),
  allowOrigins: supported(list(stringMatch)),
  allowMethods: supported(list(text())),
  allowHeaders: supported(list(headerName)),
  exposeHeaders: supported(list(headerName)),
  maxAge: supported(duration()),
  allowCredentials: supported(truth),
  unmatchedPreflights: supported(word('UNSPECIFIED', 'FORWARD', 'IGNORE')),
});

export const httpRoute = message<HttpRoute>(
  {
    name: supported(text()),
    match: supported(list(httpMatch)),
    route: supported(list(httpDestination)),
    redirect: supported(httpRedirect),
    directResponse: supported(httpDirectResponse),
    delegate: supported(message<Delegate>({ name: required(host), namespace: supported(dnsLabel) })),
    rewrite: supported(httpRewrite),
    timeout: supported(duration(1, ' (leave it out for none)')),
    retries: supported(httpRetry),
    fault: supported(httpFault),
    mirror: supported(destination),
    mirrors: supported(
      list(message<HttpMirror>({ destination: required(destination), percentage: supported(percent) })),
    ),
    mirrorPercent: supported(integer(0, 100)),
    mirrorPercentage: supported(percent),
    corsPolicy: translatedOnly(corsPolicy),
    headers: supported(headerRules),
  },
  {
    aliases: { mirror_percent: { as: 'mirrorPercent' } },
    check: checkHttpRoute,
  },
);
