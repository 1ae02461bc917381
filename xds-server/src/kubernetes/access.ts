import { readFileSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'yaml';

/** How the Kubernetes API is reached, and as whom. */
export interface KubernetesAccess {
  readonly server: URL;
  /** PEM; the platform's roots where absent. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  readonly servername?: string;
  /** Read at each use: a kubelet renews a projected token in its file. */
  readonly token?: () => string;
}

/** Where a kubelet puts a Pod's own access. */
const IN_CLUSTER = '/var/run/secrets/kubernetes.io/serviceaccount';

/** A Pod's own access; undefined outside a cluster. */
export function inClusterAccess(env: NodeJS.ProcessEnv, folder = IN_CLUSTER): KubernetesAccess | undefined {
  const { KUBERNETES_SERVICE_HOST: host, KUBERNETES_SERVICE_PORT: port = '443' } = env;
  if (!host) return undefined;
  return {
    server: new URL(`https://${host.includes(':') ? `[${host}]` : host}:${port}`),
    ca: readFileSync(path.join(folder, 'ca.crt'), 'utf8'),
    token: () => readFileSync(path.join(folder, 'token'), 'utf8').trim(),
  };
}

/** The current context of a kubeconfig file, or another one of it. */
export function kubeconfigAccess(file: string, context?: string): KubernetesAccess {
  const config: unknown = parse(readFileSync(file, 'utf8'));
  const at = (what: string): string => `${file}: ${what}`;
  const chosen = context ?? text(config, 'current-context');
  if (chosen === undefined) throw new Error(at('current-context is missing'));
  const place = named(config, 'contexts', 'context', chosen, at);
  const cluster = named(config, 'clusters', 'cluster', text(place, 'cluster') ?? '', at);
  const user = named(config, 'users', 'user', text(place, 'user') ?? '', at);
  const server = URL.parse(text(cluster, 'server') ?? '');
  if (server === null) throw new Error(at(`clusters: ${chosen} has no server, or none that is a URL`));
  if (field(cluster, 'insecure-skip-tls-verify') === true)
    throw new Error(at('insecure-skip-tls-verify is not supported: write certificate-authority'));
  for (const plugin of ['exec', 'auth-provider', 'username'])
    if (field(user, plugin) !== undefined)
      throw new Error(at(`users: ${plugin} is not supported; token, tokenFile and client certificates are`));
  const pem = (from: unknown, key: string): string | undefined => {
    const inline = text(from, `${key}-data`);
    if (inline !== undefined) return Buffer.from(inline, 'base64').toString('utf8');
    const named = text(from, key);
    return named === undefined ? undefined : readFileSync(path.resolve(path.dirname(file), named), 'utf8');
  };
  return {
    server,
    ...defined('ca', pem(cluster, 'certificate-authority')),
    ...defined('servername', text(cluster, 'tls-server-name')),
    ...defined('cert', pem(user, 'client-certificate')),
    ...defined('key', pem(user, 'client-key')),
    ...tokenOf(user, path.dirname(file)),
  };
}

/** In a Pod its own; else the first file of KUBECONFIG. undefined: neither is there. */
export function findAccess(env: NodeJS.ProcessEnv): KubernetesAccess | undefined {
  const [file] = (env.KUBECONFIG ?? '').split(path.delimiter);
  return file ? kubeconfigAccess(file) : inClusterAccess(env);
}

function tokenOf(user: unknown, folder: string): { token?: () => string } {
  const file = text(user, 'tokenFile');
  if (file !== undefined) return { token: () => readFileSync(path.resolve(folder, file), 'utf8').trim() };
  const token = text(user, 'token');
  return token === undefined ? {} : { token: () => token };
}

const defined = <K extends string>(key: K, value: string | undefined): Partial<Record<K, string>> =>
  value === undefined ? {} : ({ [key]: value } as Record<K, string>);

function field(object: unknown, key: string): unknown {
  return typeof object === 'object' && object !== null && Object.hasOwn(object, key)
    ? Reflect.get(object, key)
    : undefined;
}

function text(object: unknown, key: string): string | undefined {
  const value = field(object, key);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

type At = (what: string) => string;

function named(config: unknown, list: string, inner: string, name: string, at: At): unknown {
  const all = field(config, list);
  const found = Array.isArray(all) ? all.find((one) => field(one, 'name') === name) : undefined;
  if (found === undefined) throw new Error(at(`${list}: "${name}" is not there`));
  return field(found, inner);
}
