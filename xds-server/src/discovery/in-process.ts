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
      const session = service.open(
        method,
        {
          send(bytes) {
            later(() => on.message(bytes));
            return true;
          },
          end(code, message) {
            later(() => {
              ended = true;
              on.close({ code, message });
            });
          },
        },
        undefined,
      );
      later(() => on.opened?.());
      return {
        send(bytes) {
          if (!ended) setImmediate(() => session.receive(bytes));
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
