import { readFile } from 'node:fs/promises';
import { systemClock } from '@inmesh/sdk/internal/clock';
import { parseSpiffeId } from '@inmesh/sdk/internal/identity/spiffe-id';
import { UsageError } from '../usage.ts';
import { leftText, nameText } from './describe-certificate.ts';
import { type ReadOptions, readChain } from './read-chain.ts';

export interface VerifyQuestion extends ReadOptions {
  readonly where: string;
  readonly roots: string;
  readonly crl: string | undefined;
  /** SPIFFE IDs, one of which is expected; none: anyone of the trust domain. */
  readonly expected: readonly string[];
  readonly trustDomain: string | undefined;
  readonly purpose: 'server' | 'client';
}

/** The check that every peer of the mesh makes, said in words; exit code 1 where it refuses. */
export async function verifyCertificates(question: VerifyQuestion): Promise<number> {
  const { verifyPeer } = await import('@inmesh/sdk/internal/identity/verify-peer');
  const { createBundles } = await import('@inmesh/sdk/internal/identity/bundles');
  const trustDomain = trustDomainOf(question);
  const { from, chain } = await readChain(question.where, question);
  const nowMs = systemClock.wallTime();
  const bundles = createBundles(
    [[trustDomain, [await readFile(question.roots, 'utf8')]]],
    question.crl === undefined ? [] : [await readFile(question.crl, 'utf8')],
  );
  if (bundles.trustDomains.length === 0) throw new Error(`${question.roots}: no certificate in PEM`);
  const verdict = verifyPeer({
    presented: chain,
    bundles,
    trustDomains: [trustDomain],
    expected: question.expected.map((value) => ({ type: 'uri', kind: 'exact', value }) as const),
    purpose: question.purpose,
    nowMs,
  });
  if ('refused' in verdict) {
    process.stdout.write(`${from}: refused (${verdict.refused}): ${verdict.message}\n`);
    return 1;
  }
  const [leaf] = verdict.chain;
  const root = verdict.chain.at(-1);
  process.stdout.write(
    `${from}: ok as a TLS ${question.purpose}: ${verdict.id.uri}, ${leaf === undefined ? '' : leftText(leaf, nowMs)}, by ${nameText(root?.subject)}\n`,
  );
  return 0;
}

/** Whose roots they are: said, or that of the expected identity. */
function trustDomainOf({ trustDomain, expected }: VerifyQuestion): string {
  const named = expected.map((uri) => {
    const id = parseSpiffeId(uri);
    if (typeof id === 'string') throw new UsageError(`--expect: got "${uri}", which is no SPIFFE ID: ${id}`);
    return id.trustDomain;
  });
  return trustDomain ?? named[0] ?? 'cluster.local';
}
