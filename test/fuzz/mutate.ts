import type { Random } from '../../sdk/src/clock.ts';

/** Ways to spoil what was well-formed. All of them draw from one seeded source, so a run repeats itself. */

type Tree = string | number | boolean | null | Tree[] | { [key: string]: Tree };

export const below = (random: Random, limit: number): number => random() % Math.max(1, limit);
export const oneOf = <T>(random: Random, list: readonly T[]): T => list[below(random, list.length)] as T;

const TEXTS: readonly string[] = [
  '',
  ' ',
  '*',
  '**',
  '*x*',
  '..',
  '/',
  '%',
  '%zz',
  '%REQ(',
  '%REQ(:path)%',
  '\u0000',
  '\r\nx: y',
  'é',
  '\ud800',
  '__proto__',
  'constructor',
  '(',
  '(a+)+$',
  '(.*)*x',
  'a(?=b)',
  '\\1',
  '[',
  'a{1,1000}',
  '(?:a{0,99}){0,99}',
  'a|b',
  '(a*)*(b*)*(a*)*$',
  '(?:(?:(?:a{99}){99}){99}){99}',
  'a{1001}',
  '(?<=a)b',
  '(?P<n>a)(?P=n)',
  '[[:nobody:]]',
  '\\p{Nobody}',
  '(?i)(?-i',
  `${'('.repeat(2_000)}a${')'.repeat(2_000)}`,
  '(a|b|c|d|e|f|g)?'.repeat(200),
  'reviews',
  'ratings.default.svc.cluster.local',
  '*.default.svc.cluster.local',
  'default/reviews',
  '~/*',
  './*',
  '\u202Ereviews',
  'revi\u200Bews',
  'rеviews',
  'e\u0301',
  '\u2028',
  '\u0085',
  '\u{1F600}'.repeat(100),
  'x'.repeat(70_000),
  '.'.repeat(300),
  'outbound|80||nowhere',
  'NaN',
  '1e400',
  '-1s',
  '0s',
  '315576000000s',
  '9999999999999s',
  '1.0000000001s',
  'TRUE',
  '0x10',
  '256.1.1.1',
  'fe80::1%eth0',
];
const NUMBERS: readonly number[] = [
  0, -1, 1, 2, 99, 100, 101, 65_535, 65_536, 2_147_483_647, 2_147_483_648, 4_294_967_295, 4_294_967_296, 8_388_608,
  8_388_609, 9_007_199_254_740_991, 0.5, -0.1, 1e308,
];
/** Own properties of these names, as JSON.parse makes them. */
const PROTOTYPES = JSON.parse('{"__proto__":{"a":1},"constructor":{"prototype":{"a":1}},"toString":"x"}') as Tree;
const deep = (levels: number): Tree => {
  let tree: Tree = 'bottom';
  for (let level = 0; level < levels; level++) tree = level % 2 === 0 ? [tree] : { a: tree };
  return tree;
};
const wide = Object.fromEntries(Array.from({ length: 2_000 }, (_, at) => [`key-${at}`, `value-${at}`]));
const ODD: readonly Tree[] = [
  null,
  true,
  false,
  [],
  {},
  [[]],
  { a: {} },
  7,
  'text',
  PROTOTYPES,
  deep(60),
  deep(400),
  wide,
  Object.keys(wide),
  // References in circles and to nothing.
  { delegate: { name: 'reviews', namespace: 'default' } },
  { delegate: { name: 'nobody' } },
  { host: 'reviews', subset: 'nobody' },
  { destination: { host: 'nobody.example.com', port: { number: 1 } } },
];

interface Place {
  readonly parent: Tree[] | { [key: string]: Tree };
  readonly key: string | number;
}

function* places(tree: Tree): Generator<Place> {
  if (Array.isArray(tree)) {
    for (const [key, child] of tree.entries()) {
      yield { parent: tree, key };
      yield* places(child);
    }
  } else if (typeof tree === 'object' && tree !== null) {
    for (const [key, child] of Object.entries(tree)) {
      yield { parent: tree, key };
      yield* places(child);
    }
  }
}

