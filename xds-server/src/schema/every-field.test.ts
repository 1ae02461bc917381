import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { KINDS } from './kinds.ts';
import { MESH_CONFIG_MAP } from './object.ts';
import { parseText } from './parse.ts';
import type { AnyField } from './type.ts';
import type { Problem } from './types.ts';

/** Wraps a value as the levels above it are written. */
type Frame = (value: unknown) => unknown;

interface Level {
  readonly kind: string;
  readonly path: string;
  readonly fields: ReadonlyMap<string, AnyField>;
  readonly frame: Frame;
}

const [MESH_NAMESPACE, MESH_NAME] = MESH_CONFIG_MAP.split('/');

const problemsOf = (object: unknown): { readonly problems: readonly Problem[]; readonly text: string } => {
  const text = stringify(object, { aliasDuplicateObjects: false });
  return { problems: parseText(text, 'every.yaml').problems.filter(({ severity }) => severity === 'error'), text };
};

const knows = (object: unknown): boolean =>
  problemsOf(object).problems.some(
    ({ message, fieldPath }) => /^unknown field/.test(message) && fieldPath?.endsWith('nonsense'),
  );

/** A field of the table as it is written: in a list, below a name, or by itself; undefined where anything goes (a Pod). */
const levelBelow = (above: Level, name: string, field: AnyField): Level | undefined => {
  const { fields, wants } = field.type;
  if (fields === undefined || wants === 'YAML text') return undefined;
  const path = `${above.path}.${name}`;
  const ways: readonly (readonly [string, Frame])[] = wants.startsWith('a list')
    ? [
        ['[0]', (value) => [value]],
        ['[0].k', (value) => [{ k: value }]],
      ]
    : [
        ['', (value) => value],
        ['.k', (value) => ({ k: value })],
      ];
  for (const [suffix, way] of ways) {
    const frame: Frame = (value) => above.frame({ [name]: way(value) });
    // Below a name, an unknown field of the mapping itself would be a name.
    if (knows(frame({ nonsense: 1 }))) return { kind: above.kind, path: path + suffix, fields, frame };
  }
  return undefined;
};

function* levels(level: Level, depth = 0): Generator<Level> {
  yield level;
  // Policies repeat themselves below subsets and ports: no level is new down there.
  if (depth > 6) return;
  for (const [name, field] of level.fields) {
    const below = levelBelow(level, name, field);
    if (below !== undefined) yield* levels(below, depth + 1);
  }
}

const kindLevels = Object.entries(KINDS).map(([kind, { apiVersions, spec, layout }]): Level => {
  const metadata = kind === 'ConfigMap' ? { name: MESH_NAME, namespace: MESH_NAMESPACE } : { name: 'a' };
  // Any other Secret is some application's.
  const head = { apiVersion: apiVersions[0], kind, metadata, ...(kind === 'Secret' && { type: 'kubernetes.io/tls' }) };
  return {
    kind,
    path: layout === 'spec' ? 'spec' : '',
    fields: spec.fields ?? new Map(),
    frame: (value) => (layout === 'spec' ? { ...head, spec: value } : { ...head, ...Object(value) }),
  };
});

const lastLineOf = (text: string, name: string): number =>
  text.split('\n').findLastIndex((line) => new RegExp(`^[ -]*${name}:`).test(line)) + 1;

/** What no type takes: a mapping, or a number where a mapping is wanted. */
const wrongFor = ({ type }: AnyField): unknown => (/^a mapping/.test(type.wants) ? 7 : { wrong: 'type' });

describe.each(kindLevels.map((level) => [level.kind, level] as const))('%s', (kind, top) => {
  const all = [...levels(top)];
  const strict = all.filter(({ frame }) => knows(frame({ nonsense: 1 })));

  it('an unknown field is one error at its line, on every level', () => {
    for (const { path, frame } of strict) {
      const { problems, text } = problemsOf(frame({ nonsense: 1 }));
      const found = problems.filter(({ fieldPath }) => fieldPath === `${path}.nonsense`.replace(/^\./, ''));
      expect(found, path).toMatchObject([
        {
          file: 'every.yaml',
          line: lastLineOf(text, 'nonsense'),
          object: expect.stringMatching(new RegExp(`^${kind} `)),
          message: expect.stringMatching(/^unknown field, (want one of|did you mean)/),
        },
      ]);
    }
  });

  it('a value of the wrong type is one error at its line that says what was given and what is allowed, in every field', () => {
    for (const { path, fields, frame } of all) {
      for (const [name, field] of fields) {
        if (field.type.wants === 'anything') continue;
        const { problems, text } = problemsOf(frame({ [name]: wrongFor(field) }));
        const at = `${path}.${name}`.replace(/^\./, '');
        const found = problems.filter(({ fieldPath }) => fieldPath?.startsWith(at) && fieldPath !== `${path}.k`);
        expect(found, at).toMatchObject([
          {
            file: 'every.yaml',
            object: expect.stringMatching(new RegExp(`^${kind} `)),
            message: expect.stringMatching(/want/),
          },
        ]);
        expect(found[0]?.line, at).toBeGreaterThanOrEqual(lastLineOf(text, name));
      }
    }
  });
});

it('the levels of the kinds people write are all walked', () => {
  const walked = kindLevels.flatMap((top) => [...levels(top)].map(({ kind, path }) => `${kind} ${path}`));
  for (const path of [
    'VirtualService spec.http[0].match[0].headers.k',
    'VirtualService spec.http[0].route[0].destination.port',
    'VirtualService spec.tls[0].match[0]',
    'DestinationRule spec.subsets[0].trafficPolicy.portLevelSettings[0].outlierDetection',
    'ServiceEntry spec.endpoints[0]',
    'Sidecar spec.egress[0].port',
    'Service spec.ports[0]',
  ]) {
    expect(walked).toContain(path);
  }
});
