import { systemClock } from '@inmesh/sdk/internal/clock';
import { describeCertificate } from './describe-certificate.ts';
import { type ReadOptions, readChain } from './read-chain.ts';

/** Prints every certificate of a file, or of what a server presents. */
export async function showCertificates(where: string, options: ReadOptions): Promise<number> {
  const { factsOf } = await import('@inmesh/sdk/internal/identity/certificate');
  const { from, chain } = await readChain(where, options);
  chain.forEach((certificate, index) => {
    const place = chain.length === 1 ? '' : ` certificate ${index + 1} of ${chain.length}`;
    process.stdout.write(
      `${from}:${place}\n${describeCertificate(certificate, factsOf(certificate), systemClock.wallTime())}`,
    );
  });
  return 0;
}
