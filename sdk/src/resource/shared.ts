/**
 * What many resources say in the same words is kept once: the name of a cluster comes with its routes, its cluster and its
 * endpoints, and a thousand clusters have the same limits. Both stores are small and lossy: a value that is not found costs
 * a copy, and nothing else.
 */

const SLOTS = 1024;
const names: string[] = new Array(SLOTS).fill('');

/** The same text; the same string too, if it was among the last ones. */
export function sharedName(name: string): string {
  let hash = name.length;
  for (let index = 0; index < name.length; index++) hash = (Math.imul(hash, 31) + name.charCodeAt(index)) | 0;
  const slot = (hash ^ (hash >>> 10)) & (SLOTS - 1);
  if (names[slot] === name) return names[slot];
  names[slot] = name;
  return name;
}

const MOST_VALUES = 256;
const values = new Map<string, unknown>();

/** A plain value of the same content: the same object, if it is among the first ones seen. */
export function sharedValue<T>(value: T): T {
  const key = JSON.stringify(value);
  // The same text means the same fields in the same order, so the value found is a T.
  const known = values.get(key) as T | undefined;
  if (known !== undefined) return known;
  if (values.size < MOST_VALUES) values.set(key, value);
  return value;
}
