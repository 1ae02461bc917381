import fc from 'fast-check';

type Json = Readonly<Record<string, unknown>>;

const maybe = <T extends object>(weight: number, part: fc.Arbitrary<T>): fc.Arbitrary<T | object> =>
  fc.oneof({ weight: 10 - weight, arbitrary: fc.constant({}) }, { weight, arbitrary: part });

const merged = (...parts: fc.Arbitrary<object>[]): fc.Arbitrary<Json> =>
  fc.tuple(...parts).map((list) => Object.assign({}, ...list) as Json);

const text = fc.constantFrom('a', 'ab', 'abc', 'A', 'aB', '1', '12', '-3', '1,2', 'a b', 'é', 'x=1');
const regex = fc.constantFrom(
  ...['a.*', '(?i)AB?', '.*', '[^,]+', 'a|b|1', '\\d+', '.+,.+', '(a|b)*c', '\\S*', '(a+)+', '.', '..', '.*b.*'],
  ...['[[:alpha:]]+', '-?\\d{1,3}', 'é', '^(.*?;)?(a=b)(;.*)?$'],
);

const stringMatch = fc.oneof(
  fc
    .tuple(fc.constantFrom('exact', 'prefix', 'suffix', 'contains'), text, fc.boolean())
    .map(([kind, value, ignore]) => ({
      [kind]: value,
      ignore_case: ignore,
    })),
  regex.map((pattern) => ({ safe_regex: { regex: pattern } })),
);

const present = fc.boolean().map((value) => ({ present_match: value }));
const string = stringMatch.map((value) => ({ string_match: value }));
const range = fc
  .tuple(fc.integer({ min: -10, max: 20 }), fc.integer({ min: -10, max: 200 }))
  .map(([start, end]) => ({ range_match: { start: String(start), end: String(end) } }));

/** As they were written before string_match. */
const older = fc.oneof(
  fc
    .tuple(fc.constantFrom('exact_match', 'prefix_match', 'suffix_match', 'contains_match'), text)
    .map(([kind, value]) => ({ [kind]: value })),
  regex.map((pattern) => ({ safe_regex_match: { regex: pattern } })),
);

const headers = fc.array(
  merged(
    fc.record({
      name: fc.constantFrom('x-a', 'x-b', 'X-C', ':method', ':authority', ':path', ':scheme', 'accept', 'content-type'),
      invert_match: fc.boolean(),
      treat_missing_header_as_empty: fc.boolean(),
    }),
    fc.oneof(string, present, range, older, fc.constant({})),
  ),
  { minLength: 1, maxLength: 2 },
);

const queryParameters = fc.array(
  merged(fc.record({ name: fc.constantFrom('v', 'w', 'V') }), fc.oneof(string, present)),
  { minLength: 1, maxLength: 1 },
);

const cookies = fc.array(merged(fc.record({ name: fc.constantFrom('u', 't'), invert_match: fc.boolean() }), string), {
  minLength: 1,
  maxLength: 2,
});

const double = fc.oneof(
  fc.constantFrom(1, 2.5).map((exact) => ({ exact })),
  fc.constant({ range: { start: 1, end: 3 } }),
);
const scalar = fc.oneof(
  string,
  present,
  fc.boolean().map((value) => ({ bool_match: value })),
  double.map((value) => ({ double_match: value })),
  fc.constant({ null_match: {} }),
);
const metadata = fc.array(
  fc.record({
    filter: fc.constantFrom('test', 'none'),
    path: fc.constantFrom([{ key: 'k' }], [{ key: 'k' }, { key: 'sub' }]),
    value: fc.oneof(
      scalar,
      scalar.map((one_of) => ({ list_match: { one_of } })),
      fc.array(scalar, { minLength: 2, maxLength: 2 }).map((value_matchers) => ({ or_match: { value_matchers } })),
    ),
    invert: fc.boolean(),
  }),
  { minLength: 1, maxLength: 1 },
);

/** Nothing that chance decides: none or all, by the fraction's own value or by a key that is set. */
const fraction = merged(
  fc.record({
    default_value: fc.constantFrom(
      { numerator: 100 },
      { numerator: 0 },
      { numerator: 0, denominator: 'MILLION' },
      { numerator: 10_000, denominator: 'TEN_THOUSAND' },
      { numerator: 1_000_000, denominator: 'MILLION' },
    ),
  }),
  maybe(7, fc.record({ runtime_key: fc.constantFrom('on', 'off', 'over', 'half', 'not-set') })),
);

const segment = fc.constantFrom('a', 'ab', 'A', 'b', '', 'a.b', 'x=1', '%20', 'a;c');
export const paths = fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => `/${segments.join('/')}`);

const EXTENSION = 'type.googleapis.com/envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig';

const path = fc.oneof(
  merged(
    fc.oneof(
      paths.map((value) => ({ path: value })),
      paths.map((prefix) => ({ prefix })),
      fc.constantFrom('/', '/a', '').map((prefix) => ({ prefix })),
      paths.filter((value) => !value.endsWith('/')).map((value) => ({ path_separated_prefix: value })),
    ),
    fc.record({ case_sensitive: fc.boolean() }),
  ),
  fc
    .constantFrom('/a.*', '.*b', '/(a|b)/.*', '/[^/]+', '.*', '/\\w+(/\\w*)?', '(?i)/AB/.*', '/a/?')
    .map((pattern) => ({ safe_regex: { regex: pattern } })),
  fc
    .constantFrom('/*', '/**', '/{x}', '/{x=**}', '/a/{y=*}/b', '/**.b', '/*/b', '/a/', '/{x}/{y}', '/a/{z=b/**}')
    .map((path_template) => ({
      path_match_policy: { name: 'template', typed_config: { '@type': EXTENSION, path_template } },
    })),
);

/** Envoy RouteMatch; most ask for little beside the path, so that most tables have something for most requests. */
export const matches: fc.Arbitrary<Json> = merged(
  path,
  maybe(3, fc.record({ headers })),
  maybe(1, fc.record({ query_parameters: queryParameters })),
  maybe(1, fc.record({ cookies })),
  maybe(1, fc.record({ dynamic_metadata: metadata })),
  maybe(2, fc.record({ runtime_fraction: fraction })),
  maybe(1, fc.constant({ grpc: {} })),
  maybe(1, fc.record({ tls_context: fc.record({ presented: fc.boolean() }) })),
);
