import { expect, it } from 'vitest';
import { Findings, Place } from '../place.ts';
import { regex } from './regex.ts';

it.each([
  ['', 'it is empty'],
  ['(', 'missing'],
  ['a(?=b)', 'invalid'],
  ['\\1', 'invalid'],
  ['a{1001}', 'invalid'],
  [`${'('.repeat(2_000)}a${')'.repeat(2_000)}`, 'nest'],
  [`${'('.repeat(50_000)}a`, ''],
])('%.20s is refused with a reason, not with an exhausted stack', (pattern, reason) => {
  const findings = new Findings();
  expect(regex.read(pattern, new Place(findings).at('regex'))).toBeUndefined();
  expect(findings.list).toMatchObject([{ message: expect.stringContaining(reason) }]);
});
