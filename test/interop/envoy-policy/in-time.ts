/** What is done in time; undefined where it is not: it is left to itself. */
export async function inTime<T>(done: Promise<T>, ms: number): Promise<{ readonly value: T } | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return Promise.race([done.then((value) => ({ value })), late]).finally(() => clearTimeout(timer));
}
