/** ASCII-only case rules, as absl's EqualsIgnoreCase and friends: `K` (Kelvin sign) is not `k`. */

/** The lower-case code of an ASCII letter; any other code as it is. */
export const lowerCode = (code: number): number => (code >= 65 && code <= 90 ? code + 32 : code);

export function hasUpperCase(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code >= 65 && code <= 90) return true;
  }
  return false;
}

/** Lower-cases A to Z; returns `text` itself when there is nothing to do. */
export function asciiLower(text: string): string {
  return hasUpperCase(text) ? text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) : text;
}

/** Whether `text` has `lower` (already lower case) at `at`, ignoring ASCII case. */
export function matchesAt(text: string, lower: string, at: number): boolean {
  if (at < 0 || at + lower.length > text.length) return false;
  for (let i = 0; i < lower.length; i++) {
    if (lowerCode(text.charCodeAt(at + i)) !== lower.charCodeAt(i)) return false;
  }
  return true;
}
