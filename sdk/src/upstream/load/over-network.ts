import type { SecureTransports } from '../../connection/secure-transports.ts';
import type { StartLoadStream } from './stream.ts';

/** What asks is loaded with the first host that is asked. */
export const loadOverNetwork =
  (secure?: SecureTransports): StartLoadStream =>
  (source, on) => {
    let cancel = (): void => {};
    let isOver = false;
    const began = import('./stream.ts').then(({ openLoadStream }) => {
      if (!isOver) ({ cancel } = openLoadStream(source, on, secure));
    });
    began.catch((error: unknown) => isOver || on.ended(false, String(error)));
    return {
      cancel() {
        isOver = true;
        cancel();
      },
    };
  };
