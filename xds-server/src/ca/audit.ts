import { appendFile, rename, stat } from 'node:fs/promises';
import type { CertificateNames } from './csr-policy.ts';
import type { RefusalReason } from './refusal.ts';

/** Who asked, as it was proven. */
export interface Requester {
  /** The SPIFFE ID, or what stands in for it. */
  readonly principal: string;
  /** How it was proven. */
  readonly via: string;
}

/** One certificate that was issued or refused; never a key, a token or the request itself. */
export interface IssuanceRecord extends Requester {
  readonly atMs: number;
  readonly names: CertificateNames;
  readonly outcome: 'issued' | 'refused';
  readonly serial?: string;
  readonly notAfterMs?: number;
  readonly reason?: RefusalReason;
  readonly message?: string;
}

/** Where issuance is recorded. Resolves once the record is kept. */
export type AuditLog = (record: IssuanceRecord) => Promise<void>;

export const AUDIT_FILE = 'issued.jsonl';
const MOST_BYTES = 16_777_216;

/** One line of JSON; names as a list of `URI:…`, `DNS:…`, `IP:…`. */
function auditLine({ atMs, names, notAfterMs, ...rest }: IssuanceRecord): string {
  const { uris, dns = [], ips = [] } = names;
  return JSON.stringify({
    time: new Date(atMs).toISOString(),
    ...rest,
    names: [...uris.map((uri) => `URI:${uri}`), ...dns.map((name) => `DNS:${name}`), ...ips.map((ip) => `IP:${ip}`)],
    ...(notAfterMs === undefined ? {} : { notAfter: new Date(notAfterMs).toISOString() }),
  });
}

/** JSON lines in a file of mode 0600; past 16 MiB it is kept once as FILE.1 and begun anew. */
export function auditFile(file: string): AuditLog {
  let last: Promise<unknown> = Promise.resolve();
  const write = async (record: IssuanceRecord): Promise<void> => {
    const found = await stat(file).catch(() => undefined);
    if (found !== undefined && found.size >= MOST_BYTES) await rename(file, `${file}.1`);
    await appendFile(file, `${auditLine(record)}\n`, { mode: 0o600 });
  };
  return (record) => {
    const written = last.then(() => write(record));
    last = written.catch(() => undefined);
    return written;
  };
}
