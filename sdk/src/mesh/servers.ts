import type { AdsListener, AdsMethod, AdsStream, AdsTransport } from '../discovery/transport.ts';

/** Several control planes as one: a stream that never opened makes the next one begin at the next server, in order. */
export function preferInOrder(transports: readonly AdsTransport[]): AdsTransport {
  const [first, ...others] = transports;
  if (first === undefined) throw new RangeError('no transport is given');
  if (others.length === 0) return first;
  let next = 0;
  return {
    server: transports.map(({ server }) => server).join(','),
    open(method: AdsMethod, on: AdsListener): AdsStream {
      const transport = transports[next % transports.length] ?? first;
      let hasOpened = false;
      return transport.open(method, {
        opened() {
          hasOpened = true;
          on.opened?.();
        },
        message(bytes) {
          hasOpened = true;
          on.message(bytes);
        },
        close(status) {
          // A server that once answered is asked first again: it holds our state.
          if (!hasOpened) next++;
          on.close(status);
        },
      });
    },
  };
}
