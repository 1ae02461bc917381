/** What somebody's callback threw is the process's, not the connection's: whoever comes after it is told all the same. */
export function throwLater(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
