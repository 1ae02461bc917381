/**
 * Loopback and link-local literals are nobody's service: they are never asked for, so no control plane can redirect a call
 * to the machine itself or to a cloud's metadata address.
 */
export function isNeverAsked(target: string): boolean {
  return /^(?:127(?:\.\d{1,3}){3}|169\.254(?:\.\d{1,3}){2}|\[(?:::1|fe[89ab][0-9a-f]:[^\]]*)\]):\d+$/.test(target);
}
