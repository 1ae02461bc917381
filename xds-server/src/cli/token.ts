import { parseArgs } from 'node:util';
import { systemClock } from '@inmesh/sdk/internal/clock';
import { createBootstrapTokens } from '../auth/bootstrap-token.ts';
import { loadTokenKey, TOKEN_KEY_FILE } from '../auth/token-key.ts';
import { DEFAULT_CA_DIRECTORY } from './ca-directory.ts';
import { type Command, required, UsageError } from './usage.ts';

const usage = `inmesh token --namespace NS --service-account SA [--ttl 1h] [--ca DIR]

Prints a token that proves to the control plane with the CA in DIR who a process is. Give it to the process as INMESH_TOKEN, or as
the file INMESH_TOKEN_FILE. Whoever holds it is that service account until it expires.
  --namespace NS         of the workload
  --service-account SA   of the workload
  --ttl TIME             how long it is good: 90s, 15m, 1h (the default), 30d; at most 90d
  --ca DIR               the CA's directory (${DEFAULT_CA_DIRECTORY})`;

const UNITS = new Map([
  ['s', 1_000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** `90s`, `15m`, `1h`, `30d`. */
export function durationOf(text: string, flag: string): number {
  const [, count = '', unit = ''] = /^(\d{1,9})([smhd])$/.exec(text) ?? [];
  const size = UNITS.get(unit);
  if (size === undefined || Number(count) === 0)
    throw new UsageError(`${flag}: got "${text}", want 90s, 15m, 1h or 30d`);
  return Number(count) * size;
}

export const token: Command = {
  summary: 'prints a token that proves who a process is',
  usage,
  async run(args) {
    const { values } = parseArgs({
      args: [...args],
      options: {
        namespace: { type: 'string' },
        'service-account': { type: 'string' },
        ttl: { type: 'string', default: '1h' },
        ca: { type: 'string', default: DEFAULT_CA_DIRECTORY },
      },
    });
    const claims = {
      namespace: required(values.namespace, '--namespace'),
      serviceAccount: required(values['service-account'], '--service-account'),
      ttlMs: durationOf(values.ttl, '--ttl'),
    };
    // A key of its own would sign what no control plane takes.
    const key = loadTokenKey(values.ca);
    if (key === undefined) throw new UsageError(`--ca: ${values.ca} has no ${TOKEN_KEY_FILE}; inmesh serve makes it`);
    // The trust domain is that of the control plane that reads it.
    const tokens = createBootstrapTokens({ key, trustDomain: '', clock: systemClock });
    process.stdout.write(`${await tokens.mint(claims)}\n`);
    return 0;
  },
};
