import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { splitDocuments } from './documents.ts';
import { splitItems } from './list-items.ts';
import { parseText } from './parse.ts';
import { allSteps } from './steps.ts';
import { readYamlSafely } from './yaml-document.ts';

const split = (text: string) => {
  const [document] = allSteps(splitDocuments(text));
  return document && allSteps(splitItems(document));
};

const valuesOf = (text: string) => split(text)?.map((item) => readYamlSafely(item.text).value);

const service = (name: string, more = '') =>
  `apiVersion: v1\nkind: Service\nmetadata: { name: ${name} }\nspec: { ports: [{ port: 80 }]${more} }\n`;
const inList = (...objects: readonly string[]) =>
  `apiVersion: v1\nkind: List\nitems:\n${objects.map((object) => `- ${object.trimEnd().replaceAll('\n', '\n  ')}\n`).join('')}`;

describe('items of a List are cut out', () => {
  it('as YAML says it, whatever the items hold', () => {
    const leaf = fc.oneof(
      fc.string({ unit: 'binary-ascii' }).filter((text) => !text.includes('&') && !text.includes('\r')),
      fc.constantFrom(
        '- a\n- b\n',
        'items:\n- x',
        '# no comment',
        'a: |\n  - b',
        '*a',
        '---x',
        '  deep\n- shallow\n\n',
      ),
      fc.integer(),
      fc.boolean(),
      fc.constant(null),
    );
    const { tree } = fc.letrec((tie) => ({
      tree: fc.oneof(
        { depthSize: 'small' },
        leaf,
        fc.array(tie('tree'), { maxLength: 3 }),
        fc.dictionary(fc.stringMatching(/^[a-z]{1,5}$/), tie('tree'), { maxKeys: 3, noNullPrototype: true }),
      ),
    }));
    const layout = fc.record({ indentSeq: fc.boolean(), lineWidth: fc.constantFrom(0, 20, 80) });
    fc.assert(
      fc.property(fc.array(tree, { minLength: 1, maxLength: 4 }), layout, fc.boolean(), (items, options, isJson) => {
        const list = { apiVersion: 'v1', items, kind: 'ServiceList', metadata: { resourceVersion: '' } };
        const text = isJson ? JSON.stringify(list, null, options.lineWidth / 10) : stringify(list, options);
        const whole = readYamlSafely(text);
        expect(whole.errors).toEqual([]);
        // A marker inside a quoted string is no content in YAML: such a text is never cut the same way.
        if (allSteps(splitDocuments(text)).length !== 1) return;
        const cut = valuesOf(text);
        const wanted = whole.value instanceof Map ? whole.value.get('items') : undefined;
        expect(cut ?? wanted).toEqual(wanted);
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['dashes at the margin or deeper', 'kind: List\nitems:\n  - a: 1\n\n  # of b\n  - b: 2\n'],
    ['fields after the items', 'items:\n- a: 1\n- b: 2\nkind: List\nmetadata:\n  resourceVersion: ""\n'],
    ['comments and blank lines', 'kind: List\nitems: # two\n\n# first\n- a: 1\n\n# second\n- b: 2\n'],
    ['carriage returns', 'kind: List\r\nitems:\r\n- a: 1\r\n- b: 2\r\n'],
    ['a dash on its own line', 'kind: List\nitems:\n-\n  a: 1\n-\n  b: 2\n'],
    ['JSON', '{"items": [\n{"a": 1},\n{"b": 2}\n], "kind": "ServiceList"}'],
    ['JSON on one line', '{"kind":"List","metadata":{"items":[1]},"items":[{"a":1},{"b":2}]}'],
  ])('%s', (_, text) => {
    expect(valuesOf(text)).toEqual([new Map([['a', 1]]), new Map([['b', 2]])]);
  });

  it.each([
    ['an anchor, which another item may name', 'kind: List\nitems:\n- a: &x 1\n- b: *x\n'],
    ['an object that is no List', 'kind: ConfigMap\nitems:\n- a: 1\n'],
    ['items written twice', 'kind: List\nitems:\n- a: 1\nitems:\n- b: 1\n'],
    ['YAML that is no JSON', "{kind: List, items: [{a: 'x'}]}"],
    ['no kind', 'items:\n- a: 1\n'],
  ])('not: %s', (_, text) => {
    expect(split(text)).toBeUndefined();
  });

  it('a wrong item does not touch the others, and its line is the line of the file', () => {
    const text = `# dump\n${inList(service('a'), service('b', ', typo: 1'), service('c'), 'a: [unclosed')}`;
    const { objects, problems, broken } = parseText(text, 'f.yaml');
    const linesOf = ({ name, origin }: (typeof objects)[number]) => [
      name,
      origin.line('metadata'),
      origin.line('spec.ports[0].port'),
    ];
    expect(objects.map(linesOf)).toEqual([
      ['a', 7, 8],
      ['c', 15, 16],
    ]);
    expect(broken).toEqual(['Service/default/b']);
    expect(problems.map(({ line, severity }) => [line, severity])).toEqual([
      [12, 'error'],
      [18, 'error'],
    ]);
  });

  it('an item that is nothing is an error, as it was in one piece', () => {
    const { problems } = parseText('apiVersion: v1\nkind: List\nitems:\n- ~\n', 'f.yaml');
    expect(problems).toMatchObject([{ line: 4, message: expect.stringContaining('got null') }]);
  });

  it('a document beyond the limit is an error that says how long it is and may be', () => {
    const text = `${service('a')}---\n${service('b').replace('spec:', `# ${'x'.repeat(300_000)}\nspec:`)}`;
    const { objects, problems } = parseText(text, 'f.yaml');
    expect(objects.map(({ name }) => name)).toEqual(['a']);
    expect(problems).toMatchObject([
      { severity: 'error', line: 5, message: expect.stringMatching(/300\d\d\d characters, at most 262144 are read/) },
    ]);
  });

  it('only what changed in a List is read again', () => {
    const memo = new Map();
    const first = parseText(inList(service('a'), service('b')), 'f.yaml', memo);
    const kept = [...memo.values()];
    parseText(inList(service('z'), service('a'), service('b', ', type: ClusterIP')), 'f.yaml', memo);
    expect(first.objects).toHaveLength(2);
    expect([...memo.values()].filter((content) => kept.includes(content))).toHaveLength(1);
  });
});
