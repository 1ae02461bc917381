import type { JsonObject, JsonValue } from '@bufbuild/protobuf';
import { MeshError } from '../errors.ts';
import { type GrpcBootstrap, parseGrpcBootstrap } from './grpc-bootstrap.ts';
import {
  type IdentityOptions,
  type IdentitySettings,
  readIdentitySettings,
  readTokenSettings,
  type TokenSettings,
} from './identity-settings.ts';
import { type BootstrapServer, checkServer } from './server-address.ts';
import { namesInToken } from './token-names.ts';
import { type Given, readChoice, readFlag, readLabels, readLocality, readName, readPort } from './values.ts';
import type { VariableName } from './variables.ts';
import { SDK_VERSION } from './version.ts';

export interface ServiceOption {
  readonly name: string;
  readonly port: number;
  readonly version?: string;
}

/** What `createMesh` may say in place of the environment; each wins over its variable. */
export interface BootstrapOptions {
  readonly xds?: string | readonly string[];
  readonly protocol?: 'auto' | 'delta' | 'sotw';
  readonly namespace?: string;
  readonly workload?: string;
  readonly serviceAccount?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly locality?: string;
  readonly service?: ServiceOption;
  readonly outboundPolicy?: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  readonly snapshot?: string;
  readonly required?: boolean;
  readonly log?: 'off' | 'debug';
  /** Who this process is and how it proves it; false: it has no identity, whatever the environment says. */
  readonly identity?: IdentityOptions | false;
}

export interface Bootstrap {
  /** In order of preference; empty only where a transport was given. */
  readonly servers: readonly BootstrapServer[];
  /** Who has names like `xdstp://AUTHORITY/…`; one without servers of its own has the ones above (gRFC A47). */
  readonly authorities: ReadonlyMap<string, readonly BootstrapServer[]>;
  /** The name of a target's listener; `%s` stands for the target (gRFC A47). */
  readonly listenerTemplate: string;
  /** The same for targets that name an authority, where it has one of its own (gRFC A47). */
  readonly authorityTemplates: ReadonlyMap<string, string>;
  /** The name of the listener of a server of this process; `%s` stands for `address:port` (gRFC A36). */
  readonly serverListenerTemplate: string;
  /** undefined = delta first. */
  readonly protocol: 'delta' | 'sotw' | undefined;
  readonly node: {
    readonly id: string;
    readonly cluster: string;
    readonly metadata: JsonObject;
    readonly locality?: { readonly region: string; readonly zone: string; readonly subZone: string };
  };
  readonly namespace: string;
  readonly workload: string;
  readonly serviceAccount: string;
  readonly labels: ReadonlyMap<string, string>;
  /** What this process registers itself as. */
  readonly service: ServiceOption | undefined;
  readonly outboundPolicy: 'ALLOW_ANY' | 'REGISTRY_ONLY';
  readonly snapshotPath: string | undefined;
  readonly required: boolean;
  readonly log: 'off' | 'debug';
  readonly identity: IdentitySettings;
}

export interface BootstrapInput {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly options?: BootstrapOptions;
  /** Throws when the file cannot be read. */
  readonly readFile: (path: string) => string;
  /** Whether something lies where Istio's injection would put it. */
  readonly exists?: (path: string) => boolean;
  /** Names this process where the environment does not. */
  readonly host?: { readonly name: string; readonly pid: number };
  /** The control plane is reached without an address (in process). */
  readonly hasTransport?: boolean;
}

/** As Istio's agent writes it, and as istiod knows such listeners. */
const ISTIO_SERVER_LISTENER = 'xds.istio.io/grpc/lds/inbound/%s';

/**
 * Joins options, `INMESH_*` variables and a gRPC bootstrap, in this order of weight. undefined: no control plane is named,
 * so the mesh is off. Throws MESH_BOOTSTRAP_INVALID naming the variable, its value and what is allowed.
 */
