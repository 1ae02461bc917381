import { X509Certificate } from 'node:crypto';
import { access, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parseSpiffeId } from '@inmesh/sdk/internal/identity/spiffe-id';
import { type Authority, createAuthority } from '../../ca/authority.ts';
import type { CertificateNames } from '../../ca/csr-policy.ts';
import { replaceAll } from '../../ca/directory-store.ts';
import { ENTRY } from '../../ca/store.ts';
import { UsageError } from '../usage.ts';

export interface IssueQuestion {
  readonly directory: string;
  readonly names: CertificateNames;
  readonly ttlMs: number;
  readonly out: string;
  readonly isReplacing: boolean;
}

/** As istio-agent writes them (OUTPUT_CERTS): what gRPC's and Inmesh's file sources read. */
const FILES = { chain: 'cert-chain.pem', key: 'key.pem', roots: 'root-cert.pem' } as const;

/** Opens the CA of a directory; one that has none is a slip of the hand, not a wish for a new CA. */
export async function openAuthority(directory: string): Promise<Authority> {
  const file = path.join(directory, ENTRY.certificate);
  const pem = await readFile(file, 'utf8').catch(() => undefined);
  if (pem === undefined) throw new UsageError(`--ca: ${directory} has no ${ENTRY.certificate}; inmesh serve makes it`);
  return createAuthority({
    directory,
    trustDomain: await trustDomainOf(pem),
    onProblem: (text) => process.stderr.write(`${text}\n`),
  });
}

/** Roots that are made here say whose they are; a plugged-in one need not. */
async function trustDomainOf(pem: string): Promise<string> {
  const { factsOf } = await import('@inmesh/sdk/internal/identity/certificate');
  const facts = factsOf(new X509Certificate(pem));
  const uri = typeof facts === 'string' ? undefined : facts.names.find(({ type }) => type === 'uri')?.value;
  const id = uri === undefined ? undefined : parseSpiffeId(uri);
  return id === undefined || typeof id === 'string' ? 'cluster.local' : id.trustDomain;
}

/** A certificate, its key (0600) and the roots, as three files. */
export async function issueCertificate({ directory, names, ttlMs, out, isReplacing }: IssueQuestion): Promise<number> {
  const key = path.join(out, FILES.key);
  if (
    !isReplacing &&
    (await access(key).then(
      () => true,
      () => false,
    ))
  )
    throw new Error(`${key} is there already and stays as it is; --replace writes over it`);
  const authority = await openAuthority(directory);
  try {
    const issued = await authority.issueKeyPair({
      names,
      ttlMs,
      requester: { principal: 'inmesh cert issue', via: 'directory' },
    });
    await mkdir(out, { recursive: true, mode: 0o700 });
    // The roots first: whoever watches the files never holds a certificate that it cannot place.
    await replaceAll([
      [path.join(out, FILES.roots), authority.bundle().roots.join('')],
      [key, issued.key.export({ type: 'pkcs8', format: 'pem' }).toString()],
      [path.join(out, FILES.chain), issued.chain.slice(0, -1).join('')],
    ]);
    const ends = new Date(issued.notAfterMs).toISOString();
    process.stdout.write(
      `${Object.values(FILES)
        .map((file) => path.join(out, file))
        .join('\n')}\nserial ${issued.serial}, valid until ${ends}\n`,
    );
    return 0;
  } finally {
    authority.close();
  }
}
