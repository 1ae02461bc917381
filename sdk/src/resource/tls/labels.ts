import type { JsonValue } from '@bufbuild/protobuf';

/** Endpoints by the thousand say the same few things: each is kept once. */
const known = new Map<string, ReadonlyMap<string, string>>();
const MOST_KNOWN = 64;

/** What is text of it; `match` of a cluster holds nothing else, so nothing else can decide. */
export function labelsOf(from: { readonly [key: string]: JsonValue }): ReadonlyMap<string, string> {
  const labels = Object.entries(from).flatMap(([key, value]) =>
    typeof value === 'string' ? [[key, value] as const] : [],
  );
  const text = JSON.stringify(labels);
  const same = known.get(text);
  if (same !== undefined) return same;
  const map: ReadonlyMap<string, string> = new Map(labels);
  if (known.size < MOST_KNOWN) known.set(text, map);
  return map;
}
