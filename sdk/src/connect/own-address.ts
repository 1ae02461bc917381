import { networkInterfaces } from 'node:os';

/** What a sidecar would see as the source of a connection: the process's own first address that is not a loopback one. */
export function ownAddress(): string {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const outside = all.filter(({ internal }) => !internal);
  return (outside.find(({ family }) => family === 'IPv4') ?? outside[0])?.address ?? '127.0.0.1';
}
