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
        end(code: number, message: string) {
          later(() => {
            ended = true;
            on.close({ code, message });
            service.closed(session);
          });
        },
      };
      const session = service.open(method, link, undefined);
      later(() => on.opened?.());
      return {
        send(bytes) {
          if (!ended) setImmediate(() => service.receive(session, bytes));
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
