import { isIP } from 'node:net';

/** 127.0.0.0/8, ::1 and localhost: where an admin port may listen, and the only Host a request may name (DNS rebinding). */
export function isLoopback(host: string): boolean {
  const bare = host.replace(/^\[|\]$/g, '').toLowerCase();
  if (bare === 'localhost' || bare === '::1') return true;
  return isIP(bare) === 4 && bare.startsWith('127.');
}

/** `host:port`, `[v6]:port` or `host` → the host. */
export const hostOf = (authority: string): string => authority.replace(/:\d+$/, '');
