/** For words that clients have a say in: no line of theirs begins where ours do, and none speaks to the terminal. */
export const printable = (text: string): string => text.replace(/\p{Cc}/gu, shown);

const shown = (character: string): string =>
  character === '\n' ? '\n  ' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`;
