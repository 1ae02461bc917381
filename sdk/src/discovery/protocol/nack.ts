/** A NACK is read by people: the first errors tell it all, and 10,000 bad routes must not make a message of megabytes. */
const LONGEST = 4_096;

/** One error a line, each naming its resource. */
export function nackText(errors: readonly string[]): string {
  let text = '';
  for (const [index, error] of errors.entries()) {
    if (text.length + error.length > LONGEST)
      return `${text}${error.slice(0, 256)}…\nand ${errors.length - index - 1} more`;
    text += `${error}\n`;
  }
  return text.trimEnd();
}
