import path from 'node:path';
import { parseArgs } from 'node:util';
import { ENTRY } from '../ca/store.ts';
import { DEFAULT_CA_DIRECTORY } from './ca-directory.ts';
import { issueCertificate } from './certificate/issue.ts';
import { showCertificates } from './certificate/show.ts';
import { verifyCertificates } from './certificate/verify.ts';
import { durationOf } from './token.ts';
import { type Command, required, UsageError } from './usage.ts';

const usage = `inmesh cert show FILE|tls://HOST:PORT [--sni NAME] [--alpn NAME]…
inmesh cert verify FILE|tls://HOST:PORT [--expect SPIFFE-ID]… [--roots FILE] [--crl FILE] [--client] [--trust-domain NAME]
inmesh cert issue --id SPIFFE-ID --out DIR [--dns NAME]… [--ip IP]… [--ttl 24h] [--replace] [--ca DIR]

show    prints the certificates of a PEM file, or those a server presents
verify  says whether a peer of the mesh would take them, and what is wrong otherwise; exit code 1 where it would not
  --expect SPIFFE-ID   who it is to be; without it anyone of the trust domain
  --roots FILE         the bundle, in PEM (${path.join(DEFAULT_CA_DIRECTORY, ENTRY.roots)})
  --crl FILE           revocation lists, in PEM
  --client             as a TLS client instead of a server
  --trust-domain NAME  whose roots they are (that of --expect, else cluster.local)
issue   writes cert-chain.pem, key.pem (0600) and root-cert.pem into DIR, for local use
  --id SPIFFE-ID       spiffe://cluster.local/ns/NAMESPACE/sa/SERVICE-ACCOUNT
  --dns, --ip          further names, for peers that ask for them
  --ttl TIME           90s, 15m, 24h (the default), 30d; at most 90d
  --replace            writes over files that are there
  --ca DIR             the CA's directory (${DEFAULT_CA_DIRECTORY})`;

const OPTIONS = {
  sni: { type: 'string' },
  alpn: { type: 'string', multiple: true },
  expect: { type: 'string', multiple: true, default: [] as string[] },
  roots: { type: 'string', default: path.join(DEFAULT_CA_DIRECTORY, ENTRY.roots) },
  crl: { type: 'string' },
  client: { type: 'boolean', default: false },
  'trust-domain': { type: 'string' },
  id: { type: 'string' },
  dns: { type: 'string', multiple: true, default: [] as string[] },
  ip: { type: 'string', multiple: true, default: [] as string[] },
  ttl: { type: 'string', default: '24h' },
  out: { type: 'string' },
  replace: { type: 'boolean', default: false },
  ca: { type: 'string', default: DEFAULT_CA_DIRECTORY },
} as const;

export const cert: Command = {
  summary: 'shows, verifies and issues certificates',
  usage,
  async run(args) {
    const { values, positionals } = parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS });
    const [verb, where, ...rest] = positionals;
    if (rest.length > 0) throw new UsageError(`got "${rest[0]}" beside "${where}", want one file or address`);
    const { sni, alpn } = values;
    if (verb === 'show') return showCertificates(required(where, 'FILE'), { sni, alpn });
    if (verb === 'verify')
      return verifyCertificates({
        where: required(where, 'FILE'),
        roots: values.roots,
        crl: values.crl,
        expected: values.expect,
        trustDomain: values['trust-domain'],
        purpose: values.client ? 'client' : 'server',
        sni,
        alpn,
      });
    if (verb !== 'issue') throw new UsageError(`got "${verb ?? ''}", want show, verify or issue`);
    return issueCertificate({
      directory: values.ca,
      names: { uris: [required(values.id, '--id')], dns: values.dns, ips: values.ip },
      ttlMs: durationOf(values.ttl, '--ttl'),
      out: required(values.out, '--out'),
      isReplacing: values.replace,
    });
  },
};