const valueAt = ({ parent, key }: Place): Tree | undefined => (parent as { [key: string]: Tree })[key];
const put = ({ parent, key }: Place, value: Tree): void => {
  (parent as { [key: string]: Tree })[key] = value;
};

function hostileLike(value: Tree | undefined, random: Random): Tree {
  if (below(random, 4) === 0) return structuredClone(oneOf(random, ODD));
  if (typeof value === 'number') return oneOf(random, NUMBERS);
  if (typeof value === 'boolean') return !value;
  if (typeof value === 'string' && /^\d+$/.test(value)) return String(oneOf(random, NUMBERS));
  return oneOf(random, TEXTS);
}

/** Changes one to three places of a JSON-like tree; the tree given stays as it is. */
export function mutateTree<T>(seed: T, random: Random): T {
  const tree = structuredClone(seed) as Tree;
  for (let left = 1 + below(random, 3); left > 0; left--) mutatePlace(oneOf(random, [...places(tree)]), random);
  return tree as T;
}

function mutatePlace(place: Place, random: Random): void {
  const value = valueAt(place);
  switch (below(random, 6)) {
    case 0:
      if (Array.isArray(place.parent)) place.parent.splice(Number(place.key), 1);
      else delete place.parent[place.key];
      return;
    case 1:
      if (Array.isArray(value) && value.length > 0) {
        // Not without measure: parsers take time in proportion, and whole messages have caps of their own.
        const copies = JSON.stringify(value).length > 2_000 ? 2 : oneOf(random, [1, 2, 50, 200]);
        for (let at = 0; at < copies; at++) value.push(structuredClone(oneOf(random, value)));
      } else put(place, hostileLike(value, random));
      return;
    case 2:
      if (Array.isArray(value)) value.reverse();
      else if (!Array.isArray(place.parent))
        place.parent[`${place.key}${oneOf(random, ['x', '_', '\u0000'])}`] = value ?? null;
      return;
    default:
      put(place, hostileLike(value, random));
  }
}

const BOMBS: readonly (readonly number[])[] = [
  [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
  [0xff, 0xff, 0xff, 0xff, 0x0f],
  [0x80, 0x80, 0x80, 0x80],
  [0x0a, 0xff, 0xff, 0xff, 0xff, 0x07],
  [0x0b],
  [0x0c],
  [0x07],
  [0xfa, 0xff, 0xff, 0xff, 0x0f, 0x01, 0x00],
];

/** Changes one to four places of encoded bytes. */
export function mutateBytes(seed: Uint8Array, random: Random): Uint8Array {
  let bytes = Buffer.from(seed);
  for (let left = 1 + below(random, 4); left > 0; left--) bytes = mutateOnce(bytes, random);
  return bytes;
}

function mutateOnce(bytes: Buffer<ArrayBuffer>, random: Random): Buffer<ArrayBuffer> {
  const at = below(random, bytes.length);
  switch (below(random, 9)) {
    case 6:
      // A field nobody knows, of any wire type, the reserved ones too.
      return Buffer.concat([
        bytes,
        Uint8Array.from([...varint(below(random, 20_000) * 8 + below(random, 8)), below(random, 9)]),
        bytes.subarray(at, at + 8),
      ]);
    case 7:
      // The field that begins here, if one does, gets another wire type.
      bytes[at] = ((bytes[at] ?? 0) & 0xf8) | below(random, 8);
      return bytes;
    case 8:
      // The whole message once more: single fields are merged, lists grow.
      return Buffer.concat([bytes, bytes.subarray(0, oneOf(random, [at, bytes.length]))]);
    case 0:
      bytes[at] = (bytes[at] ?? 0) ^ (1 << below(random, 8));
      return bytes;
    case 1:
      return bytes.subarray(0, at);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), Buffer.from(oneOf(random, BOMBS)), bytes.subarray(at)]);
    case 3: {
      const piece = bytes.subarray(at, at + below(random, 64));
      return Buffer.concat([bytes, ...Array.from({ length: 1 + below(random, 200) }, () => piece)]);
    }
    case 4:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1 + below(random, 16))]);
    default:
      bytes[at] = random() & 0xff;
      return bytes;
  }
}

