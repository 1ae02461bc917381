import { defaultOf } from '../defaults.ts';
import { MeshError } from '../errors.ts';
import { type BootstrapServer, mayTakeToken, parseServerAddress } from './server-address.ts';
import { type Given, invalid, readDuration, readName } from './values.ts';
import type { VariableName } from './variables.ts';

/** Who this process is and how it proves it, said by the program; each wins over its variable. */
export interface IdentityOptions {
  /** PEM, leaf first; with `key`. They are used as they are and not renewed. */
  readonly certificate?: string;
  /** PEM. */
  readonly key?: string;
  /** PEM of those who vouch for peers of this process's own trust domain. */
  readonly roots?: string;
  readonly certificateFile?: string;
  readonly keyFile?: string;
  readonly rootFile?: string;
  /** Where the SPIFFE Workload API is: `unix:///run/spire/agent.sock`. */
  readonly workloadApi?: string;
  readonly token?: string;
  readonly tokenFile?: string;
  readonly ca?: string;
  readonly caRoot?: string;
  /** `ads`, or `unix:PATH` of an agent's secret discovery service. */
  readonly sds?: string;
  readonly certificateTtlMs?: number;
  readonly trustDomain?: string;
  /** Trust domains that count as this process's own (Istio MeshConfig.trustDomainAliases). */
  readonly trustDomainAliases?: readonly string[];
}

/** Where the bearer token stands. */
export type TokenSettings =
  | { readonly kind: 'text'; readonly text: string; readonly source: string }
  /** `isFound`: nobody named it, it lies where Istio puts it. */
  | { readonly kind: 'file'; readonly path: string; readonly source: string; readonly isFound: boolean };

export type CredentialSettings =
  | { readonly kind: 'given'; readonly certificate: string; readonly key: string; readonly roots?: string }
  | { readonly kind: 'files'; readonly certificate: string; readonly key: string; readonly roots?: string }
  | { readonly kind: 'workload-api'; readonly address: string }
  | { readonly kind: 'ca'; readonly servers: readonly string[] }
  | { readonly kind: 'sds'; readonly server: string };

export interface IdentitySettings {
  /** undefined: no credential is named, so this process has no identity, but for what a control plane in the same process knows. */
  readonly source: CredentialSettings | undefined;
  /** The program wants none. */
  readonly isOff: boolean;
  readonly token: TokenSettings | undefined;
  /** A file of the roots that vouch for the control plane and the CA. */
  readonly caRoot: string | undefined;
  readonly certificateTtlMs: number;
  /** The SPIFFE ID to ask the CA for, where namespace and service account are named. */
  readonly uri: string | undefined;
  readonly aliases: readonly string[];
}

export interface IdentityInput {
  readonly options: IdentityOptions | false | undefined;
  readonly variable: (name: VariableName) => Given | undefined;
  readonly exists: (path: string) => boolean;
  readonly servers: readonly BootstrapServer[];
  /** `certificate_providers` of a gRPC bootstrap. */
  readonly provider: Extract<CredentialSettings, { kind: 'files' }> | undefined;
  readonly token: TokenSettings | undefined;
  /** As far as they were named. */
  readonly namespace: string | undefined;
  readonly serviceAccount: string | undefined;
}

/** Where Istio's injection mounts them. */
const ISTIO = {
  token: '/var/run/secrets/tokens/istio-token',
  root: '/var/run/secrets/istio/root-cert.pem',
  sds: '/var/run/secrets/workload-spiffe-uds/socket',
} as const;

const DEFAULT_TRUST_DOMAIN = 'cluster.local';

type TokenInput = Pick<IdentityInput, 'options' | 'variable' | 'exists'>;

/** What the token is, before anything else is known: names may stand in it. */
export function readTokenSettings(input: TokenInput): TokenSettings | undefined {
  if (input.options === false) return undefined;
  const one = readerOf(input);
  return readToken(one('token', 'INMESH_TOKEN'), one('tokenFile', 'INMESH_TOKEN_FILE'), input.exists);
}

/** Throws MESH_BOOTSTRAP_INVALID naming the variable or option, what it holds and what is allowed. */
export function readIdentitySettings(input: IdentityInput): IdentitySettings {
  const { options: given, exists, namespace, serviceAccount, token } = input;
  const options = given === false ? {} : (given ?? {});
  const one = readerOf(input);
  const named = one('trustDomain', 'INMESH_TRUST_DOMAIN');
  const trustDomain = named === undefined ? DEFAULT_TRUST_DOMAIN : readName(named);
  const ttl = input.variable('SECRET_TTL');
  if (given !== false) checkToken(one('ca', 'INMESH_CA'), input.servers, token);
  const caRoot = one('caRoot', 'INMESH_CA_ROOT')?.value ?? (exists(ISTIO.root) ? ISTIO.root : undefined);
  return {
    isOff: given === false,
    token,
    caRoot,
    certificateTtlMs:
      options.certificateTtlMs ?? (ttl === undefined ? defaultOf('certificateTtlMs') : readDuration(ttl)),
    uri:
      namespace !== undefined && serviceAccount !== undefined
        ? `spiffe://${trustDomain}/ns/${namespace}/sa/${serviceAccount}`
        : undefined,
    aliases: (options.trustDomainAliases ?? []).map((name) => name.toLowerCase()),
    source: given === false ? undefined : readSource(input, options, one, token),
  };
}

