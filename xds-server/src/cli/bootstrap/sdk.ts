import { UsageError } from '../usage.ts';
import type { BootstrapClient } from './client.ts';

/** `INMESH_…` variables, a line each: for `node --env-file`, a container or `env $(cat FILE)`. */
export function sdkBootstrap({
  servers,
  authorities,
  features,
  names,
  locality,
  files,
  roots,
  tokenFile,
}: BootstrapClient): string {
  if (authorities.size > 0 || features.length > 0)
    throw new UsageError('--authority and --server-feature have no variable: --kind grpc, which the SDK reads too');
  const { region, zone, subZone } = locality;
  const caRoot = roots ?? files?.roots;
  const variables: readonly (readonly [string, string | undefined])[] = [
    ['INMESH_XDS', servers.map(({ address, isTls }) => (isTls ? `tls://${address}` : address)).join(',')],
    ['INMESH_NAMESPACE', names.namespace],
    ['INMESH_SERVICE_ACCOUNT', names.serviceAccount],
    ['INMESH_WORKLOAD', names.workload],
    ['INMESH_LABELS', [...names.labels].map(([key, value]) => `${key}=${value}`).join(',')],
    ['INMESH_LOCALITY', [region, zone, subZone].join('/').replace(/\/+$/, '')],
    ['INMESH_CERT_FILE', files?.certificate],
    ['INMESH_KEY_FILE', files?.key],
    ['INMESH_ROOT_FILE', files?.roots],
    ['INMESH_CA_ROOT', servers.some(({ isTls }) => isTls) ? caRoot : undefined],
    ['INMESH_TOKEN_FILE', tokenFile],
  ];
  for (const [key, value] of names.labels) {
    if (key.includes(',') || value.includes(','))
      throw new UsageError(`--label: got "${key}=${value}", a comma would begin another label`);
  }
  return variables.flatMap(([name, value]) => (value ? [`${name}=${told(name, value)}\n`] : [])).join('');
}

/** As readers of such files take it (Node, Docker, a shell): another line is another variable, and `#` begins a comment. */
function told(name: string, value: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  if (/[\0-\x1f\x7f#]|^["'`]/.test(value))
    throw new UsageError(`${name}: got ${JSON.stringify(value)}, which cannot be written in a file of variables`);
  return value;
}
