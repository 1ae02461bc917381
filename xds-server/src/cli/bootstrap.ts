import { closeSync, existsSync, fchmodSync, fstatSync, openSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import {
  authorityOf,
  type BootstrapClient,
  controlPlaneOf,
  localityOf,
  type MemberNames,
  outboundOf,
} from './bootstrap/client.ts';
import { envoyBootstrap } from './bootstrap/envoy.ts';
import { grpcBootstrap } from './bootstrap/grpc.ts';
import { agreed, certificateFiles, provenBy } from './bootstrap/member.ts';
import { sdkBootstrap } from './bootstrap/sdk.ts';
import { addressOf, type Command, labelsOf, UsageError } from './usage.ts';

const DEFAULT_XDS = '127.0.0.1:15010';

const usage = `inmesh bootstrap --kind grpc|envoy|sdk [options]

Prints what a client of the control plane starts from.
  --kind grpc        a file for GRPC_XDS_BOOTSTRAP: grpc-go, gRPC C++ and Python, grpc-java, grpc-js-xds (plain text only), the SDK
  --kind envoy       a file for envoy -c
  --kind sdk         INMESH_… variables, for node --env-file
  --xds ADDRESS      the control plane: host:port or unix:PATH in plain text, tls://host:port (INMESH_XDS, else ${DEFAULT_XDS}); may be
                     repeated, in order of preference
  --namespace NS     of the workload; that of the certificate where it has one
  --service-account SA  the same
  --workload NAME    the workload (client)
  --label K=V        a label of it; may be repeated
  --locality REGION/ZONE/SUB-ZONE  where it runs
  --address IP       its own address (127.0.0.1); a gRPC server listens there
  --id ID            the node id
  --certs DIR        its certificate, key and roots, as inmesh cert issue --out DIR writes them; read anew when they change
  --token-file FILE  a token that proves who it is, over TLS (gRPC: gRFC A97; Envoy: by Google's gRPC client)
  --ca-root FILE     the roots that vouch for the control plane, where they are not those of --certs
  --authority NAME[=ADDRESS,…]  grpc: the authority of names like xdstp://NAME/…, with servers of its own; may be repeated (gRFC A47)
  --default-authority NAME  grpc: the one that targets are looked up in
  --server-feature F  grpc: ignore_resource_deletion (gRFC A53), fail_on_data_errors (A88), trusted_xds_server (A81); may be repeated
  --outbound HOST:PORT=ADDRESS  envoy: listens at ADDRESS for calls to HOST:PORT; a HOST without a dot is of --namespace; may be repeated
  --admin ADDRESS    envoy: its admin pages (127.0.0.1:15000)
  --out FILE         writes it there (0600), over what there is`;

const FEATURES = [
  'ignore_resource_deletion',
  'fail_on_data_errors',
  'resource_timer_is_transient_error',
  'trusted_xds_server',
];

const OPTIONS = {
  kind: { type: 'string' },
  xds: { type: 'string', multiple: true },
  namespace: { type: 'string' },
  'service-account': { type: 'string' },
  workload: { type: 'string', default: 'client' },
  label: { type: 'string', multiple: true, default: [] as string[] },
  locality: { type: 'string' },
  address: { type: 'string', default: '127.0.0.1' },
  id: { type: 'string' },
  certs: { type: 'string' },
  'token-file': { type: 'string' },
  'ca-root': { type: 'string' },
  authority: { type: 'string', multiple: true, default: [] as string[] },
  'default-authority': { type: 'string' },
  'server-feature': { type: 'string', multiple: true, default: [] as string[] },
  outbound: { type: 'string', multiple: true, default: [] as string[] },
  admin: { type: 'string', default: '127.0.0.1:15000' },
  out: { type: 'string' },
} as const;

const parse = (args: readonly string[]) => parseArgs({ args: [...args], options: OPTIONS }).values;

type Values = ReturnType<typeof parse>;

export const bootstrap: Command = {
  summary: 'prints what a gRPC client, an Envoy or an SDK starts from',
  usage,
  async run(args) {
    const values = parse(args);
    const text = textOf(values);
    if (values.out === undefined) process.stdout.write(text);
    else {
      writeOwn(values.out, text);
      process.stderr.write(`wrote ${values.out}\n`);
    }
    return 0;
  },
};

/** It names files with keys, and what is in it decides who is trusted: for its owner alone, also where a file was there. */
function writeOwn(file: string, text: string): void {
  const opened = openSync(file, 'w', 0o600);
  try {
    if (fstatSync(opened).isFile()) fchmodSync(opened, 0o600);
    writeFileSync(opened, text);
  } finally {
    closeSync(opened);
  }
}

function textOf(values: Values): string {
  const json = (made: object): string => `${JSON.stringify(made, undefined, 2)}\n`;
  const { kind } = values;
  if (kind !== 'grpc' && kind !== 'envoy' && kind !== 'sdk')
    throw new UsageError(`--kind: got "${kind ?? ''}", want grpc, envoy or sdk`);
  if (kind !== 'envoy' && values.outbound.length > 0) throw new UsageError('--outbound: for --kind envoy');
  const client = clientOf(values);
  if (kind === 'sdk') return sdkBootstrap(client);
  return json(kind === 'grpc' ? grpcBootstrap(client) : envoyBootstrap(client));
}

function clientOf(values: Values): BootstrapClient {
  const { xds = (process.env.INMESH_XDS ?? DEFAULT_XDS).split(','), certs, locality } = values;
  const files = certs === undefined ? undefined : certificateFiles(certs);
  const proven = files && provenBy(files);
  const names: MemberNames = {
    namespace: agreed(values.namespace, proven?.namespace, '--namespace'),
    serviceAccount: agreed(values['service-account'], proven?.serviceAccount, '--service-account'),
    workload: values.workload,
    labels: labelsOf(values.label),
  };
  const { namespace = 'default', workload } = names;
  const authorities = new Map(values.authority.map(authorityOf));
  const defaultAuthority = values['default-authority']?.toLowerCase();
  if (defaultAuthority !== undefined && !authorities.has(defaultAuthority))
    throw new UsageError(`--default-authority: got "${defaultAuthority}", want one of --authority`);
  return {
    servers: xds.map((server) => controlPlaneOf(server.trim(), '--xds')),
    authorities,
    ...(defaultAuthority !== undefined && { defaultAuthority }),
    features: values['server-feature'].map(featureOf),
    // Istio's form, so that istiod takes it too: type~address~name.namespace~DNS domain.
    id: values.id ?? `sidecar~${values.address}~${workload}.${namespace}~${namespace}.svc.cluster.local`,
    cluster: `${workload}.${namespace}`,
    metadata: metadataOf(names, values.address),
    locality: localityOf(locality),
    names,
    ...(files && { files }),
    ...fileOption('roots', values['ca-root'], '--ca-root'),
    ...fileOption('tokenFile', values['token-file'], '--token-file'),
    outbound: values.outbound.map((text) => outboundOf(text, namespace)),
    admin: addressOf(values.admin, '--admin'),
  };
}

/** What is not said is not claimed: a control plane that is shown a proof refuses what differs from it. */
const metadataOf = (
  { namespace, serviceAccount, workload, labels }: MemberNames,
  address: string,
): BootstrapClient['metadata'] => ({
  ...(namespace !== undefined && { NAMESPACE: namespace }),
  ...(serviceAccount !== undefined && { SERVICE_ACCOUNT: serviceAccount }),
  WORKLOAD_NAME: workload,
  INSTANCE_IPS: address,
  LABELS: Object.fromEntries(labels),
});

function featureOf(text: string): string {
  if (FEATURES.includes(text)) return text;
  throw new UsageError(`--server-feature: got "${text}", want one of ${FEATURES.join(', ')}`);
}

/** Whoever starts from it has another working directory. */
function fileOption<K extends string>(key: K, file: string | undefined, flag: string): { [key in K]?: string } {
  if (file === undefined) return {};
  if (!existsSync(file)) throw new UsageError(`${flag}: ${file} does not exist`);
  return { [key]: path.resolve(file) } as { [key in K]?: string };
}
