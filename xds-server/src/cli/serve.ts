import { parseArgs } from 'node:util';
import type { Listening, ListenOptions, XdsServer } from '../embedded/api.ts';
import type { CaOptions } from '../embedded/identity-options.ts';
import { createXdsServer } from '../embedded.ts';
import { hostOf, isLoopback } from '../loopback.ts';
import { DEFAULT_CA_DIRECTORY } from './ca-directory.ts';
import { CONFIG_OPTIONS, folderOf, retryAttemptsOf, sourceOf } from './check.ts';
import { durationOf } from './token.ts';
import { addressOf, type Command, plural, UsageError } from './usage.ts';

const DEFAULT_XDS = '127.0.0.1:15010';
const DEFAULT_SECURE = '127.0.0.1:15012';
const DEFAULT_ADMIN = '127.0.0.1:15014';

const usage = `inmesh serve --config DIR [options]

Serves the YAML in DIR over xDS and follows its edits. Its CA gives the processes of the mesh their identities.
  --mesh-config FILE  Istio's MeshConfig; without it the ConfigMap istio of istio-system in DIR
  --retry-attempts retries|calls  what attempts: N of a retry policy means: N retries after the first call (the default,
                   as in Istio's API reference), or N calls with it
  --xds ADDRESS    host:port or unix:PATH for ADS in plain text (${DEFAULT_XDS}); loopback or a unix socket
  --public-plaintext  lets --xds be any address: other machines see what is exported to every namespace, and can be nobody
  --secure ADDRESS  host:port for ADS, SDS and the CA over TLS (${DEFAULT_SECURE}): who comes proves who it is
  --server-name NAME  a DNS name or IP address that clients know --secure by; may be repeated
  --ca DIR         the CA's directory (${DEFAULT_CA_DIRECTORY}); Istio's four files in it plug in another CA. kubernetes:NAMESPACE keeps
                   it in a Secret, as istiod
  --jwt-issuer ISSUER[,JWKS-URL]  takes its tokens of service accounts for the audience istio-ca; may be repeated
  --kubernetes-tokens  takes service-account tokens that the Kubernetes API of this Pod, or of KUBECONFIG, vouches for
  --node-agents NS/SA[,NS/SA]  service accounts (istio-system/ztunnel) whose Pods may have certificates of what runs on their node
  --plaintext      no CA, no identities, no TLS between workloads
  --admin ADDRESS  health, readiness, metrics, clients, problems, CSDS (${DEFAULT_ADMIN}); loopback only
  --authority NAME  serves xdstp://NAME/… too (gRFC A47)
  --ttl TYPE=TIME  lds, rds, cds or eds: Envoys and SDKs drop such resources TIME (90s, 15m) after they last heard from here; may be
                   repeated
  --load-reporting TIME  asks gRPC clients and SDKs for the load of each cluster so often (LRS): /load and /metrics of --admin`;

const stamp = (): string => new Date().toISOString().slice(11, 23);

/** What was loaded, where it is served and what an application needs to join. */
function tell(server: XdsServer, folder: string, { xds, secure, admin }: Listening, ca: string): void {
  const { objects, services } = server.summary();
  const url = admin.startsWith('unix:') ? admin : `http://${admin}/`;
  process.stdout.write(`loaded ${plural(objects, 'object')}, ${plural(services, 'service')} from ${folder}\n`);
  process.stdout.write(`ADS    ${xds}\n`);
  if (secure !== '') process.stdout.write(`TLS    ${secure}, its CA in ${ca}\n`);
  process.stdout.write(`admin  ${url}\n\nan application joins with:  INMESH_XDS=${xds}\n\n`);
}

/** Every change, also of who joins between an open port and the words that say so; those come first. */
function tellChanges(server: XdsServer): () => void {
  let waiting: string[] | undefined = [];
  server.onChange((change) => {
    const line = `${stamp()} ${change}\n`;
    if (waiting === undefined) process.stdout.write(line);
    else waiting.push(line);
  });
  return () => {
    for (const line of waiting ?? []) process.stdout.write(line);
    waiting = undefined;
  };
}

