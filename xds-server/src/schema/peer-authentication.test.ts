import { describe, expect, it } from 'vitest';
import { parseText } from './parse.ts';
import { formatProblem } from './problem.ts';

const parse = (spec: string, apiVersion = 'security.istio.io/v1') => {
  const text = `apiVersion: ${apiVersion}\nkind: PeerAuthentication\nmetadata: { name: p, namespace: shop }\nspec: ${spec}\n`;
  const { objects, problems } = parseText(text, 'p.yaml');
  return { object: objects[0], problems: problems.map(formatProblem) };
};

describe('PeerAuthentication', () => {
  it.each(['security.istio.io/v1', 'security.istio.io/v1beta1'])('of %s is read', (apiVersion) => {
    const spec =
      '{ selector: { matchLabels: { app: a } }, mtls: { mode: STRICT }, portLevelMtls: { 8080: { mode: DISABLE } } }';
    const { object, problems } = parse(spec, apiVersion);
    expect(problems).toEqual([]);
    expect(object).toMatchObject({
      key: 'PeerAuthentication/shop/p',
      spec: {
        selector: { matchLabels: new Map([['app', 'a']]) },
        mtls: { mode: 'STRICT' },
        portLevelMtls: new Map([['8080', { mode: 'DISABLE' }]]),
      },
    });
  });

  it('a mode that is not written is UNSET, and a spec need not say anything', () => {
    expect(parse('{ mtls: {} }').object).toMatchObject({ spec: { mtls: { mode: 'UNSET' } } });
    expect(parse('{}').problems).toEqual([]);
  });

  it.each([
    [
      '{ mtls: { mode: strict } }',
      'spec.mtls.mode: got "strict" (string), want one of UNSET, DISABLE, PERMISSIVE, STRICT',
    ],
    ['{ mtls: STRICT }', 'spec.mtls: got "STRICT" (string), want a mapping'],
    ['{ mtl: { mode: STRICT } }', 'spec.mtl: unknown field, did you mean mtls?'],
    [
      '{ selector: { matchLabels: { app: a } }, portLevelMtls: { http: { mode: STRICT } } }',
      'spec.portLevelMtls.http: not a port, want the number 1–65535 that the workload listens on',
    ],
    [
      '{ selector: { matchLabels: { app: a } }, portLevelMtls: { 0: { mode: STRICT } } }',
      'spec.portLevelMtls["0"]: not a port, want the number 1–65535 that the workload listens on',
    ],
  ])('%s is an error at its line', (spec, message) => {
    const { object, problems } = parse(spec);
    expect(object).toBeUndefined();
    expect(problems).toEqual([`p.yaml:4: PeerAuthentication shop/p: ${message}`]);
  });

  it('ports without a selector are a warning, and the rest holds: a namespace that asks for STRICT is not left open', () => {
    const { object, problems } = parse('{ mtls: { mode: STRICT }, portLevelMtls: { 8080: { mode: DISABLE } } }');
    expect(object).toBeDefined();
    expect(problems).toEqual([
      'p.yaml:4: PeerAuthentication shop/p: spec.portLevelMtls: no effect without a selector: ports belong to workloads, want selector.matchLabels',
    ]);
  });
});
