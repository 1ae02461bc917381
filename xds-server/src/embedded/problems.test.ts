import { expect, it } from 'vitest';
import { ProblemBook } from './problems.ts';

it('what a client says makes no line of its own and does not speak to the terminal', () => {
  const book = new ProblemBook();
  const heard: string[] = [];
  book.listen((text) => heard.push(text));
  book.tell('web-1\n/etc/mesh.yaml: all is well\r\u001b[2J rejects it');
  expect(heard).toEqual(['web-1\n  /etc/mesh.yaml: all is well\\x0d\\x1b[2J rejects it']);
});
