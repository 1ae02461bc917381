import { generateKeyPair, type KeyObject, X509Certificate } from 'node:crypto';
import { promisify } from 'node:util';
import type { Clock, Random } from '../../clock.ts';
import type { AskCa } from '../../wire/istio-ca.ts';
import { createBundles, pemBlocks } from '../bundles.ts';
import { createRenewal, type Issuer } from '../renewal.ts';
import type { IdentitySource, SourceState } from '../source.ts';
import { readSvid } from '../svid.ts';

export interface CaSourceParts {
  /** For humans: `CA istiod.istio-system.svc:15012`. */
  readonly from: string;
  readonly ask: AskCa;
  /** The SPIFFE ID to ask for, where it is known before the first certificate. */
  readonly uri?: string | undefined;
  readonly ttlMs: number;
  readonly clock: Clock;
  readonly random: Random;
}

const createKey = promisify(generateKeyPair);

/**
 * Certificates of a CA that speaks istio.v1.auth (ours, istiod): each for a new P-256 key that is made here and never leaves this
 * process's memory.
 */
export function createCaSource(parts: CaSourceParts): IdentitySource {
  const { from, ask, ttlMs } = parts;
  let { uri } = parts;
  const issuer: Issuer = {
    kind: 'ca',
    from,
    hasWholeBundles: false,
    async issue() {
      // 48 ms of CPU: only who asks a CA pays it.
      const [{ createCsr }, keys] = await Promise.all([import('../csr.ts'), createKey('ec', { namedCurve: 'P-256' })]);
      const state = stateOf(await ask({ csr: createCsr(keys, uri), ttlMs }), keys.privateKey);
      uri = state.svid.id.uri;
      return state;
    },
  };
  return createRenewal(issuer, parts);
}

/**
 * The leaf, what stands between, and the roots: the last is one (istiod), and so is whatever signed itself (ztunnel): during a
 * change of roots there are several.
 */
function stateOf(answer: readonly string[], key: KeyObject): SourceState {
  // istiod puts one certificate in each element; others are taken as well.
  const chain = answer.flatMap((pem) => pemBlocks(pem, 'CERTIFICATE'));
  if (chain.length < 2) {
    throw new Error(`the CA's answer has ${chain.length} certificates: the leaf first and the root last are needed`);
  }
  const isRoot = (pem: string, at: number): boolean => at > 0 && (at === chain.length - 1 || isSelfSigned(pem));
  const svid = readSvid(chain.filter((pem, at) => !isRoot(pem, at)).join('\n'), key);
  if (typeof svid === 'string') throw new Error(`the CA's answer cannot be used: ${svid}`);
  return { svid, bundles: createBundles([[svid.id.trustDomain, chain.filter(isRoot)]]) };
}

function isSelfSigned(pem: string): boolean {
  const certificate = new X509Certificate(pem);
  return certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey);
}
