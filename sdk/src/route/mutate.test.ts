import { describe, expect, it } from 'vitest';
import type { HeaderSet } from '../model/headers.ts';
import { applyMutations, type MutationContext } from './mutate.ts';
import { request, setHeader } from './route.fixture.ts';

const context: MutationContext = { request: request({ path: '/p?q', headers: ['x-id', '7'] }), startTimeMs: 0 };
const apply = (headers: string[], set: HeaderSet[], remove: string[] = []) =>
  applyMutations([{ set, remove }], headers, context);

describe('applyMutations (Envoy HeaderValueOption.append_action)', () => {
  it.each<[rule: string, before: string[], set: HeaderSet[], after: string[]]>([
    ['appends beside an old value', ['a', '1'], [setHeader('a', '2')], ['a', '1', 'a', '2']],
    ['grows a header that is kept once by a comma', ['accept', '1'], [setHeader('accept', '2')], ['accept', '1,2']],
    ['grows an empty one without a comma', ['accept', ''], [setHeader('accept', '2')], ['accept', '2']],
    [
      'grows by nothing without a comma',
      ['accept', '1'],
      [setHeader('accept', '', 'append-or-add', true)],
      ['accept', '1'],
    ],
    ['adds where there is none', [], [setHeader('a', '2')], ['a', '2']],
    ['add-if-absent keeps an old value', ['a', '1'], [setHeader('a', '2', 'add-if-absent')], ['a', '1']],
    ['add-if-absent adds', [], [setHeader('a', '2', 'add-if-absent')], ['a', '2']],
    [
      'overwrite-or-add replaces every old value',
      ['a', '1', 'b', '0', 'a', '3'],
      [setHeader('a', '2', 'overwrite-or-add')],
      ['b', '0', 'a', '2'],
    ],
    ['overwrite-or-add adds', [], [setHeader('a', '2', 'overwrite-or-add')], ['a', '2']],
    ['overwrite-if-present replaces', ['a', '1'], [setHeader('a', '2', 'overwrite-if-present')], ['a', '2']],
    ['overwrite-if-present does not add', [], [setHeader('a', '2', 'overwrite-if-present')], []],
    ['an empty value is left out', ['a', '1'], [setHeader('a', '', 'overwrite-or-add')], ['a', '1']],
    ['an empty value is kept where asked for', ['a', '1'], [setHeader('a', '', 'overwrite-or-add', true)], ['a', '']],
    [
      'overwrites come before additions, whatever their order',
      [],
      [setHeader('a', '1'), setHeader('a', '2', 'overwrite-or-add')],
      ['a', '2', 'a', '1'],
    ],
    [
      'every value is made before any is set',
      ['x-id', '7'],
      [setHeader('x-id', '8', 'overwrite-or-add'), setHeader('b', '%REQ(x-id)%')],
      ['x-id', '8', 'b', '7'],
    ],
  ])('%s', (_, before, set, after) => {
    expect(apply(before, set)).toEqual(after);
  });

  it('removes before it sets (Envoy HeaderParser::evaluateHeaders)', () => {
    expect(apply(['a', '1', 'b', '2'], [setHeader('a', '3', 'add-if-absent')], ['a'])).toEqual(['b', '2', 'a', '3']);
  });

  it('lets a later level win', () => {
    const level = (value: string) => ({ set: [setHeader('a', value, 'overwrite-or-add')], remove: [] });
    expect(applyMutations([level('1'), level('2')], [], context)).toEqual(['a', '2']);
  });

  it('returns the same list when there is nothing to do, and never changes the one it got', () => {
    const headers = ['a', '1'];
    expect(applyMutations([], headers, context)).toBe(headers);
    expect(apply(headers, [])).toBe(headers);
    apply(headers, [setHeader('b', '1')], ['a']);
    expect(headers).toEqual(['a', '1']);
  });
});

describe('formats', () => {
  const formatted = (value: string, more: Partial<MutationContext> = {}) =>
    applyMutations(
      [{ set: [setHeader('out', value, 'append-or-add', true)], remove: [] }],
      ['x-id', '7', 'x-long', 'abcdef', 'x-twice', '1', 'x-twice', '2'],
      { ...context, ...more },
    ).at(-1);

  it.each([
    ['plain', 'plain'],
    ['100%%', '100%'],
    ['%PROTOCOL%', 'HTTP/1.1'],
    ['%REQ(X-ID)%', '7'],
    ['<%REQ(x-long):3%>', '<abc>'],
    ['%REQ(x-twice)%', '1'],
    ['%REQ(x-none?x-id)%', '7'],
    ['[%REQ(x-none)%]', '[]'],
    ['[%REQ(x-none?x-nil)%]', '[]'],
    [
      '%REQ(:METHOD)% %REQ(:authority)%%REQ(:path)% %REQ(:scheme)% %REQ(host)%',
      'GET reviews:9080/p?q http reviews:9080',
    ],
    ['%START_TIME%', '1970-01-01T00:00:00.000Z'],
    ['%START_TIME(%s)%', '0'],
    ['%START_TIME(%Y-%m-%dT%H:%M:%S.%3f%z)%', '1970-01-01T00:00:00.000+0000'],
    ['%START_TIME(%F %T %f %Z %q)%', '1970-01-01 00:00:00 000000000 UTC %q'],
    ['%QUERY_PARAMS%', 'q'],
    ['%RESPONSE_CODE%|%UPSTREAM_PROTOCOL%|%UPSTREAM_REQUEST_ATTEMPT_COUNT%', '0||0'],
    ['%LOCAL_REPLY_BODY%|', '|'],
    ['%HOSTNAME%%ENVIRONMENT(HOME)%', '%HOSTNAME%%ENVIRONMENT(HOME)%'],
    ['%UPSTREAM_HOST%', '%UPSTREAM_HOST%'],
    ['%RESP(x-id)%', '[]'],
    ['50% of %x', '50% of %x'],
    ['%REQ%', '%REQ%'],
    ['%RESP%', '%RESP%'],
    ['%PROTOCOL(x)%', '%PROTOCOL(x)%'],
  ])('%s becomes %s', (value, expected) => {
    expect(formatted(value)).toBe(expected === '[]' && value.startsWith('%RESP') ? '' : expected);
  });

  it('knows no start time where none is given', () => {
    expect(applyMutations([{ set: [setHeader('a', '%START_TIME%')], remove: [] }], [], { request: request() })).toEqual(
      ['a', '%START_TIME%'],
    );
  });

  it('reads response headers as they are when a response is changed, and the request as it was', () => {
    const set = [setHeader('a', '%RESP(server)% %REQ(x-id)%')];
    const responseContext = { ...context, responseHeaders: [] };
    expect(applyMutations([{ set, remove: [] }], ['server', 's'], responseContext)).toEqual([
      'server',
      's',
      'a',
      's 7',
    ]);
  });

  it('keeps no more formats than it needs', () => {
    for (let i = 0; i < 1_100; i++) expect(formatted(`${i}%%`)).toBe(`${i}%`);
  });
});
