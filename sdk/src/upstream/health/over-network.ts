import type { StartProbe } from './checker.ts';
import type { ProbeTls } from './probe.ts';

/** What asks is loaded with the first check. */
export const overNetwork =
  (secure?: ProbeTls): StartProbe =>
  (target, done) => {
    let cancel = (): void => {};
    let isOver = false;
    const began = import('./probe.ts').then(({ probeHost }) => {
      if (!isOver) ({ cancel } = probeHost(target, done, secure));
    });
    began.catch((error: unknown) => done({ kind: 'failed', isRetriable: true, reason: String(error) }));
    return {
      cancel() {
        isOver = true;
        cancel();
      },
    };
  };
