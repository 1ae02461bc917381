/** Matchers as data. `match/` compiles them; Envoy's semantics rule (config.route.v3.RouteMatch, type.matcher.v3). */

export type StringMatch =
  | { readonly kind: 'exact' | 'prefix' | 'suffix' | 'contains'; readonly value: string; readonly ignoreCase: boolean }
  /** RE2 syntax, whole string. */
  | { readonly kind: 'regex'; readonly value: string };

/** Envoy RouteMatch.path_specifier. The query string is not part of what is compared. */
export type PathMatch =
  | {
      readonly kind: 'exact' | 'prefix' | 'path-separated-prefix';
      readonly value: string;
      readonly caseSensitive: boolean;
    }
  | { readonly kind: 'regex'; readonly value: string }
  /** Envoy UriTemplateMatchConfig. */
  | { readonly kind: 'template'; readonly value: string }
  /** Envoy ConnectMatcher: every CONNECT request, and nothing else. */
  | { readonly kind: 'connect'; readonly value: '' };

/** Envoy HeaderMatcher. Pseudo-headers are `:method`, `:authority`, `:scheme`, `:path`. */
export interface HeaderMatch {
  readonly name: string;
  readonly invert: boolean;
  readonly treatMissingAsEmpty: boolean;
  readonly value:
    | { readonly kind: 'string'; readonly match: StringMatch }
    | { readonly kind: 'present'; readonly present: boolean }
    /** Half open: start ≤ value < end, decimal integers. */
    | { readonly kind: 'range'; readonly start: number; readonly end: number };
}

/** Envoy QueryParameterMatcher: the first value of a name counts. */
export interface QueryParameterMatch {
  readonly name: string;
  readonly value:
    | { readonly kind: 'string'; readonly match: StringMatch }
    | { readonly kind: 'present'; readonly present: boolean };
}

/** Envoy CookieMatcher: the first cookie of the name. */
export interface CookieMatch {
  readonly name: string;
  readonly match: StringMatch;
  readonly invert: boolean;
}

/** Envoy type.matcher.v3.ValueMatcher. */
export type ValueMatch =
  | { readonly kind: 'null' }
  | { readonly kind: 'number'; readonly exact: number }
  /** Half open. */
  | { readonly kind: 'range'; readonly start: number; readonly end: number }
  | { readonly kind: 'string'; readonly match: StringMatch }
  | { readonly kind: 'boolean'; readonly value: boolean }
  | { readonly kind: 'present'; readonly present: boolean }
  /** One element of a list fits. */
  | { readonly kind: 'one-of'; readonly element: ValueMatch }
  | { readonly kind: 'or'; readonly options: readonly ValueMatch[] };

/** Envoy type.matcher.v3.MetadataMatcher on the request's dynamic metadata. */
export interface MetadataMatch {
  readonly namespace: string;
  readonly path: readonly string[];
  readonly value: ValueMatch;
  readonly invert: boolean;
}

/** Envoy RuntimeFractionalPercent: matches when draw % denominator < numerator. */
export interface Fraction {
  readonly numerator: number;
  readonly denominator: 100 | 10_000 | 1_000_000;
  readonly runtimeKey?: string;
}

export interface RouteMatch {
  readonly path: PathMatch;
  readonly headers: readonly HeaderMatch[];
  readonly queryParameters: readonly QueryParameterMatch[];
  readonly fraction?: Fraction;
  /** Envoy RouteMatch.grpc: content-type application/grpc or application/grpc+…. */
  readonly grpc: boolean;
  readonly cookies?: readonly CookieMatch[];
  readonly metadata?: readonly MetadataMatch[];
  /** Why nothing here can match: it asks for what a client does not have (filter state, a certificate of its caller). */
  readonly never?: string;
}