/** A message inside a message, `depth` times: what a decoder that recurses dies of. */
export function nestedBytes(field: number, depth: number): Uint8Array {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for (let level = 0; level < depth; level++) {
    const head = [...varint((field << 3) | 2), ...varint(length)];
    pieces.push(Uint8Array.from(head));
    length += head.length;
  }
  return Buffer.concat(pieces.reverse());
}

function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 0x80);
  return [...bytes, rest];
}

const SNIPPETS: readonly string[] = [
  '\t',
  '- ',
  '---\n',
  '...\n',
  '&a [*a, *a]',
  '*nobody',
  '!!js/function x',
  '<<: *a',
  '<<: [*a, *a, { b: 1 }]',
  '<<: { kind: Pod }\n',
  'a: &a [x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c,*c,*c,*c,*c,*c,*c]\n',
  '&loop { a: *loop }',
  '!!binary aGFsbG8=',
  '!!set { a, b }',
  '!!omap [ a: 1 ]',
  '!<tag:nobody> x',
  '? [a, b]\n: c\n',
  '? { a: b } : c\n',
  'constructor: { prototype: {} }\n',
  'toString: 1\n',
  '\r',
  '\r\n',
  '\u2028',
  '\u0085',
  '\u202E',
  '"\\ud800"',
  '"\\0"',
  '['.repeat(5_000),
  '{ a: '.repeat(2_000),
  '- '.repeat(1_000),
  '{',
  '}',
  '[',
  '"',
  "'",
  ': ',
  '? ',
  '|\n',
  '\u0000',
  '\uFEFF',
  '__proto__: { a: 1 }',
  'kind: List\nitems: []\n',
  '%YAML 1.3\n',
  '#',
  '\n\n  ',
  '1e999',
  '.inf',
  '.nan',
  '0o777',
  '2024-01-01',
  '~',
  'x'.repeat(10_000),
];

/** Changes one to three places of a text. */
export function mutateText(seed: string, random: Random): string {
  let text = seed;
  for (let left = 1 + below(random, 3); left > 0; left--) {
    const at = below(random, text.length);
    const lines = text.split('\n');
    const line = below(random, lines.length);
    switch (below(random, 12)) {
      case 5:
        text = text.replaceAll('\n', oneOf(random, ['\r\n', '\r', '\n\n', '\u0085']));
        break;
      case 6:
        text = `\uFEFF${text}`;
        break;
      case 7:
        text = text.replace(/^( +)/gm, (spaces) => '\t'.repeat(spaces.length));
        break;
      case 8:
        text = `apiVersion: v1\nkind: List\nitems:\n${`- ${text.trimEnd().replaceAll('\n', '\n  ')}\n`.repeat(below(random, 4))}`;
        break;
      case 0:
        text = text.slice(0, at) + oneOf(random, SNIPPETS) + text.slice(at);
        break;
      case 1:
        text = text.slice(0, at) + text.slice(at + 1 + below(random, 20));
        break;
      case 2:
        text = lines.toSpliced(line, 1, ' '.repeat(below(random, 5)) + (lines[line] ?? '').trimStart()).join('\n');
        break;
      case 3:
        text = lines.toSpliced(line, 0, ...lines.slice(line, line + 3)).join('\n');
        break;
      default:
        text = text.slice(0, at) + String.fromCharCode(below(random, 0x180)) + text.slice(at + 1);
    }
  }
  return text;
}
