import { describe, expect, it } from 'vitest';
import { LiveScreen } from './screen.ts';

const screen = (shape: { isTTY?: boolean; columns?: number }) => {
  const written: string[] = [];
  return { written, live: new LiveScreen({ ...shape, write: (text) => written.push(text) }) };
};

describe('LiveScreen', () => {
  it('redraws the table in place on a terminal', () => {
    const { written, live } = screen({ isTTY: true });
    live.draw(['a', 'b']);
    live.draw(['c', 'd', 'e']);
    expect(written).toEqual(['a\nb\n', '\u001b[2A\u001b[Jc\nd\ne\n']);
  });

  it('keeps what happens meanwhile above the table, once', () => {
    const { written, live } = screen({ isTTY: true });
    live.draw(['a']);
    live.note('reviews.yaml changed');
    live.draw(['b']);
    live.draw(['c']);
    expect(written.slice(1)).toEqual(['\u001b[1A\u001b[Jreviews.yaml changed\n\nb\n', '\u001b[1A\u001b[Jc\n']);
  });

  it('cuts rows at the edge of a terminal, so that none takes two lines', () => {
    const { written, live } = screen({ isTTY: true, columns: 3 });
    live.draw(['abcdef']);
    expect(written).toEqual(['abc\n']);
  });

  it('writes whole tables one after the other, without control codes, where there is no terminal', () => {
    const { written, live } = screen({ columns: 3 });
    live.draw(['abcdef']);
    live.draw(['g']);
    expect(written).toEqual(['abcdef\n\n', 'g\n\n']);
  });
});
