import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { NodeMatcherSchema, NodeSchema } from '@inmesh/sdk/internal/gen/core';
import { expect, it } from 'vitest';
import { compileNodeMatchers } from './node-match.ts';

type Matcher = MessageInitShape<typeof NodeMatcherSchema>;

const WEB = create(NodeSchema, { id: 'web-1', metadata: { NAMESPACE: 'shop', LABELS: { app: 'web' }, tags: ['a'] } });

function fits(...matchers: Matcher[]): boolean | string {
  const test = compileNodeMatchers(matchers.map((matcher) => create(NodeMatcherSchema, matcher)));
  return typeof test === 'function' ? test(WEB) : test.error;
}

const id = (exact: string) => ({ nodeId: { matchPattern: { case: 'exact' as const, value: exact } } });
const metadata = (path: string[], exact: string) => ({
  nodeMetadatas: [
    {
      path: path.map((key) => ({ segment: { case: 'key' as const, value: key } })),
      value: {
        matchPattern: {
          case: 'stringMatch' as const,
          value: { matchPattern: { case: 'exact' as const, value: exact } },
        },
      },
    },
  ],
});

it('takes every node where there is no matcher, and one of several is enough (Envoy ClientStatusRequest.node_matchers)', () => {
  expect(fits()).toBe(true);
  expect(fits(id('api-1'), id('web-1'))).toBe(true);
  expect(fits(id('api-1'))).toBe(false);
});

it('wants id and every metadata matcher of one matcher to fit (Envoy NodeMatcher)', () => {
  expect(fits({ ...id('web-1'), ...metadata(['LABELS', 'app'], 'web') })).toBe(true);
  expect(fits({ ...id('web-1'), ...metadata(['LABELS', 'app'], 'api') })).toBe(false);
  expect(fits(metadata(['LABELS', 'nothing'], 'web'))).toBe(false);
});

it('says what is wrong with a matcher that cannot be read', () => {
  expect(fits({ nodeId: { matchPattern: { case: 'safeRegex', value: { regex: '(' } } } })).toMatch(
    /^node_matchers\[0\]\.node_id\.safe_regex/,
  );
});
