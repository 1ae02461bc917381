import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canonical } from './content-hash.ts';
import { splitDocuments } from './documents.ts';
import { formatDuration, parseDuration } from './duration.ts';
import { fieldLedger } from './ledger.ts';
import { parseText } from './parse.ts';
import { formatPath, parsePath } from './place.ts';
import { allSteps } from './steps.ts';
import { nearest } from './suggest.ts';
import { isCidr, isHost, isIP, isWildcardHost, wrongLabelName } from './syntax.ts';
import { readYamlSafely } from './yaml-document.ts';

describe('parseDuration (Go time.ParseDuration)', () => {
  it.each([
    ['1s', 1_000],
    ['500ms', 500],
    ['1h30m', 5_400_000],
    ['1.5s', 1_500],
    ['.5s', 500],
    ['2000000ns', 2],
    ['1000us', 1],
    ['0', 0],
  ])('%s is %d ms', (text, ms) => expect(parseDuration(text)).toBe(ms));

  it.each(['', 's', '1', '1 s', '-1s', '1d', '1s1', '1.2.3s', '1e3s', '99999999999999h'])('refuses %j', (text) => {
    expect(parseDuration(text)).toMatch(/^a duration/);
  });

  it('refuses what is finer than a millisecond (Istio ValidateDuration)', () => {
    expect(parseDuration('1us')).toBe('whole milliseconds');
  });

  it('reads back what it writes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10 ** 9 }), (ms) => {
        expect(parseDuration(formatDuration(ms))).toBe(ms);
      }),
    );
  });
});

describe('paths', () => {
  it('read back as written, odd keys included', () => {
    const segment = fc.oneof(fc.nat(99), fc.string(), fc.constantFrom('spec', 'end-user', '0', '__proto__'));
    fc.assert(
      fc.property(fc.array(segment, { maxLength: 6 }), (path) => {
        expect(parsePath(formatPath(path))).toEqual(path);
      }),
    );
  });
});

describe('splitDocuments', () => {
  it('loses no line and never splits inside a block scalar', () => {
    const text = '# c\n--- # first\na: |\n  ---\n  x\n...\n%YAML 1.2\n---\nb: 1\n---\r\nc: 1\n--- d\n';
    expect(allSteps(splitDocuments(text)).map(({ text: piece, line }) => [line, piece])).toEqual([
      [2, ' # first\na: |\n  ---\n  x\n'],
      [8, '\nb: 1\n'],
      [10, '\r\nc: 1\n'],
      [12, ' d\n'],
    ]);
  });
});

describe('nearest', () => {
  it.each([
    ['prefx', 'prefix'],
    ['Prefix', 'prefix'],
    ['pefrix', 'prefix'],
    ['sufix', undefined],
    ['p', undefined],
    ['x'.repeat(100), undefined],
  ])('%s: %s', (given, meant) => expect(nearest(given, ['exact', 'prefix', 'regex'])).toBe(meant));
});

describe('names', () => {
  it.each(['a', 'a.b', 'A_b.c-d', 'a.', '10.0.0.1'])('%s is a host', (text) => expect(isHost(text)).toBe(true));
  it.each(['', '.', 'a..b', '-a', 'a b', 'a/b', 'ü', `${'a'.repeat(64)}.b`])('%j is none', (text) =>
    expect(isHost(text)).toBe(false),
  );
  it.each(['*', '*.a', '*-a.b', '*x', 'a'])('%s is a wildcard host', (text) => expect(isWildcardHost(text)).toBe(true));
  it.each(['*.', '**', 'a.*', '*.*.a', ''])('%j is none', (text) => expect(isWildcardHost(text)).toBe(false));
  it.each(['::', '::1', '1::', 'fe80::1:2', '1:2:3:4:5:6:7:8', '::ffff:1.2.3.4', '0.0.0.0', '255.255.255.255'])(
    '%s is an IP address',
    (text) => expect(isIP(text)).toBe(true),
  );
  it.each([
    '',
    '1.2.3',
    '256.1.1.1',
    '01.2.3.4',
    ':',
    '1::2::3',
    '1:2:3:4:5:6:7',
    '1:2:3:4:5:6:7:8:9',
    '12345::',
    '::1.2.3',
  ])('%j is none', (text) => expect(isIP(text)).toBe(false));
  it('takes CIDR prefixes within their family', () => {
    expect(['10.0.0.0/8', '::/0', 'fd00::/128'].map(isCidr)).toEqual([true, true, true]);
    expect(['10.0.0.0', '10.0.0.0/33', '::/129', '1.2.3.4/8/8', '1.2.3.4/'].some(isCidr)).toBe(false);
  });
  it('takes label names with an optional DNS prefix', () => {
    expect(['app', 'kubernetes.io/name', 'A.b_c'].map(wrongLabelName)).toEqual([undefined, undefined, undefined]);
    expect(['', 'a/b/c', '-a', 'A/b', 'a b'].every((name) => wrongLabelName(name) !== undefined)).toBe(true);
  });
});

describe('canonical', () => {
  it('tells absent from empty and nothing else', () => {
    expect(
      canonical({
        b: undefined,
        a: new Map([
          ['y', 1],
          ['x', 2],
        ]),
      }),
    ).toBe(
      canonical({
        a: new Map([
          ['x', 2],
          ['y', 1],
        ]),
      }),
    );
    const different = [
      {},
      { a: {} },
      { a: [] },
      { a: new Map() },
      { a: '' },
      { a: Uint8Array.of() },
      { a: null },
      { a: 0 },
    ];
    expect(new Set(different.map(canonical)).size).toBe(different.length);
  });
});

describe('fieldLedger', () => {
  it('has one row a field, of every kind, and what is below a field that is not enforced is not either', () => {
    const rows = fieldLedger();
    expect(new Set(rows.map(({ kind, path }) => `${kind} ${path}`)).size).toBe(rows.length);
    const state = (kind: string, path: string) =>
      rows.find((row) => row.kind === kind && row.path === path)?.state.kind;
    expect(state('VirtualService', 'spec.http.route.weight')).toBe('supported');
    expect(state('DestinationRule', 'spec.trafficPolicy.tunnel.targetHost')).toBe('later');
    expect(state('WorkloadGroup', 'spec.probe')).toBe('ignored');
    expect(state('EndpointSlice', 'endpoints.conditions.ready')).toBe('supported');
  });
});

describe('a mapping of tens of thousands of keys', () => {
  it('costs what its length costs: no key is compared with every other, only the first unknown ones are explained', () => {
    const keys = Array.from({ length: 20_000 }, (_, index) => `  k${index}: 1`).join('\n');
    const { value } = readYamlSafely(`a:\n${keys}\n`);
    expect(value instanceof Map && value.get('a')).toHaveProperty('size', 20_000);
    const head = 'apiVersion: networking.istio.io/v1\nkind: Sidecar\nmetadata: { name: a }\nspec:\n';
    expect(parseText(`${head}${keys}\n`, 'a.yaml').problems).toHaveLength(100);
    const repeated = parseText(`${head}${keys}\n  k7: 2\n`, 'a.yaml').problems;
    expect(repeated).toMatchObject([{ line: 20_005, message: 'YAML: the key k7 is written twice in one mapping' }]);
  });
});
