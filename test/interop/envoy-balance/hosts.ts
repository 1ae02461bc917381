/** Hosts are told apart by a number; all of them are one server, which listens on every loopback address. */

/** Nobody was chosen: 503, no healthy upstream. */
export const NOBODY = -1;

const PREFIX = '127.66.';

export const addressOf = (id: number): string => `${PREFIX}${id >>> 7}.${1 + (id & 127)}`;

export function idOf(address: string): number {
  const [high = '', low = ''] = address.slice(PREFIX.length).split('.');
  return Number(high) * 128 + Number(low) - 1;
}
