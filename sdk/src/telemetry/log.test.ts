import { expect, it } from 'vitest';
import { createLog } from './log.ts';

it('an event is one line, whatever peers have put into it', () => {
  const lines: string[] = [];
  createLog((line) => lines.push(line))({ kind: 'warning', message: 'a\nGET http://a/ 200\r\u001b[2J\u009b1A' });
  expect(lines).toEqual(['inmesh a\\x0aGET http://a/ 200\\x0d\\x1b[2J\\x9b1A\n']);
});