export function readBootstrap(input: BootstrapInput): Bootstrap | undefined {
  const { env, options = {} } = input;
  const grpc = readGrpc(input);
  const servers = readServers(variable(env, 'INMESH_XDS'), options, grpc);
  const required = options.required ?? map(variable(env, 'INMESH_REQUIRED'), readFlag) ?? false;
  if (servers.length === 0 && input.hasTransport !== true) {
    if (!required) return undefined;
    throw new MeshError('MESH_BOOTSTRAP_INVALID', 'no control plane is named, and the mesh is required', {
      hint: 'set INMESH_XDS=host:port (an example: 127.0.0.1:15010), or GRPC_XDS_BOOTSTRAP',
    });
  }
  const protocol = choice(env, 'INMESH_PROTOCOL', options.protocol, ['auto', 'delta', 'sotw']) ?? 'auto';
  const token = readTokenSettings(identityInput(input));
  const names = readNames(input, grpc, token);
  const workload = readWorkload(input, grpc, names);
  return {
    ...workload,
    servers,
    authorities: grpc?.authorities ?? new Map(),
    listenerTemplate: grpc?.listenerTemplate ?? '%s',
    authorityTemplates: grpc?.authorityTemplates ?? new Map(),
    serverListenerTemplate: grpc?.serverListenerTemplate ?? ISTIO_SERVER_LISTENER,
    required,
    protocol: protocol === 'auto' ? undefined : protocol,
    node: describeNode({ ...workload, names }, input, grpc),
    identity: readIdentitySettings({ ...identityInput(input), servers, provider: grpc?.provider, token, ...names }),
    outboundPolicy:
      choice(env, 'INMESH_OUTBOUND_POLICY', options.outboundPolicy, ['ALLOW_ANY', 'REGISTRY_ONLY']) ?? 'ALLOW_ANY',
    snapshotPath: options.snapshot ?? variable(env, 'INMESH_SNAPSHOT')?.value,
    log: choice(env, 'INMESH_LOG', options.log, ['off', 'debug']) ?? 'off',
  };
}

function variable(env: BootstrapInput['env'], name: VariableName): Given | undefined {
  const value = env[name];
  // An empty variable is how a shell or a manifest says "not set".
  return value === undefined || value === '' ? undefined : { source: name, value };
}

const map = <T>(given: Given | undefined, read: (given: Given) => T): T | undefined =>
  given === undefined ? undefined : read(given);

/** The option's text where it is given, else the variable's. */
function either(option: string | undefined, name: string, fallback: Given | undefined): Given | undefined {
  return option === undefined ? fallback : { source: `option ${name}`, value: option };
}

function choice<C extends string>(
  env: BootstrapInput['env'],
  name: VariableName,
  option: C | undefined,
  choices: readonly C[],
): C | undefined {
  const optionName = name.replace('INMESH_', '').toLowerCase();
  return map(either(option, optionName, variable(env, name)), (given) => readChoice(given, choices));
}

function readGrpc({ env, readFile }: BootstrapInput): GrpcBootstrap | undefined {
  const file = variable(env, 'GRPC_XDS_BOOTSTRAP');
  if (file === undefined) {
    return map(variable(env, 'GRPC_XDS_BOOTSTRAP_CONFIG'), ({ source, value }) => parseGrpcBootstrap(value, source));
  }
  let json: string;
  try {
    json = readFile(file.value);
  } catch (cause) {
    throw new MeshError('MESH_BOOTSTRAP_INVALID', `GRPC_XDS_BOOTSTRAP is "${file.value}", which cannot be read`, {
      cause,
    });
  }
  return parseGrpcBootstrap(json, file.value);
}

function readServers(
  given: Given | undefined,
  options: BootstrapOptions,
  grpc: GrpcBootstrap | undefined,
): readonly BootstrapServer[] {
  const source = options.xds === undefined ? given?.source : 'option xds';
  const listed = options.xds ?? given?.value.split(',');
  if (listed === undefined) return grpc?.servers ?? [];
  const servers = [...new Set((typeof listed === 'string' ? [listed] : listed).map((server) => server.trim()))];
  for (const server of servers) checkServer(server, source ?? 'xds');
  return servers.map((address) => ({ address, features: new Set() }));
}

type Workload = Pick<Bootstrap, 'namespace' | 'workload' | 'serviceAccount' | 'labels' | 'service'>;

const identityInput = ({ env, options, exists = () => false }: BootstrapInput) => ({
  options: options?.identity,
  variable: (name: VariableName) => variable(env, name),
  exists,
});

interface Names {
  readonly namespace: string | undefined;
  readonly workload: string | undefined;
  readonly serviceAccount: string | undefined;
}

