import { networkInterfaces } from 'node:os';
import { currentInbound } from '../propagation/store.ts';

/** The address calls are hashed by (`use_source_ip`): this process's own, or the inbound client's where that is wished for. */
export function createSourceIp(of: 'own' | 'inbound'): () => string | undefined {
  let own: string | undefined;
  return () => {
    const inbound = of === 'inbound' ? currentInbound()?.sourceIp : undefined;
    if (inbound !== undefined) return inbound;
    own ??= ownAddress();
    return own;
  };
}

/** The first that others could reach. */
function ownAddress(): string | undefined {
  const all = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const others = all.filter(({ internal }) => !internal);
  return (others.find(({ family }) => family === 'IPv4') ?? others[0] ?? all[0])?.address;
}
