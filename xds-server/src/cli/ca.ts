import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { Authority } from '../ca/authority.ts';
import { DEFAULT_CA_DIRECTORY } from './ca-directory.ts';
import { openAuthority } from './certificate/issue.ts';
import { durationOf } from './token.ts';
import { type Command, plural, required, UsageError } from './usage.ts';

const usage = `inmesh ca show [--ca DIR]
inmesh ca rotate [--after 24h | --now] [--ca DIR]
inmesh ca revoke SERIAL|FILE [--ca DIR]

show    prints who signs and which roots are trusted
rotate  makes a new root: trusted at once, signs after --after (24h); the old one stays trusted until its certificates have ended
  --now   signs at once: only where everyone hears of new roots by xDS
revoke  puts a certificate, by its serial number in hexadecimal or its PEM file, on the revocation list
  --ca DIR  the CA's directory (${DEFAULT_CA_DIRECTORY}); a control plane that runs with it follows within 10 s`;

export const ca: Command = {
  summary: 'shows the CA, rotates its root, revokes certificates',
  usage,
  async run(args) {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        after: { type: 'string', default: '24h' },
        now: { type: 'boolean', default: false },
        ca: { type: 'string', default: DEFAULT_CA_DIRECTORY },
      },
    });
    const [verb, what, ...rest] = positionals;
    if (rest.length > 0) throw new UsageError(`got "${rest[0]}" beside "${what}", want one certificate`);
    if (verb !== 'show' && verb !== 'rotate' && verb !== 'revoke')
      throw new UsageError(`got "${verb ?? ''}", want show, rotate or revoke`);
    const serial = verb === 'revoke' ? await serialIn(required(what, 'SERIAL')) : '';
    const delayMs = values.now ? 0 : durationOf(values.after, '--after');
    const authority = await openAuthority(values.ca);
    try {
      if (verb === 'rotate') await authority.rotateRoot({ delayMs });
      if (verb === 'revoke') await authority.revoke(serial);
      process.stdout.write(statusText(authority));
      return 0;
    } finally {
      authority.close();
    }
  },
};

/** A serial number as it is written, or that of the first certificate of a file. */
async function serialIn(what: string): Promise<string> {
  if (/^(0x)?[0-9a-f:]+$/i.test(what)) return what;
  const pem = await readFile(what, 'utf8').catch(() => {
    throw new UsageError(`got "${what}", want a serial number in hexadecimal or a PEM file`);
  });
  try {
    return new X509Certificate(pem).serialNumber;
  } catch {
    throw new Error(`${what}: no certificate in PEM`);
  }
}

function statusText(authority: Authority): string {
  const { kind, store, issuer, nextSignsAtMs, retiredUntilMs, revoked } = authority.status();
  const { roots } = authority.bundle();
  const lines = [
    `${kind} CA of ${authority.trustDomain} in ${store}`,
    `signs    ${issuer.subject}, until ${iso(issuer.notAfterMs)}`,
    ...(nextSignsAtMs === undefined ? [] : [`next     signs from ${iso(nextSignsAtMs)}`]),
    ...retiredUntilMs.map((untilMs) => `retired  trusted until ${iso(untilMs)}`),
    ...roots.map((pem) => {
      const { subject, fingerprint256 } = new X509Certificate(pem);
      return `root     ${subject.replaceAll('\n', ', ')}, sha256 ${fingerprint256}`;
    }),
    `revoked  ${plural(revoked, 'certificate')}`,
  ];
  return `${lines.join('\n')}\n`;
}

const iso = (ms: number): string => new Date(ms).toISOString();
