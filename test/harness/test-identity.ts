import { X509Certificate } from 'node:crypto';
import { createBundles } from '../../sdk/src/identity/bundles.ts';
import type { Identity, IdentityState, TrustBundles } from '../../sdk/src/identity/identity.ts';
import { readSvid } from '../../sdk/src/identity/svid.ts';
import type { TestCertificate } from './certificates.ts';

/** An identity whose state a test sets. */
export interface TestIdentity extends Identity {
  /** A new generation; undefined: there is none any more. */
  set(certificate: TestCertificate | undefined, bundles?: TrustBundles): void;
}

export interface TestIdentityOptions {
  readonly certificate?: TestCertificate;
  readonly bundles?: TrustBundles;
  readonly trustDomains?: readonly string[];
}

/** Takes any certificate, the bad ones too: what readers of SVIDs refuse gets an id of its own. */
export function createTestIdentity(options: TestIdentityOptions = {}): TestIdentity {
  const { trustDomains = ['cluster.local'] } = options;
  const listeners = new Set<(state: IdentityState | undefined) => void>();
  let bundles = options.bundles ?? createBundles([]);
  let generation = 0;
  let state: IdentityState | undefined;

  function set(certificate: TestCertificate | undefined, now = bundles): void {
    bundles = now;
    generation += 1;
    state = certificate && { generation, svid: svidOf(certificate), bundles, trustDomains };
    for (const listener of listeners) listener(state);
  }

  set(options.certificate);
  return {
    set,
    current: () => state,
    missing: 'the test gave it none',
    ready: () => (state === undefined ? Promise.reject(new Error('the test gave it none')) : Promise.resolve(state)),
    onChange(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {},
  };
}

function svidOf({ pem, key }: TestCertificate): IdentityState['svid'] {
  const svid = readSvid(pem, key);
  if (typeof svid !== 'string') return svid;
  const id = { uri: 'spiffe://bad.test', trustDomain: 'bad.test', path: '' };
  const { serialNumber } = new X509Certificate(pem);
  return { id, chain: pem, key, notBeforeMs: 0, notAfterMs: 0, serialNumber };
}