/** Names as they were given: by option, by variable, in the gRPC bootstrap, or in the token that proves them. */
function readNames(
  { env, options = {}, readFile }: BootstrapInput,
  grpc: GrpcBootstrap | undefined,
  token: TokenSettings | undefined,
): Names {
  const inToken = token && namesInToken(textOf(token, readFile));
  const told = (key: string, claim?: string): Given | undefined => {
    const value = grpc?.metadata[key];
    if (typeof value === 'string' && value !== '') return { source: `node.metadata.${key}`, value };
    return claim === undefined ? undefined : { source: 'the token', value: claim };
  };
  const read = (option: keyof Names, name: VariableName, key: string, claim?: string) =>
    map(either(options[option], option, variable(env, name) ?? told(key, claim)), readName);
  return {
    namespace: read('namespace', 'INMESH_NAMESPACE', 'NAMESPACE', inToken?.namespace),
    workload: read('workload', 'INMESH_WORKLOAD', 'WORKLOAD_NAME'),
    serviceAccount: read('serviceAccount', 'INMESH_SERVICE_ACCOUNT', 'SERVICE_ACCOUNT', inToken?.serviceAccount),
  };
}

/** A file that cannot be read yet is spoken of when it is needed. */
function textOf(token: TokenSettings, readFile: BootstrapInput['readFile']): string {
  if (token.kind === 'text') return token.text;
  try {
    return readFile(token.path);
  } catch {
    return '';
  }
}

function readWorkload(input: BootstrapInput, grpc: GrpcBootstrap | undefined, names: Names): Workload {
  const { env, options = {}, host } = input;
  const service = readService(env, options.service);
  const { namespace, workload, serviceAccount } = names;
  const unnamed = service ? [service.name, service.version].filter(Boolean).join('-') : host?.name;
  return {
    namespace: namespace ?? 'default',
    workload: workload ?? (unnamed ?? 'process').toLowerCase(),
    serviceAccount: serviceAccount ?? 'default',
    labels: chooseLabels(options, variable(env, 'INMESH_LABELS'), grpc, service),
    service,
  };
}

function readService(env: BootstrapInput['env'], option: ServiceOption | undefined): ServiceOption | undefined {
  const name = either(option?.name, 'service.name', variable(env, 'INMESH_SERVICE'));
  if (name === undefined) return undefined;
  const port = either(option && String(option.port), 'service.port', variable(env, 'INMESH_PORT'));
  if (port === undefined) {
    throw new MeshError('MESH_BOOTSTRAP_INVALID', `INMESH_SERVICE is "${name.value}" but INMESH_PORT is not set`, {
      hint: 'say on which port the service listens',
    });
  }
  const version = option ? option.version : variable(env, 'INMESH_VERSION')?.value;
  return { name: readName(name), port: readPort(port), ...(version !== undefined && { version }) };
}

function chooseLabels(
  options: BootstrapOptions,
  given: Given | undefined,
  grpc: GrpcBootstrap | undefined,
  service: ServiceOption | undefined,
): ReadonlyMap<string, string> {
  const implied = new Map<string, string>();
  if (service) implied.set('app', service.name);
  if (service?.version !== undefined) implied.set('version', service.version);
  const told = Object.entries(grpc?.metadata.LABELS ?? {}).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string',
  );
  const chosen = options.labels ? Object.entries(options.labels) : (map(given, readLabels) ?? told);
  return new Map([...implied, ...chosen]);
}

function describeNode(
  identity: Workload & { readonly names: Names },
  { env, options = {}, host }: BootstrapInput,
  grpc: GrpcBootstrap | undefined,
): Bootstrap['node'] {
  const { namespace, workload, labels, names } = identity;
  const instance = host ? `${workload}-${host.pid}` : workload;
  const locality =
    map(either(options.locality, 'locality', variable(env, 'INMESH_LOCALITY')), readLocality) ?? grpc?.locality;
  return {
    // Istio's form, so that istiod takes it too: type~address~name.namespace~DNS domain.
    id: grpc?.id ?? `sidecar~127.0.0.1~${instance}.${namespace}~${namespace}.svc.cluster.local`,
    cluster: grpc?.cluster ?? `${workload}.${namespace}`,
    metadata: {
      ...asJson(grpc?.metadata ?? {}),
      // Only what was named: a control plane that is shown a proof knows better than our defaults, and refuses what differs.
      ...(names.namespace !== undefined && { NAMESPACE: names.namespace }),
      ...(names.serviceAccount !== undefined && { SERVICE_ACCOUNT: names.serviceAccount }),
      WORKLOAD_NAME: workload,
      LABELS: Object.fromEntries(labels),
      INMESH_KIND: 'sdk',
      INMESH_VERSION: SDK_VERSION,
    },
    ...(locality && { locality }),
  };
}

/** It came out of JSON.parse: only the type has to be told. */
const asJson = (value: Readonly<Record<string, unknown>>): JsonObject => value as Record<string, JsonValue>;
