/**
 * Canonical text of a typed value: maps and fields sorted, so that two spellings of one object are one text. Absent and
 * undefined are the same; `{}` and absent are not (Istio tells them apart).
 */
export const canonical = (value: unknown): string => {
  if (value instanceof Map) return `M${sorted([...value].map(([key, item]) => [String(key), item]))}`;
  if (Array.isArray(value)) return `[${value.map(canonical).join()}]`;
  if (value instanceof Uint8Array) return `B[${value.join()}]`;
  if (typeof value === 'object' && value !== null) return sorted(Object.entries(value));
  return JSON.stringify(value) ?? 'null';
};

const sorted = (entries: readonly (readonly [string, unknown])[]): string =>
  `{${entries
    .filter(([, item]) => item !== undefined)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, item]) => `${JSON.stringify(key)}:${canonical(item)}`)
    .join()}}`;

/** 64 bits of `canonical`, in hex. Not cryptographic: it recognises an unchanged object, nothing more. */
export const contentHash = (value: unknown): string => {
  const text = canonical(value);
  let a = 0xdeadbeef;
  let b = 0x41c6ce57;
  for (let i = 0; i < text.length; i += 1) {
    const unit = text.charCodeAt(i);
    a = Math.imul(a ^ unit, 2654435761);
    b = Math.imul(b ^ unit, 1597334677);
  }
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909);
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909);
  return hex(b) + hex(a);
};

const hex = (half: number): string => (half >>> 0).toString(16).padStart(8, '0');
