import fc from 'fast-check';
import { it } from 'vitest';
import { CLUSTER_TYPE, ENDPOINT_TYPE } from '../translate/resource-types.ts';
import { NODE, scripted } from './session.fixture.ts';

const NAMES = ['a', 'b', 'c', 'd'];

type Step =
  | { readonly kind: 'change'; readonly name: string; readonly text: string | undefined }
  | { readonly kind: 'want'; readonly names: readonly string[] }
  | { readonly kind: 'slow'; readonly slow: boolean };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant('change' as const),
    name: fc.constantFrom(...NAMES),
    text: fc.option(fc.constantFrom('1', '2', '3'), { nil: undefined }),
  }),
  fc.record({ kind: fc.constant('want' as const), names: fc.subarray(NAMES) }),
  fc.record({ kind: fc.constant('slow' as const), slow: fc.boolean() }),
);

/** A client that believes what it hears; `held` is what it has of the names it wants. */
function client(method: 'delta' | 'sotw', typeUrl: string) {
  const stream = scripted(method);
  const held = new Map<string, string>();
  let wanted: readonly string[] = [];
  let nonce = '';
  let version = '';
  const answer = (): void => {
    if (method === 'delta') stream.delta({ typeUrl, responseNonce: nonce });
    else stream.sotw({ typeUrl, resourceNames: [...wanted], responseNonce: nonce, versionInfo: version });
  };
  const hear = (): void => {
    for (const response of stream.take()) {
      ({ nonce, version } = response);
      const texts = new Map(response.resources.map((one) => one.split('=') as [string, string]));
      if (method === 'sotw' && typeUrl === CLUSTER_TYPE) held.clear();
      for (const [name, text] of texts) if (wanted.includes(name)) held.set(name, text);
      for (const name of response.removed) held.delete(name);
      answer();
    }
  };
  const want = (names: readonly string[]): void => {
    const [subscribe, unsubscribe] = [
      names.filter((name) => !wanted.includes(name)),
      wanted.filter((name) => !names.includes(name)),
    ];
    for (const name of unsubscribe) held.delete(name);
    wanted = names;
    if (method === 'delta') {
      stream.delta({ node: NODE, typeUrl, resourceNamesSubscribe: subscribe, resourceNamesUnsubscribe: unsubscribe });
    } else stream.sotw({ node: NODE, typeUrl, resourceNames: [...names], responseNonce: nonce, versionInfo: version });
  };
  return { stream, held, hear, want, wanted: () => wanted };
}

it.each([
  ['delta', CLUSTER_TYPE],
  ['delta', ENDPOINT_TYPE],
  ['sotw', CLUSTER_TYPE],
] as const)(
  'whatever is asked and whatever changes, the client ends up holding exactly what exists (%s %s)',
  (method, typeUrl) => {
    fc.assert(
      fc.property(fc.array(fc.tuple(step, fc.boolean()), { maxLength: 40 }), (steps) => {
        const { stream, held, hear, want, wanted } = client(method, typeUrl);
        want(['a']);
        for (const [one, listens] of steps) {
          // SotW resources have no name on the wire: the text carries it.
          if (one.kind === 'change') {
            const text = one.text === undefined || method === 'delta' ? one.text : `${one.name}=${one.text}`;
            stream.change({ [`${typeUrl}/${one.name}`]: text });
          } else if (one.kind === 'want') want(one.names);
          else stream.slow(one.slow);
          if (listens) hear();
        }
        stream.slow(false);
        hear();
        hear();
        const expected = wanted().flatMap((name) => {
          const text = stream.world.get(`${typeUrl}/${name}`);
          return text === undefined ? [] : [[name, text.slice(text.indexOf('=') + 1)]];
        });
        const got = [...held].sort();
        if (JSON.stringify(got) !== JSON.stringify(expected.sort())) {
          throw new Error(`the client holds ${JSON.stringify(got)}, there is ${JSON.stringify(expected)}`);
        }
        if (!stream.session.isSettled) throw new Error('everything was answered, but the session does not say so');
      }),
      { numRuns: 300 },
    );
  },
);
