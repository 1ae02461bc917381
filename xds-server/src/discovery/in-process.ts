import type { AdsListener, AdsStream, AdsTransport } from '@inmesh/sdk/internal/discovery/transport';
import type { AdsService } from './ads-service.ts';

/**
 * ADS without a socket: the SDK of the same process talks to the service through function calls, with the same bytes as on the
 * wire. Each direction takes its own turn of the event loop, so neither side is ever called from inside its own call.
 */
export function createInProcessTransport(service: AdsService): AdsTransport {
  return {
    server: 'in-process',
    open(method, on: AdsListener): AdsStream {
      let ended = false;
      /** Requests that wait while the service reads this stream more slowly. */
      let unread: Uint8Array[] | undefined;
      const later = (run: () => void): void => {
        setImmediate(() => {
          if (!ended) run();
        });
      };
      const link = {
        send(bytes: Buffer) {
          later(() => on.message(bytes));
          return true;
        },
        pause() {
          unread ??= [];
        },
        resume() {
          const waiting = unread ?? [];
          unread = undefined;
          for (const bytes of waiting) receive(bytes);
        },
        end(code: number, message: string) {
          later(() => {
            ended = true;
            on.close({ code, message });
            service.closed(session);
          });
        },
      };
      const session = service.open(method, link, undefined);
      const receive = (bytes: Uint8Array): void => {
        if (unread === undefined) service.receive(session, bytes);
        else unread.push(bytes);
      };
      later(() => on.opened?.());
      return {
        send(bytes) {
          if (!ended) setImmediate(() => receive(bytes));
        },
        close() {
          if (ended) return;
          ended = true;
          setImmediate(() => service.closed(session));
        },
        ref() {},
        unref() {},
      };
    },
  };
}