const parse = (args: readonly string[]) =>
  parseArgs({
    args: [...args],
    options: {
      ...CONFIG_OPTIONS,
      xds: { type: 'string', default: DEFAULT_XDS },
      'public-plaintext': { type: 'boolean', default: false },
      secure: { type: 'string' },
      'server-name': { type: 'string', multiple: true, default: [] },
      ca: { type: 'string' },
      'jwt-issuer': { type: 'string', multiple: true, default: [] },
      'kubernetes-tokens': { type: 'boolean', default: false },
      'node-agents': { type: 'string', multiple: true, default: [] },
      plaintext: { type: 'boolean', default: false },
      admin: { type: 'string', default: DEFAULT_ADMIN },
      authority: { type: 'string', multiple: true, default: [] },
      ttl: { type: 'string', multiple: true, default: [] },
      'load-reporting': { type: 'string' },
    },
  }).values;

type Values = ReturnType<typeof parse>;

export const serve: Command = {
  summary: 'serves a folder of YAML over xDS',
  usage,
  async run(args) {
    const values = parse(args);
    const folder = await folderOf(values.config);
    const stopped = new Promise<void>((stop) => {
      // Stays: a terminal's Ctrl-C may come twice, from the terminal and from a launcher that passes it on.
      for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop());
    });
    const addresses = addressesOf(values);
    const server = serverOf(values, folder);
    try {
      server.onProblem((problem) => process.stderr.write(`${problem}\n`));
      const changes = tellChanges(server);
      tell(server, folder, await listen(server, addresses), caDirectory(values));
      changes();
      await stopped;
    } finally {
      await server.close();
    }
    return 0;
  },
};

const caDirectory = ({ ca }: Values): string => ca ?? DEFAULT_CA_DIRECTORY;

function serverOf(values: Values, folder: string): XdsServer {
  const source = sourceOf(folder, values['mesh-config']);
  const { plaintext } = values;
  return createXdsServer({
    source,
    retryAttempts: retryAttemptsOf(values['retry-attempts']),
    authorities: ['', ...values.authority],
    resourceTtlMs: Object.fromEntries(values.ttl.map(ttlOf)),
    ...(values['load-reporting'] !== undefined && {
      loadReportingIntervalMs: durationOf(values['load-reporting'], '--load-reporting'),
    }),
    plaintext,
    ca: plaintext ? false : caOf(caDirectory(values)),
    authentication: {
      issuers: values['jwt-issuer'].map(issuerOf),
      kubernetes: values['kubernetes-tokens'],
      nodeAgents: values['node-agents'].flatMap((list) => list.split(',')),
    },
  });
}

function ttlOf(text: string): readonly [string, number] {
  const [, type = '', time = ''] = /^(lds|rds|cds|eds)=(.+)$/.exec(text) ?? [];
  if (type === '') throw new UsageError(`--ttl: got "${text}", want lds, rds, cds or eds and a time, as in eds=90s`);
  return [type, durationOf(time, '--ttl')];
}

const IN_KUBERNETES = 'kubernetes:';

const caOf = (ca: string): CaOptions =>
  ca.startsWith(IN_KUBERNETES)
    ? { kubernetesNamespace: ca.slice(IN_KUBERNETES.length) || 'istio-system' }
    : { directory: ca };

const issuerOf = (text: string): { issuer: string; jwksUri?: string } => {
  const [issuer = '', jwksUri] = text.split(',');
  return { issuer, ...(jwksUri !== undefined && { jwksUri }) };
};

function addressesOf(values: Values): ListenOptions {
  const xds = addressOf(values.xds, '--xds');
  const publicPlaintext = values['public-plaintext'];
  if (publicPlaintext && !xds.startsWith('unix:') && !isLoopback(hostOf(xds)))
    process.stderr.write(
      `--xds ${values.xds}: plain text, and whoever reaches it may read what is exported to everyone\n`,
    );
  return {
    xds,
    publicPlaintext,
    ...(!values.plaintext && { secure: addressOf(values.secure ?? DEFAULT_SECURE, '--secure') }),
    serverNames: values['server-name'],
    admin: addressOf(values.admin, '--admin'),
  };
}

/** A TLS port that nobody asked for is not worth failing for: another control plane of this machine may have it. */
async function listen(server: XdsServer, addresses: ListenOptions): Promise<Listening> {
  try {
    return await server.listen(addresses);
  } catch (error) {
    const isTaken =
      error instanceof Error && error.message.startsWith(`cannot listen on ${DEFAULT_SECURE}: listen EADDRINUSE`);
    if (addresses.secure !== DEFAULT_SECURE || !isTaken) throw error;
    process.stderr.write(`${DEFAULT_SECURE} is taken: nothing is served over TLS (--secure ADDRESS)\n`);
    const { secure: _taken, ...others } = addresses;
    return server.listen(others);
  }
}
