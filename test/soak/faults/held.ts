import { Breaker } from '@inmesh/sdk/internal/upstream/breaker';

const KINDS = ['Connection', 'Pending', 'Request', 'Retry'] as const;
type Held = Record<(typeof KINDS)[number], number>;

/** What the limits of all clusters have lent and not got back, those of clusters that are gone included. */
export const held: Held = { Connection: 0, Pending: 0, Request: 0, Retry: 0 };

for (const kind of KINDS) {
  const { [`take${kind}` as const]: take, [`give${kind}` as const]: give } = Breaker.prototype;
  Object.assign(Breaker.prototype, {
    [`take${kind}`](this: Breaker, isFirst: boolean) {
      const isTaken = take.call(this, isFirst);
      if (isTaken) held[kind]++;
      return isTaken;
    },
    [`give${kind}`](this: Breaker) {
      held[kind]--;
      give.call(this);
    },
  });
}
