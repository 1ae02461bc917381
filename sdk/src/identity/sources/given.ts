import { createBundles } from '../bundles.ts';
import type { IdentitySource } from '../source.ts';
import { readKey, readSvid } from '../svid.ts';

/** PEM texts that the program has from elsewhere. They are not renewed: the program makes another mesh with others. */
export interface GivenIdentity {
  readonly certificate: string;
  readonly key: string;
  /** Left out: the control plane says whom to trust. */
  readonly roots?: string;
}

export function createGivenSource({ certificate, key, roots }: GivenIdentity): IdentitySource {
  let isClosed = false;
  return {
    kind: 'given',
    from: 'option identity.certificate',
    hasWholeBundles: roots !== undefined,
    start(on) {
      const own = readKey(key);
      const svid = typeof own === 'string' ? `identity.key: ${own}` : readSvid(certificate, own);
      queueMicrotask(() => {
        if (isClosed) return;
        if (typeof svid === 'string') return on.failed(svid);
        on.found({ svid, bundles: createBundles(roots === undefined ? [] : [[svid.id.trustDomain, [roots]]]) });
      });
    },
    close() {
      isClosed = true;
    },
  };
}