/** The option's text where it is given, else the variable's. */
function readerOf({ options, variable }: Pick<TokenInput, 'options' | 'variable'>): Reader {
  return (option, name) => {
    const value = options === false ? undefined : options?.[option];
    return value === undefined ? variable(name) : { source: `option identity.${option}`, value: String(value) };
  };
}

type Reader = (option: keyof IdentityOptions & string, name: VariableName) => Given | undefined;

/** The first of: PEM of the program, files, the Workload API, a CA with a token, SDS. */
function readSource(
  input: IdentityInput,
  options: IdentityOptions,
  one: Reader,
  token: TokenSettings | undefined,
): CredentialSettings | undefined {
  const { certificate, key, roots } = options;
  if (certificate !== undefined || key !== undefined) {
    if (certificate === undefined || key === undefined)
      throw halfPair('option identity.certificate', 'option identity.key');
    return { kind: 'given', certificate, key, ...(roots !== undefined && { roots }) };
  }
  const files = readFiles(one) ?? input.provider;
  if (files !== undefined) return files;
  const workloadApi = one('workloadApi', 'SPIFFE_ENDPOINT_SOCKET');
  if (workloadApi !== undefined) return { kind: 'workload-api', address: readSocket(workloadApi) };
  const servers = caServers(one('ca', 'INMESH_CA'), input.servers, token);
  if (servers.length > 0) return { kind: 'ca', servers };
  const sds = one('sds', 'INMESH_SDS')?.value ?? (input.exists(ISTIO.sds) ? `unix:${ISTIO.sds}` : undefined);
  if (sds === undefined) return undefined;
  const address = sds === 'ads' ? undefined : parseServerAddress(sds);
  if (typeof address === 'string' || address?.isLocal === false) {
    throw invalid({ source: 'INMESH_SDS', value: sds }, 'ads, or unix:PATH');
  }
  return { kind: 'sds', server: sds };
}

function readFiles(one: Reader): CredentialSettings | undefined {
  const certificate = one('certificateFile', 'INMESH_CERT_FILE');
  const key = one('keyFile', 'INMESH_KEY_FILE');
  const roots = one('rootFile', 'INMESH_ROOT_FILE');
  if (certificate === undefined && key === undefined) return undefined;
  if (certificate === undefined || key === undefined) throw halfPair('INMESH_CERT_FILE', 'INMESH_KEY_FILE');
  return {
    kind: 'files',
    certificate: certificate.value,
    key: key.value,
    ...(roots !== undefined && { roots: roots.value }),
  };
}

const halfPair = (certificate: string, key: string): MeshError =>
  new MeshError('MESH_BOOTSTRAP_INVALID', `one of ${certificate} and ${key} is given: a certificate needs its key`, {
    hint: 'give both',
  });

/** SPIFFE Workload Endpoint §4: `unix:///PATH` or `tcp://IP:PORT`. */
function readSocket(given: Given): string {
  const { value } = given;
  if (/^unix:(?:\/\/)?\/./.test(value) || /^tcp:\/\/(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-fA-F:]+\]):\d{1,5}$/.test(value))
    return value;
  throw invalid(given, 'unix:///PATH or tcp://IP:PORT');
}

function readToken(
  text: Given | undefined,
  file: Given | undefined,
  exists: IdentityInput['exists'],
): TokenSettings | undefined {
  if (text !== undefined) {
    // What else stands in it could end the header.
    if (!/^[\x21-\x7e]+$/.test(text.value)) {
      throw invalid({ source: text.source, value: '…' }, 'a token without spaces and line breaks');
    }
    return { kind: 'text', text: text.value, source: text.source };
  }
  if (file !== undefined) return { kind: 'file', path: file.value, source: file.source, isFound: false };
  if (!exists(ISTIO.token)) return undefined;
  return { kind: 'file', path: ISTIO.token, source: 'INMESH_TOKEN_FILE (by default)', isFound: true };
}

/** Whom to ask for a certificate: who was named, else the control planes. None without a token. */
function caServers(
  ca: Given | undefined,
  servers: readonly BootstrapServer[],
  token: TokenSettings | undefined,
): readonly string[] {
  if (ca === undefined) {
    const safe = token === undefined ? [] : servers.filter(({ address }) => mayTakeToken(parseServerAddress(address)));
    return safe.map(({ address }) => address);
  }
  const address = parseServerAddress(ca.value);
  if (typeof address === 'string') throw new MeshError('MESH_BOOTSTRAP_INVALID', `${ca.source}: ${address}`);
  if (token === undefined) return [];
  if (!mayTakeToken(address)) throw plainToken(ca, token);
  return [ca.value];
}

/** A token that somebody gave is for the control plane, unless a CA is named: it does not stay behind without a word. */
function checkToken(
  ca: Given | undefined,
  servers: readonly BootstrapServer[],
  token: TokenSettings | undefined,
): void {
  if (token === undefined || ca !== undefined || (token.kind === 'file' && token.isFound)) return;
  const open = servers.find(({ address }) => !mayTakeToken(parseServerAddress(address)));
  if (open !== undefined) throw plainToken({ source: 'INMESH_XDS', value: open.address }, token);
}

const plainToken = ({ source, value }: Given, token: TokenSettings): MeshError =>
  new MeshError(
    'MESH_BOOTSTRAP_INVALID',
    `${source} is "${value}": plain text to another machine, where the token of ${token.source} is not sent`,
    { hint: 'write tls://host:port, and INMESH_CA_ROOT=FILE for the roots of its certificate' },
  );
