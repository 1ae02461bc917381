/** Envoy UriTemplateMatchConfig and UriTemplateRewriteConfig (extensions.path.{match,rewrite}.uri_template.v3). */

/** What a literal may hold: pchar of RFC 3986 without `*`. */
const LITERAL = "a-zA-Z0-9\\-._~%!$&'()+,;:@=";
const LITERAL_ONLY = /^[a-zA-Z0-9\-._~%!$&'()+,;:@=]+$/;
const MOST_VARIABLES = 5;
const LONGEST_NAME = 16;

export interface Template {
  /** RE2, for the whole path. */
  readonly pattern: string;
  /** Names in the order of their groups. */
  readonly variables: readonly string[];
}

interface Parse {
  rest: string;
  readonly variables: string[];
  textGlob: boolean;
}

/** The expression a template stands for, or what is wrong with it. */
export function parseTemplate(template: string): Template | string {
  if (!/^\/[!-~]*$/.test(template)) return `not a path of printable characters: ${template}`;
  const parse: Parse = { rest: template.slice(1), variables: [], textGlob: false };
  const segments: string[] = [];
  let suffix = '';
  while (parse.rest !== '') {
    const segment = parseSegment(parse);
    if (typeof segment !== 'object') return segment;
    segments.push(segment.pattern);
    if (parse.rest === '/') {
      segments.push('');
      break;
    }
    if (parse.rest.startsWith('/')) {
      parse.rest = parse.rest.slice(1);
    } else if (parse.rest !== '') {
      if (!LITERAL_ONLY.test(parse.rest)) return `not a plain ending: ${parse.rest}`;
      suffix = escapeLiteral(parse.rest);
      break;
    }
  }
  return { pattern: `/${segments.join('/')}${suffix}`, variables: parse.variables };
}

type Segment = { readonly pattern: string } | string;

function parseSegment(parse: Parse): Segment {
  if (parse.rest.startsWith('*')) return parseGlob(parse);
  return parse.rest.startsWith('{') ? parseVariable(parse) : parseLiteral(parse);
}

function parseGlob(parse: Parse): Segment {
  if (parse.textGlob) return 'a glob after **';
  parse.textGlob = parse.rest.startsWith('**');
  parse.rest = parse.rest.slice(parse.textGlob ? 2 : 1);
  return { pattern: parse.textGlob ? `[${LITERAL}/]*` : `[${LITERAL}]+` };
}

function parseLiteral(parse: Parse): Segment {
  const [literal = ''] = parse.rest.split('/', 1);
  if (!LITERAL_ONLY.test(literal)) return `not a literal: ${literal}`;
  parse.rest = parse.rest.slice(literal.length);
  return { pattern: escapeLiteral(literal) };
}

const escapeLiteral = (literal: string): string => literal.replace(/[$()+.]/g, '\\$&');

/** `{name}` or `{name=pattern}`. */
function parseVariable(parse: Parse): Segment {
  const close = parse.rest.indexOf('}');
  if (close < 0) return `no closing brace: ${parse.rest}`;
  const inner = parse.rest.slice(1, close);
  parse.rest = parse.rest.slice(close + 1);
  const equals = inner.indexOf('=');
  const name = equals < 0 ? inner : inner.slice(0, equals);
  const problem = nameProblem(name, parse.variables);
  if (problem !== undefined) return problem;
  parse.variables.push(name);
  const body = parseVariableBody(parse, equals < 0 ? '*' : inner.slice(equals + 1));
  return typeof body === 'string' ? body : { pattern: `(${body.pattern})` };
}

function nameProblem(name: string, known: readonly string[]): string | undefined {
  if (!/^[a-zA-Z][a-zA-Z0-9_]*$/.test(name) || name.length > LONGEST_NAME) return `not a variable name: ${name}`;
  if (known.includes(name)) return `variable ${name} twice`;
  return known.length >= MOST_VARIABLES ? `more than ${MOST_VARIABLES} variables` : undefined;
}

function parseVariableBody(parse: Parse, body: string): Segment {
  const patterns: string[] = [];
  const inner: Parse = { rest: body, variables: parse.variables, textGlob: parse.textGlob };
  do {
    const part = inner.rest.startsWith('*') ? parseGlob(inner) : parseLiteral(inner);
    if (typeof part === 'string') return part;
    patterns.push(part.pattern);
    if (inner.rest !== '' && !/^\/./.test(inner.rest)) return `not a variable pattern: ${body}`;
    inner.rest = inner.rest.slice(1);
  } while (inner.rest !== '');
  parse.textGlob = inner.textGlob;
  return { pattern: patterns.join('/') };
}

/**
 * A template rewrite (`/v2/{user}/{id}`) as an RE2 substitution over the match template's expression, or what is wrong
 * with it.
 */
export function parseTemplateRewrite(rewrite: string, match: Template): { readonly substitution: string } | string {
  if (!rewrite.startsWith('/') || rewrite.includes('//')) return `not a path: ${rewrite}`;
  let substitution = '';
  for (const part of rewrite.split(/(\{[^{}]*\})/)) {
    const name = part.startsWith('{') ? part.slice(1, -1) : undefined;
    if (name === undefined && part !== '' && !/^[a-zA-Z0-9\-._~%!$&'()+,;:@=/]+$/.test(part))
      return `not a literal: ${part}`;
    if (name !== undefined && !match.variables.includes(name)) return `no variable ${name} in the match`;
    substitution += name === undefined ? part : `\\${match.variables.indexOf(name) + 1}`;
  }
  return { substitution };
}
