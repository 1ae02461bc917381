import type { StartProbe } from './checker.ts';

/** What asks is loaded with the first check. */
export const overNetwork: StartProbe = (target, done) => {
  let cancel = (): void => {};
  let isOver = false;
  const began = import('./probe.ts').then(({ probeHost }) => {
    if (!isOver) ({ cancel } = probeHost(target, done));
  });
  began.catch((error: unknown) => done({ kind: 'failed', isRetriable: true, reason: String(error) }));
  return {
    cancel() {
      isOver = true;
      cancel();
    },
  };
};
