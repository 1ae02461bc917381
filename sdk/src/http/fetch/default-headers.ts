import type { Dialled } from '../dialled.ts';
import { indexOfHeader } from '../request-headers.ts';

/** What fetch adds to every request, in its order (WHATWG fetch "HTTP-network-or-cache fetch"; undici's values). */
export function addDefaultHeaders(headers: string[], scheme: Dialled['scheme']): void {
  if (headers.length === 0) {
    headers.push(...(scheme === 'https' ? SECURE : PLAIN));
    return;
  }
  const hasRange = indexOfHeader(headers, 'range') >= 0;
  const defaults = scheme === 'https' ? SECURE : PLAIN;
  const own = headers.length;
  for (let index = 0; index < defaults.length; index += 2) {
    const name = defaults[index] ?? '';
    // A range is of the bytes as they are: no coding may be applied to it.
    const value = hasRange && name === 'accept-encoding' ? 'identity' : (defaults[index + 1] ?? '');
    if (!isAmong(headers, own, name)) headers.push(name, value);
  }
}

function isAmong(headers: readonly string[], own: number, name: string): boolean {
  for (let index = 0; index < own; index += 2) if (headers[index] === name) return true;
  return false;
}

const defaultsWith = (acceptEncoding: string): readonly string[] => [
  ...['accept', '*/*'],
  ...['accept-language', '*'],
  ...['sec-fetch-mode', 'cors'],
  ...['user-agent', 'node'],
  ...['accept-encoding', acceptEncoding],
];

const PLAIN = defaultsWith('gzip, deflate');
const SECURE = defaultsWith('br, gzip, deflate');
