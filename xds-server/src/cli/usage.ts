/** The command was called wrongly: exit code 2 and the usage text. */
export class UsageError extends Error {}

export interface Command {
  readonly summary: string;
  readonly usage: string;
  /** Resolves to the exit code. */
  run(args: readonly string[]): Promise<number>;
}

/** The value of a flag that must be there. */
export function required(value: string | undefined, flag: string): string {
  if (value === undefined || value === '') throw new UsageError(`${flag} is missing`);
  return value;
}

export function portOf(value: string | undefined, flag: string): number {
  const port = Number(required(value, flag));
  if (!Number.isInteger(port) || port < 1 || port > 65_535)
    throw new UsageError(`${flag}: got "${value}", want a port 1–65535`);
  return port;
}

/** What can be listened on. */
export function addressOf(value: string, flag: string): string {
  if (/^(unix:.+|[^:]+:\d+|\[[^\]]+\]:\d+)$/.test(value)) return value;
  throw new UsageError(`${flag}: got "${value}", want host:port, [v6]:port or unix:PATH`);
}

/** `k=v` words, as --label takes them. */
export function labelsOf(words: readonly string[], flag = '--label'): ReadonlyMap<string, string> {
  const labels = new Map<string, string>();
  for (const word of words) {
    const at = word.indexOf('=');
    if (at < 1) throw new UsageError(`${flag}: got "${word}", want KEY=VALUE`);
    labels.set(word.slice(0, at), word.slice(at + 1));
  }
  return labels;
}

export const plural = (count: number, word: string): string => `${count} ${word}${count === 1 ? '' : 's'}`;
